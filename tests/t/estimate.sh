. "${0%/*}/lib.sh"

t 'parts, sum and verdict' '
	sg estimate --device cpu gpt2-124m --seq 1024 --batch 4 >out && for part in weights payload gradients optimiser activations workspace total free; do
		grep -q "^$part  *[0-9]" out || return 1; done && grep -q "^weights  *23[0-9] MiB" out && grep -q "^fits on cpu in passes of 2048 tokens; of 4096 tokens at most" out
'
t 'what does not fit is no failure, but an answer' '
	SG_MEMORY=900m fails_with 1 sg estimate --device cpu gpt2-124m --seq 512 --batch 16 --micro 8192 >out && grep -q "^does not fit on cpu in passes of 8192 tokens; of [1-9][0-9]* tokens at most" out &&
	SG_MEMORY=10m fails_with 1 sg estimate --device cpu gpt2-124m 2>err && grep -q "weights" err
'
t 'training keeps to it: what does not fit is refused before it begins' '
	grow_registry && sg estimate --device cpu --type layer --seq 32 --batch 64 >out && grep -q "^fits" out &&
	SG_MEMORY=200k fails_with 1 sg train -q --type layer $fast 2>err && grep -q "needs .* MiB of memory" err
'
t 'wrong usage' '
	fails_with 129 sg estimate --batch x && fails_with 128 sg estimate nothing 2>err && grep -q "no shape" err && fails_with 129 sg estimate --type nothing tiny-3m
'
if have python3; then
t 'estimate --json adds up' '
	sg estimate --device cpu tiny-3m --json >out && python3 -c "
import json
e = json.load(open(\"out\"))
assert e[\"total\"] == sum(e[k] for k in (\"weights\", \"payload\", \"gradients\", \"optimiser\", \"activations\", \"workspace\")) and e[\"fits\"] is True
assert e[\"optimiser\"] == 2 * e[\"payload\"] and e[\"micro\"] == 2048 and e[\"largest_micro\"] == 2048
"
'
else
skip python3 'estimate --json'
fi
done_
