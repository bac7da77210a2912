. "${0%/*}/lib.sh"
have python3 || { skip python3 'grow'; done_; }
git_ () { git --git-dir=.sg/registry.git "$@"; }
fast='--probes 3 --probe-steps 6 --top 2 --steps 12 --batch 4 --seq 32 --lr 0.02 --samples 8'

grow_registry && awk 'BEGIN { for (i = 351; i <= 450; i++) print "line " i " of a text that tells " i * i % 89 }' >pick.txt || exit 1
t 'data of role select is needed' '
	fails_with 128 sg grow --type layer --name g $fast 2>err && grep -q "role select" err && is "$(wc -l <err)" 1
'
sg data add pick -q --role select --split line pick.txt || exit 1
t 'the first stage of a model without blocks is a layer' '
	sg grow --type layer --name seed --stages 1 $fast >out && grep -q "^stage 1  accept  seed.1d0 .* slot.0" out && grep -q "^1 of 1 stages brought a graft" out &&
	git_ log -1 --format=%b main | grep -q "^seed.1p0 [0-9a-f]\{16\} -[0-9.]* \[.*\] slot.0$" && sg status >st && ! grep -q "^Candidates" st && grep -q "^Rejected" st
'
cp -r .sg before
t 'two stages, a plateau is no failure' '
	sg grow --type lora --rank 2 --name g --stages 2 $fast >out && grep -q "^stage 1  probe   g.1p2 " out && grep -q "^stage 1  deep    g.1d2 .* \.\.\.$" out &&
	grep -q "^stage 1  accept" out && git_ rev-parse main >a && sg verify -q
'
t 'called again it has nothing left to do' '
	sg grow --type lora --rank 2 --name g --stages 1 $fast --json >out && is "$(json skipped <out)" 1 && is "$(json tried <out)" 0 && git_ rev-parse main >b && same a b
'
t 'stopped anywhere and called again: the same grafts' '
	mv .sg done && cp -r before .sg && turns=0 && while [ $turns -lt 40 ]; do
		turns=$((turns + 1))
		timeout -s KILL 0.$((turns * 37 % 7 + 2)) "$SG" grow --type lora --rank 2 --name g --stages 2 $fast -q 2>/dev/null && break
		find .sg -name "*.lock" -exec touch -d "20 seconds ago" {} + 2>/dev/null
	done; sg grow --type lora --rank 2 --name g --stages 2 $fast -q; sg status --json | json stack >x && mv .sg stopped && cp -r done .sg &&
	sg status --json | json stack >y && same x y
'
t 'inside the sites of what was accepted' '
	rm -rf .sg && cp -r before .sg && sg grow --type lora --rank 2 --name r --stages 2 --refine sparse --refine-set count=16 $fast --json >out && python3 -c "
import json
e = json.load(open(\"out\"))[\"events\"]
first = [x for x in e if x[\"what\"] == \"accept\" and x[\"stage\"] == 1][0]
inside = {s for x in e if x[\"stage\"] == 2 for s in x[\"sites\"]}
assert inside and inside <= set(first[\"sites\"]), (inside, first)
assert all(x[\"parameters\"] <= 3 * 16 * len(x[\"sites\"]) for x in e if x[\"stage\"] == 2)"
'
t 'wrong usage' '
	fails_with 129 sg grow --type lora && fails_with 129 sg grow --name x && fails_with 129 sg grow --type lora --name "a/b" &&
	fails_with 129 sg grow --type lora --name x --refine-set k=1
'
done_
