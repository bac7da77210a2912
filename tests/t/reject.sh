. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }

grow_registry && sg train --type layer --name first $fast -q && sg validate first -q || exit 1
t 'reject moves a candidate aside, receipt and all' '
	git_ rev-parse main >was && id=$(git_ for-each-ref --format="%(refname:lstrip=3)" refs/sg/cand) &&
	sg reject first -m "why not" >out && grep -q "^rejected $id" out &&
	is "$(git_ for-each-ref refs/sg/cand)" "" &&
	git_ show -s --format=%B refs/sg/rejected/$id | grep -q "^why not" &&
	git_ cat-file -e refs/sg/rejected/$id:grafts/$id/graft.json &&
	git_ for-each-ref refs/sg/report | grep -q . &&
	git_ rev-parse main >now && same was now
'
t 'not twice, but over to deferred and back' '
	fails_with 128 sg reject first 2>err && grep -q "there already" err && is "$(wc -l <err)" 1 &&
	sg defer first -q && git_ for-each-ref refs/sg/deferred | grep -q . && sg reject first -q
'
t 'it can still be accepted; an active one is no candidate' '
	sg accept first -q && fails_with 1 sg reject first 2>err && grep -q "revert" err
'
t 'wrong usage' '
	fails_with 129 sg reject && fails_with 128 sg reject nothing 2>err && is "$(wc -l <err)" 1
'
if have python3; then
t 'reject --json' '
	sg train --type lora --name second $fast -q && sg reject second --json >out &&
	is "$(json ref <out)" "refs/sg/rejected/$(json graft <out | cut -c1-16)"
'
else
skip python3 'reject --json'
fi
done_
