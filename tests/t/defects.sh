# The defects that are known from SAINT-G and that a command shows best; the others stand in
# tests/unit, where tests are named defect_<number>_<what>. tests/lint/defects.sh counts them.
. "${0%/*}/lib.sh"
have python3 || { skip python3 'defects'; done_; }
git_ () { git --git-dir=.sg/registry.git "$@"; }
# ask <python>: of the JSON in out, as v; gate is a function from names to lists of gates
ask () {
	python3 -c '
import json, sys
v = json.load(open("out"))
def gate(name): return [g for g in v["gates"] if g["gate"] == name]
exec(sys.argv[1])' "$1"
}
# receipt <python>: of the newest report of `word`, as v
receipt () {
	id=$(sg show "$1" --json | json id | cut -c1-16) && git_ show "$(git_ for-each-ref --format='%(refname)' "refs/sg/report/$id"):receipt.mp" >r.mp &&
	python3 -c '
import sys
exec(open(sys.argv[1] + "/tests/readers/receipt.py").read().split("def t_tail")[0])
v = Reader(open("r.mp", "rb").read()).value()
exec(sys.argv[2])' "$SG_TOP" "$2"
}
judge () { sg validate "$@" --json >out; [ $? -le 1 ]; }

grow_registry && awk 'BEGIN { for (i = 1; i <= 240; i++) print "an old saying, number " i ", that is kept " i * i % 83 }' >old.txt &&
	awk 'BEGIN { for (i = 351; i <= 450; i++) print "line " i " of a text that tells " i * i % 89 }' >pick.txt &&
	sg data add pick -q --role select --split line pick.txt && sg train --type layer --name first $fast -q && sg accept first -q || exit 1

t 'defect 01: what judges is never trained on, and the order is in the commit' '
	fails_with 1 sg train --type lora --data held $fast 2>err && grep -q "role accept" err &&
	fails_with 1 sg data add again --role train --split line --from 40 --to 60 book.txt 2>err && grep -q "stand in .held. (accept) too" err &&
	sg show first --json >out && ask "
