. "${0%/*}/lib.sh"
have python3 || { skip python3 'sensitivity'; done_; }

t 'a model without blocks has nothing to score' '
	grow_registry && fails_with 128 sg sensitivity 2>err && is "$(wc -l <err)" 1
'
sg train --type layer --name first $fast -q && sg accept -q first || exit 1
t 'every map and hidden state, the highest first' '
	sg sensitivity --seq 32 >out && is "$(wc -l <out)" 9 && awk "NR > 2 && \$3 + 0 > was { exit 1 } { was = \$3 + 0 }" out &&
	grep -q "^grown\.[0-9a-f]*\.out " out && grep -q "\.attn\.q " out
'
t 'the order that was asked for, and the first of it' '
	sg sensitivity --seq 32 --by error --top 2 >out && is "$(wc -l <out)" 3 && sg sensitivity --seq 32 --by ntk --per byte --sites "*.mlp.*" --json >out &&
	is "$(json by <out)" ntk && is "$(json sites 0 bytes <out)" "$(json sites 0 parameters <out | awk "{ print 4 * \$1 }")" &&
	python3 -c "
import json
s = json.load(open(\"out\"))[\"sites\"]
k = [x[\"ntk\"] / x[\"bytes\"] for x in s]
assert k == sorted(k, reverse=True) and all(x[\"gradient\"] > 0 and x[\"fisher\"] > 0 for x in s)"
'
t 'impact is measured' '
	sg sensitivity --seq 32 --samples 20 --impact --json >out && sg sensitivity --seq 32 --samples 20 --by impact >txt && head -1 txt | grep -q IMPACT &&
	is "$(json samples <out)" 20 && python3 -c "
import json
s = json.load(open(\"out\"))[\"sites\"]
assert any(abs(x[\"impact\"]) > 1e-3 for x in s)"
'
t 'the same bits on other threads and instructions, other samples by the seed' '
	sg sensitivity --seq 32 --json >a && SG_ISA=scalar sg sensitivity --seq 32 --threads 1 --json >b && same a b &&
	sg sensitivity --seq 32 --samples 9 --json >a && sg sensitivity --seq 32 --samples 9 --seed 1 --json >b && ! cmp -s a b
'
t 'data that judges chooses nothing; what has no scores' '
	fails_with 1 sg sensitivity --data held 2>err && grep -q "role accept" err && fails_with 128 sg sensitivity --data nothing &&
	fails_with 1 sg sensitivity --sites slot.0 2>err && grep -q "slot.0" err && fails_with 129 sg sensitivity --by luck && fails_with 129 sg sensitivity --seq 1
'
done_
