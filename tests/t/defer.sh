. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }

grow_registry && sg train --type layer --name first $fast -q && sg validate first -q || exit 1
t 'defer moves a candidate aside, receipt and all' '
	git_ rev-parse main >was && id=$(git_ for-each-ref --format="%(refname:lstrip=3)" refs/sg/cand) &&
	sg defer first -m "why not" >out && grep -q "^deferred $id" out &&
	is "$(git_ for-each-ref refs/sg/cand)" "" &&
	git_ show -s --format=%B refs/sg/deferred/$id | grep -q "^why not" &&
	git_ cat-file -e refs/sg/deferred/$id:grafts/$id/graft.json &&
	git_ for-each-ref refs/sg/report | grep -q . &&
	git_ rev-parse main >now && same was now
'
t 'not twice, but over to rejected and back' '
	fails_with 128 sg defer first 2>err && grep -q "there already" err && is "$(wc -l <err)" 1 &&
	sg reject first -q && git_ for-each-ref refs/sg/rejected | grep -q . && sg defer first -q
'
t 'it can still be accepted; an active one is no candidate' '
	sg accept first -q && fails_with 1 sg defer first 2>err && grep -q "revert" err
'
t 'wrong usage' '
	fails_with 129 sg defer && fails_with 128 sg defer nothing 2>err && is "$(wc -l <err)" 1
'
if have python3; then
t 'defer --json' '
	sg train --type lora --name second $fast -q && sg defer second --json >out &&
	is "$(json ref <out)" "refs/sg/deferred/$(json graft <out | cut -c1-16)"
'
else
skip python3 'defer --json'
fi
done_
