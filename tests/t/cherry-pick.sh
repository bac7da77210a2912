. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
grow () { sg train -q --name "$@" $fast --accept; }
id_of () { git_ log --all --format='%(trailers:key=Sg-Graft,valueonly)' --grep="^accept $1" -1 | sed 's/^sha256://'; }

grow_registry && sg branch dev && sg checkout -q dev && grow root --type layer && grow inside --type lora --sites 'grown.*.mlp.*' --rank 2 &&
	sg checkout -q main && was=$(git_ rev-parse main) || exit 1
root=$(id_of root) inside=$(id_of inside)

t 'a graft of another line is judged on this stack and taken in' '
	sg cherry-pick root -m "It fits." >out && grep -q "^quality *held .* accept" out && tail -1 out | grep -q "^picked root ([0-9a-f]*) from $(git_ rev-parse dev~ | cut -c1-10)" &&
	is "$(git_ ls-tree --name-only main:grafts)" "$(echo $root | cut -c1-16)" && is "$(git_ rev-list --parents -1 main | wc -w)" 2 &&
	git_ show -s --format=%B main >msg && grep -q "^cherry-pick root: held" msg && grep -q "^It fits" msg && grep -q "^(cherry picked from commit $(git_ rev-parse dev~))" msg &&
	grep -q "^Sg-Op: cherry-pick" msg && grep -q "^Sg-Picked: $(git_ rev-parse dev~)" msg && sg verify --replay -q && git_ fsck --strict
'
t 'it is there once: a second pick is refused, a merge brings only the rest' '
	fails_with 128 sg cherry-pick root 2>err && grep -q "active already" err && fails_with 128 sg cherry-pick dev~ 2>err && grep -q "active already" err &&
	sg merge dev >out && ! grep -q "in    root" out && grep -q "in    inside" out && sg verify -q && git_ update-ref refs/heads/main $was
'
t 'what it requires must be there, or be picked too, in any order' '
	fails_with 1 sg cherry-pick inside 2>err && grep -q "requires graft [0-9a-f]*, which is not active here; pick that one too" err &&
	is "$(git_ rev-parse main)" $was && sg cherry-pick inside dev~ >out && is "$(grep -c "^picked" out)" 2 && grep "^picked" out | head -1 | grep -q root &&
	is "$(git_ rev-list --count $was..main)" 2 && is "$(git_ show -s --format="%(trailers:key=Sg-State,valueonly)" main)" "$(git_ show -s --format="%(trailers:key=Sg-State,valueonly)" dev)" &&
	sg verify -q && sg revert inside -q --force && sg accept inside -q && sg verify -q && git_ update-ref refs/heads/main $was
'
t 'by the commit that accepted it, and by the beginning of an id' '
	sg cherry-pick dev~ -q && git_ update-ref refs/heads/main $was && sg cherry-pick $(echo $root | cut -c1-8) -q && sg log --oneline -n 1 | grep -q "cherry-pick .* root" &&
	sg show root | grep -q active && git_ update-ref refs/heads/main $was
'
t 'one that was reverted over there is found too' '
	git_ branch gone dev && sg checkout -q gone && sg revert --force inside -q && git_ branch -D dev && sg checkout -q main && sg cherry-pick inside root -q &&
	git_ branch dev gone~ && git_ branch -D gone && git_ update-ref refs/heads/main $was
'
t 'a gate that says no: nothing changes, the receipt is kept' '
	sg policy set gate.quality.min-gain 50 -q && was2=$(git_ rev-parse main) && fails_with 1 sg cherry-pick root inside >out && grep -q "^quality .* reject" out &&
	tail -1 out | grep -q "^not picked: root" && ! grep -q inside out && is "$(git_ rev-parse main)" $was2 &&
	git_ for-each-ref --format="%(subject)" refs/sg/report | grep -q "report root: reject" && git_ update-ref refs/heads/main $was
'
t 'what is no graft of another line' '
	fails_with 128 sg cherry-pick nothing 2>err && grep -q "neither a graft" err && fails_with 1 sg cherry-pick main 2>err && grep -q "took no graft in" err &&
	sg train -q --name wait --type layer $fast --seed 3 && fails_with 1 sg cherry-pick wait 2>err && grep -q "waits as a candidate" err &&
	fails_with 129 sg cherry-pick
'
if have python3; then
t 'cherry-pick --json' '
	sg cherry-pick --json inside root >out && is "$(json 0 name <out)" root && is "$(json 1 commit <out)" "$(git_ rev-parse main)" &&
	is "$(json 0 from <out)" "$(git_ rev-parse dev~)" && is "$(json 1 verdict <out)" accept && is "$(json 1 graft <out)" $inside
'
else
skip python3 'cherry-pick --json'
fi
done_
