. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }

grow_registry && sg train --type layer --name first $fast -q && sg accept first -q &&
	sg train --type lora --name wait --rank 4 $fast -q || exit 1
id16=$(git_ ls-tree --name-only main grafts/ | sed 's,grafts/,,')

t 'an active graft: what it is, how it was trained, what let it in' '
	sg show first >out && grep -q "^graft $id16.* first$" out && grep -q "^where  *active" out && grep -q "^sites  *slot.0" out &&
	grep -q "^steps  *12$" out && grep -q "^curve  *[▁▂▃▄▅▆▇█]*$" out && grep -q "^accepted in .*: accept$" out &&
	grep -qE "quality +held .* gain \+.* n=210 +accept" out && grep -q "^report .*: accept, as above" out && grep -q "^  policy .*window 32" out
'
t 'by id, by its beginning, by name' '
	sg show first >a && sg show $id16 >b && sg show $(echo $id16 | cut -c1-6) >c && same a b && same a c
'
t 'a candidate, its hyperparameters and tensors' '
	sg show wait --tensors >out && grep -q "^where  *candidate" out && grep -q "rank=4" out && grep -qE "attn\.q\.A +F32 +4x32" out &&
	grep -q "^requires  *$id16" out && ! grep -q "^accepted" out && sg validate wait -q; sg show wait >out && grep -q "^report" out
'
t 'deferred, rejected, and gone from the stack' '
	sg defer wait -q && sg show wait >out && grep -q "^where  *deferred" out && sg reject wait -q && sg show wait >out && grep -q "^where  *rejected" out &&
	sg revert first --force -q && sg show first >out && grep -q "^where  *past" out && grep -q "^accepted in" out
'
t 'the manifest is what its id hashes, and what git has' '
	sg show --manifest first >out && is "$(sha256sum <out | cut -c1-16)" $id16 && git_ show main~1:grafts/$id16/graft.json >want && same out want
'
t 'a commit, and what it changed' '
	sg show HEAD~1 >out && grep -q "^commit $(git_ rev-parse main~1)" out && grep -q "^+ graft $id16 first (layer) on slot.0" out &&
	sg show HEAD >out && grep -q "^- graft $id16" out && sg show >b && same out b &&
	sg show HEAD~2 >out && grep -q "^+ data held accept " out && sg show "$(git_ rev-list --max-parents=0 main)" >out && grep -q "init: substrate" out
'
t 'a graft goes before a branch of its name' '
	git_ branch first main && sg show first >out && grep -q "^graft" out && sg show heads/first >out && grep -q "^commit" out && git_ branch -D first
'
t 'nothing of that name: one line, exit 128; usage' '
	fails_with 128 sg show nothing 2>err && is "$(cat err)" "sg show: no graft and no revision '"'nothing'"'" &&
	fails_with 129 sg show a b && fails_with 129 sg show --manifest HEAD
'
if have python3; then
t '--json of both' '
	sg show first --json >out && is "$(json kind <out)" graft && is "$(json where <out)" past && is "$(json training recipe steps <out)" 12 &&
	is "$(json judged 0 accepted <out)" true && is "$(json judged 0 gates 0 docs <out)" 210 && is "$(json tensors 0 dtype <out)" F32 &&
	python3 -c "
import json
v = json.load(open(\"out\"))
a, t, g = v[\"accounting\"], v[\"training\"], v[\"judged\"][0][\"gates\"][0]
assert a[\"set\"] == g[\"set\"] and a[\"gain\"] == -g[\"mean\"] and a[\"gain_lower\"] == -g[\"upper\"], a
assert a[\"parameters\"] == v[\"parameters\"] and a[\"payload\"] == v[\"payload\"] and a[\"tokens\"] == t[\"tokens\"] and a[\"seconds\"] == t[\"seconds\"], a
for k, n in ((\"parameter\", \"parameters\"), (\"byte\", \"payload\"), (\"second\", \"seconds\"), (\"token\", \"tokens\")):
    assert abs(a[\"gain_per_\" + k] * a[n] - a[\"gain\"]) < 1e-9, (k, a)" &&
	sg show HEAD --json >out && is "$(json kind <out)" commit && is "$(json step op <out)" revert && is "$(json changes grafts 0 side <out)" a
'
else
skip python3 '--json of both'
fi
t 'a damaged receipt of a report is shown as that' '
	blob=$(echo junk | git_ hash-object -w --stdin) && ref=$(git_ for-each-ref --format="%(refname)" refs/sg/report | grep $id16) &&
	GIT_INDEX_FILE=$PWD/index git_ read-tree $ref && GIT_INDEX_FILE=$PWD/index git_ update-index --cacheinfo 100644,$blob,receipt.mp &&
	git_ update-ref $ref $(git_ commit-tree -p $ref -m report $(GIT_INDEX_FILE=$PWD/index git_ write-tree)) &&
	sg show first >out && grep -q "its receipt cannot be read" out && sg show first --json >out && test -s out
'
done_