r = v[\"training\"][\"recipe\"]
assert r[\"seed\"] == 1 and len(r[\"data\"]) == 1 and len(r[\"data\"][0]) == len(\"book:\") + 64, r"
'
t 'defect 02: chosen on one set, judged on another, and every look at it is counted' '
	fails_with 1 sg data add two --role select --split line --from 90 book.txt 2>err && grep -q "stand in .held. (accept) too" err &&
	for i in 1 2 3; do sg train --type lora --rank 1 --name look$i --seed $i $fast -q && judge look$i || return 1; done &&
	ask "
g, = gate(\"quality\")
assert g[\"set\"] == \"held\" and g[\"docs\"] == 210 and g[\"lower\"] < g[\"mean\"] < g[\"upper\"], g" && receipt look3 "
s, = [s for s in v[\"sets\"] if s[\"role\"] == \"accept\"]
g, = [g for g in v[\"gates\"] if g[\"name\"] == \"quality\"]
k = s[\"uses\"]
assert k >= 4 and abs(g[\"alpha\"] - 0.05 / (k * (k + 1))) < 1e-12, (k, g[\"alpha\"])"
'
t 'defect 03: what is retained is another set than what is gained on, and part of the verdict' '
	fails_with 1 sg data add kept --role retain --split line --from 90 book.txt 2>err && grep -q "stand in .held. (accept) too" err &&
	sg data add old -q --role retain --split line old.txt && judge look1 && ask "
q, r = gate(\"quality\")[0], gate(\"retention\")[0]
assert q[\"set\"] == \"held\" and r[\"set\"] == \"old\" and r[\"docs\"] == 240, (q, r)
assert r[\"mean\"] != -q[\"mean\"] and r[\"mean\"] != q[\"mean\"], (q, r)" && receipt look1 "
a, b = [[s for s in v[\"sets\"] if s[\"role\"] == r][0] for r in (\"accept\", \"retain\")]
assert a[\"id\"] != b[\"id\"] and a[\"shard\"] != b[\"shard\"]" && sg policy set gate.retention.max-increase 0.000001 -q &&
	fails_with 1 sg accept look1 && sg policy set gate.retention.max-increase 9 -q
'
t 'defect 04: a control is judged on the very documents of the graft' '
	sg policy set gate.control.enabled true -q && sg policy set gate.control.docs 210 -q && judge look1 && receipt look1 "
s = [s for s in v[\"sets\"] if s[\"name\"] == \"held\"][0]
p = [p for p in v[\"probes\"] if p[\"name\"] == \"held/shuffled\"][0]
assert p[\"shard\"] == s[\"shard\"] and p[\"tokens\"] == s[\"tokens\"] and p[\"cand\"] == s[\"cand\"] and p[\"parent\"] != s[\"parent\"]" &&
	sg policy set gate.control.enabled false -q
'
t 'defect 05: an improvement too small for any patience is still what the test says it is' '
	sg train --type lora --rank 2 --name tiny --steps 30 --batch 4 --seq 32 --lr 0.00001 --warmup 0 -q && sg show tiny --json >out && ask "
c = v[\"training\"][\"curve\"]
assert max(c) - min(c) < 2, c" && sg accept tiny --json >out && ask "
g, = gate(\"quality\")
assert -1e-3 < g[\"mean\"] < 0 and g[\"upper\"] < 0 and v[\"verdict\"] == \"accept\", g"
'
t 'defect 06: a base that knows nothing is told of' '
	random_llama base 16 24 1 && sg init -q --base base blank && sg -C blank data add book -q --role train --split line --to 40 ../book.txt &&
	sg -C blank train --type lora --rank 2 --name x $fast 2>err >log && grep -q "^sg: warning: the base.s loss, [0-9.]*, is hardly that of one that was trained; guessing has 5.5491" err &&
	sg -C blank train --type lora --rank 2 --name x $fast --json >out && ask "assert v[\"untrained_base\"] is True and v[\"first_loss\"] > 5.4" &&
	sg train --type lora --rank 2 --name y $fast --json >out && ask "assert v[\"untrained_base\"] is False"
'
t 'defect 14: a file that is a program is not run, and a thing is known by its bytes' '
	mkdir pickled && cp base/config.json base/tokenizer.json pickled && printf "cos\nsystem\n(S\"touch ran\"\ntR." >pickled/pytorch_model.bin &&
	fails_with 128 sg init --base pickled elsewhere 2>err && is "$(grep -c . err)" 1 && [ ! -e ran ] &&
	mkdir adapter && cp pickled/pytorch_model.bin adapter/adapter_model.bin && echo "{\"peft_type\":\"LORA\"}" >adapter/adapter_config.json &&
	fails_with 128 sg -C blank import --format peft ../adapter 2>err && grep -q "is a pickle, which is a program" err && [ ! -e ran ] && [ ! -e blank/ran ] &&
	mv base moved && sg -C blank base bind ../moved -q && sg -C blank base verify >log && printf "\001" | dd of=moved/model.safetensors bs=1 seek=9001 conv=notrunc 2>err &&
	fails_with 1 sg -C blank base verify 2>err
'
t 'defect 15: what was not accepted is not in what is shared' '
	for i in 4 5 6; do sg train --type lora --rank 8 --name slot$i --seed $i $fast -q || return 1; done && sg reject slot4 -q &&
	sg clone -q .sg/registry.git copy && git --git-dir=copy/.sg/registry.git for-each-ref >refs && ! grep -q refs/sg/cand refs && ! grep -q refs/sg/rejected refs &&
	sg status --json >out && ask "
import os
want = sum(g[\"payload\"] for g in v[\"stack\"])
pack = sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(\"copy/.sg/registry.git/objects\") for f in fs)
assert 0 < want < pack < want + 100000, (want, pack)"
'
t 'defect 17: a suite that fails, stops or says nothing is not green' '
	mkdir -p s/tests/t s/tests/lint && cp "$SG_TOP/tests/run.sh" s/tests && : >s/none && run_ () { SG=/bin/true SG_TESTS=/none sh s/tests/run.sh tests/t; } &&
	echo "echo ok 1 - x; echo 1..1" >s/tests/t/a.sh && run_ >log && grep -q "^1 passed, 0 failed" log &&
	for i in "echo not ok 1 - x; echo 1..1" "echo ok 1 - x" "echo ok 1 - x; echo 1..2" "echo ok 1 - x; echo 1..1; exit 3"; do
		echo "$i" >s/tests/t/b.sh && fails_with 1 run_ >log && grep -q ", 1 failed" log || return 1
	done
'
t 'defect 18: a thing has the name that its commit gives it' '
	sg train --type lora --rank 2 --name one.name --seed 9 $fast -q && sg show one.name --json >out && commit=$(json commit <out) &&
	git_ log -1 --format=%s $commit | grep -q "one.name" && is "$(json training recipe name <out)" one.name &&
	sg train --type lora --rank 2 --name other.name --seed 9 $fast -q && sg show "$(json id <out)" --json >out && is "$(json name <out)" one.name
'
t 'defect 19: no clock in a verdict' '
	cp -r .sg kept && judge look2 && cp out one && receipt look2 "print(v[\"sets\"], v[\"gates\"])" >r1 && rm -rf .sg && mv kept .sg &&
	was=$GIT_COMMITTER_DATE && GIT_COMMITTER_DATE="1800000000 +0000" && judge look2 --threads 1; GIT_COMMITTER_DATE=$was
	same one out && receipt look2 "print(v[\"sets\"], v[\"gates\"])" >r2 && same r1 r2 && sg show look2 --json >out && ask "
assert v[\"judged\"][0][\"time\"] == 1800000000"
'
t 'defect 20: another seed is another start and another order, the same seed the same' '
	for i in 1 2 3 1; do sg train --type lora --rank 2 --name seed$i --seed $((40 + i)) $fast --json | python3 -c "
import json, sys
v = json.load(sys.stdin)
print(v[\"graft\"], v[\"first_loss\"], v[\"last_loss\"])"; done >runs && is "$(sort -u runs | wc -l)" 3 && is "$(cut -d" " -f2 runs | sort -u | wc -l)" 3
'
t 'defect 21: one evaluator: what a gate says is what eval says' '
	judge look1 && sg eval held --window 32 --json >e0 && sg eval held --window 32 --cand look1 --json >e1 && receipt look1 "
import json
s = [s for s in v[\"sets\"] if s[\"name\"] == \"held\"][0]
import struct
for f, k in ((\"e0\", \"parent\"), (\"e1\", \"cand\")):
    x = [x for x, in struct.iter_unpack(\"<d\", s[k])]
    line, = json.load(open(f))[\"lines\"]
    total = 0.0
    for d in x: total += d
    assert total == line[\"nats\"], (k, total, line)"
'
t 'defect 22: a run and a search that were stopped come to the same end' '
	sg train --type lora --rank 2 --name whole --steps 400 --batch 4 --seq 32 --seed 77 --json >out && id=$(json graft <out | cut -c1-16) && git_ update-ref -d refs/sg/cand/$id &&
	{ "$SG" train --type lora --rank 2 --name whole --steps 400 --batch 4 --seq 32 --seed 77 --save-every 5 -q & } && pid=$! &&
	for i in $(seq 1000); do [ -e .sg/jobs/*.state ] && break; sleep 0.005; done && kill -9 $pid && ! wait $pid && sg train --resume -q && git_ rev-parse -q --verify refs/sg/cand/$id &&
	search="--type lora --rank 2 --name s --stages 1 --probes 3 --probe-steps 5 --top 1 --steps 30 --batch 4 --seq 32 --lr 0.02 --samples 4" && cp -r .sg kept &&
	sg grow $search -q; sg status --json | json state >a && rm -rf .sg && mv kept .sg && { "$SG" grow $search -q & } && pid=$! &&
	for i in $(seq 1000); do git_ for-each-ref --format="%(contents:subject)" refs/sg/cand | grep -q "s.1p1" && break; sleep 0.005; done && kill -9 $pid; wait $pid
	find .sg -name "*.lock" -exec touch -d "20 seconds ago" {} +; sg grow $search -q; sg status --json | json state >b && same a b && grep -q . a
'
done_
