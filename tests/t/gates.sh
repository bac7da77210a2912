# The gates that measure more than losses: what they say, that a clone measures the same
# bits again, and that a probe somebody changed is found.
. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
have python3 || { skip python3 'gates'; done_; }
gate () { json gates <out | python3 -c '
import json, sys
for g in json.load(sys.stdin):
    if g["gate"] == sys.argv[1]: print(g["set"], g["verdict"], g[sys.argv[2]], sep="|")' "$@"; }

grow_registry && awk 'BEGIN { for (i = 1; i <= 150; i++) print "an old saying, number " i ", that is kept " i * i % 83 }' >old.txt &&
	awk 'BEGIN { for (i = 1; i <= 40; i++) print "line " i " of a text that tells " 200 + i * i % 71 }' >never.txt &&
	sg data add old -q --role retain --split line old.txt && sg policy set gate.retention.max-increase 9 -q &&
	sg train --type layer --name first $fast -q && sg policy set gate.retention.min-docs 50 -q && sg accept first -q || exit 1
for g in drift conflict control degenerate; do sg policy set gate.$g.enabled true -q || exit 1; done
sg policy set gate.degenerate.docs 40 -q && sg policy set gate.degenerate.tokens 24 -q || exit 1
sg train --type layer --name second $fast -q || exit 1

t 'each of them speaks' '
	{ sg validate second --json >out; [ $? -le 1 ]; } && for g in drift conflict control degenerate; do [ "$(gate $g verdict)" ] || { echo $g; return 1; }; done &&
	gate drift set | grep -q "^old/drift" && gate conflict set | grep -q "^held/[0-9a-f]\{16\}|" && gate control set | grep -q "^held/shuffled" &&
	gate degenerate set | grep -q "^held/greedy"
'
t 'the divergence is positive, and the limit decides' '
	gate drift mean | awk -F"|" "{ exit !(\$3 > 0.00001 && \$3 < 1) }" && sg policy set gate.drift.max-kl 5 -q && { sg validate second --json >out; [ $? -le 1 ]; } &&
	gate drift verdict | grep -q "|accept|" && sg policy set gate.drift.max-kl 0.000001 -q && fails_with 1 sg validate second --json >out &&
	gate drift verdict | grep -q "|reject|"
'
t 'a safety set that came after the report is measured before an accept' '
	cp -r .sg kept && sg policy set gate.drift.max-kl 5 -q && sg policy set gate.conflict.max-interaction 5 -q && sg policy set gate.degenerate.max-repeat 1 -q &&
	sg policy set gate.safety.max-drop 0.000001 -q && sg validate -q second && sg data add never -q --role safety --split line never.txt &&
	head=$(git_ rev-parse main) && fails_with 1 sg accept second --json >out && gate safety verdict | grep -q "^never|reject|" && is "$(git_ rev-parse main)" $head
	rc=$?
	rm -rf .sg && mv kept .sg && return $rc
'
t 'a safety set: what must not be learnt' '
	sg data add never -q --role safety --split line never.txt && sg policy set gate.drift.max-kl 5 -q && sg policy set gate.conflict.max-interaction 5 -q &&
	sg policy set gate.degenerate.max-repeat 1 -q && sg policy set gate.safety.max-drop 0.000001 -q && fails_with 1 sg validate second --json >out &&
	gate safety verdict | grep -q "^never|reject|" && sg policy set gate.safety.max-drop 9 -q && sg validate second --json >out && gate safety verdict | grep -q "^never|accept|"
'
t 'a program decides, if this machine names one' '
	sg policy set gate.exec.enabled true -q && fails_with 1 sg validate second --json >out && gate exec verdict | grep -q "^|defer|" &&
	sg config gate.exec.command "cat >$here/asked; exit 1" && fails_with 1 sg validate second --json >out && gate exec verdict | grep -q "^program/exec|reject|" &&
	is "$(json graft <"$here/asked")" "$(json graft <out)" && is "$(json sets 0 name <"$here/asked")" held &&
	sg config gate.exec.command "exit 7" && fails_with 1 sg validate second --json >out && gate exec verdict | grep -q "|defer|" &&
	sg policy set gate.exec.model true -q && sg config gate.exec.command "test -s \"\$(python3 -c \"import json, sys; print(json.load(sys.stdin)[\\\"model\\\"])\")\"/model.safetensors" &&
	sg validate second --json >out && gate exec verdict | grep -q "|accept|" && is "$(ls .sg/tmp)" ""
'
t 'trained on what judges it' '
	sg policy set gate.contamination.enabled true -q && sg validate second --json >out && gate contamination verdict | grep -q "^held/ngrams|accept|"
'
t 'canaries and controls' '
	awk "BEGIN { for (i = 1; i <= 40; i++) print \"a control with number \" i * i % 67 + 300 }" >control.txt && sg data add control -q --role safety --split line control.txt &&
	sg policy set gate.canary.set never -q && sg policy set gate.canary.control control -q && sg policy set gate.canary.enabled true -q &&
	fails_with 1 sg validate second --json >out && gate canary mean | grep -q "|reject|" && gate canary mean | awk -F"|" "{ exit !(\$3 > 0.75) }" &&
	sg policy set gate.canary.control never -q && sg validate second --json >out && gate canary mean | grep -q "|accept|0.5"
'
t 'accepted, and measured again with the same bits' '
	sg accept second -q && git_ cat-file -p main:grafts/$(sg status --json | json stack 1 id | cut -c1-16)/receipt.mp | grep -q probes &&
	sg verify --replay >out && grep -q "same bits" out
'
t 'a probe that somebody changed is found' '
	id=$(sg status --json | json stack 1 id | cut -c1-16) && git_ cat-file -p main:grafts/$id/receipt.mp >r.mp && cp -r .sg was &&
	python3 - <<END &&
b = bytearray(open("r.mp", "rb").read())
k = b.index(b"old/drift")
k = b.index(b"cand", k) + 20
b[k] ^= 1
open("r2.mp", "wb").write(b)
END
	blob=$(git_ hash-object -w r2.mp) && git_ read-tree main && git_ update-index --cacheinfo 100644,$blob,grafts/$id/receipt.mp &&
	git_ update-ref refs/heads/main $(git_ show -s --format=%B main | git_ commit-tree -p main^1 -p main^2 $(git_ write-tree)) &&
	fails_with 1 sg verify >out
	rc=$?
	rm -rf .sg && mv was .sg && return $rc
'
done_
