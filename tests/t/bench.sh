. "${0%/*}/lib.sh"
small='--batch 2 --seq 32 --steps 2'

t 'every row of a shape' '
	sg bench --device cpu tiny-3m $small >out && for row in ceiling train eval generate kernels; do grep -q "^$row " out || return 1; done &&
	grep -q "^kernels  *attn_bwd N64 H6 G2 K32 T32 " out && is "$(grep -c "^ceiling .*gemm\|^ceiling .*copy" out)" 2
'
t 'chosen rows; another graft' '
	sg bench --device cpu tiny-3m $small --rows train,generate --type block --set width=16 >out && grep -q "^train  *block " out && grep -q "^generate" out &&
	! grep -q "^eval\|^kernels" out
'
t 'the base of a registry, which stays as it is' '
	sg init --width 32 -q && find .sg -type f | sort | xargs cat | cksum >was && sg bench --device cpu $small --type layer --rows train,eval,kernels >out &&
	grep -q "^train  *layer" out && grep -q "^eval" out && find .sg -type f | sort | xargs cat | cksum >now && same was now
'
t 'what cannot be' '
	fails_with 128 sg bench huge 2>err && grep -q "tiny-3m, gpt2-124m" err && fails_with 129 sg bench tiny-3m --batch 0 &&
	fails_with 129 sg bench gpt2-124m --seq 1025 2>err && grep -q "1024 positions" err && fails_with 129 sg bench tiny-3m --type nothing &&
	fails_with 129 sg bench a b && mkdir none && fails_with 128 sg -C / bench
'
if have python3; then
t 'bench --json; memory in use is within 5 % of the plan' '
	sg bench --device cpu tiny-3m --batch 16 --seq 256 --micro 4096 --steps 1 --rows train --json >out && python3 -c "
import json
r = json.load(open(\"out\"))
t = r[\"rows\"][-1]
assert r[\"device\"] == \"cpu\" and t[\"row\"] == \"train\" and t[\"tokens_per_second\"] > 0 and 0 < t[\"share\"] < 2
assert t[\"ms_least\"] <= t[\"ms\"] <= t[\"ms_most\"]
print(t[\"peak_bytes\"] / t[\"plan_bytes\"])
assert $(sanitized && echo True || echo False) or abs(t[\"peak_bytes\"] / t[\"plan_bytes\"] - 1) < 0.05
"
'
else
skip python3 'bench --json'
fi
done_
