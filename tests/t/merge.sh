. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
grow () { sg train -q --name "$@" $fast --accept; }
attn="--type lora --sites grown.*.attn.* --rank 2"
mlp="--type lora --sites grown.*.mlp.* --rank 2"
state () { git_ show -s --format='%(trailers:key=Sg-State,valueonly)' "$1"; }
unmoved () { is "$(git_ rev-parse main)" "$was"; }

grow_registry && sg policy set gate.quality.correct-uses false -q && grow root --type layer && sg branch dev && sg checkout -q dev && grow theirs $mlp &&
	sg checkout -q main && sg branch old && was=$(git_ rev-parse main) || exit 1

t 'a line that did nothing moves forward; one that has all stays' '
	sg merge -n dev >out && grep -q "^would move forward to dev" out && unmoved &&
	sg merge --ff-only dev >out && grep -q "^moved forward to dev" out && is "$(git_ rev-parse main)" "$(git_ rev-parse dev)" &&
	git_ reflog main -1 | grep -q "merge dev: fast-forward" &&
	sg merge dev >out && grep -q "^already up to date" out && sg merge old >out && grep -q "^already up to date" out &&
	git_ update-ref refs/heads/main $was
'
t '--no-ff judges the composition once more' '
	sg merge --no-ff dev >out && grep -q "^quality *held .* accept" out && is "$(git_ rev-parse main^2)" "$(git_ rev-parse dev)" &&
	is "$(state main)" "$(state dev)" && sg verify >out && git_ update-ref refs/heads/main $was
'
grow ours $attn && was=$(git_ rev-parse main) || exit 1
t '--dry-run says what would come, and measures and changes nothing' '
	sg merge -n dev >out && grep -q "^  in    theirs ([0-9a-f]\{16\}) lora on 3 sites$" out && grep -q "^would merge dev, state" out &&
	! grep -q quality out && unmoved && fails_with 1 sg merge --ff-only dev && unmoved
'
t 'disjoint sites: the union, judged against this line, with its receipt' '
	sg merge dev -m "Two halves." >out && grep -q "^quality *held .* accept" out && tail -1 out | grep -q "^merged dev, state" &&
	is "$(git_ rev-parse main^1 main^2)" "$was
$(git_ rev-parse dev)" && is "$(git_ ls-tree --name-only main:grafts | wc -l)" 3 &&
	git_ show -s --format=%B main >msg && grep -q "^merge dev: held [0-9.]* -> [0-9.]*$" msg && grep -q "^Two halves" msg &&
	grep -q "^takes in [0-9a-f]* theirs" msg && grep -q "^Sg-Op: merge" msg && is "$(grep -c ^Sg-Graft: msg)" 1 &&
	grep -q "^Sg-Gate: pass" msg && s=$(state main) && s=${s#sha256:} && s=$(echo $s | cut -c1-16) &&
	git_ cat-file -e main:merged/$s.mp && git_ cat-file -e main:merged/$s.json && git_ fsck --strict
'
t 'stock git would have made the same grafts' '
	tree=$(git_ merge-tree --write-tree $was dev 2>/dev/null | head -1)
	[ -z "$tree" ] || is "$(git_ rev-parse $tree:grafts)" "$(git_ rev-parse main:grafts)"
'
t 'verify proves the merge, and its receipt replays' '
	sg verify --replay >out && grep -q "4 with the same bits" out && grep -q "^ok .* merge dev" out
'
t 'the same merge the other way round is the same composition' '
	sg checkout -q dev && d=$(git_ rev-parse dev) && sg merge $was -q && is "$(state dev)" "$(state main)" &&
	sg verify -q && git_ update-ref refs/heads/dev $d && sg checkout -q main
'
t 'what a merge brought can be reverted, and a second merge does not bring it back' '
	sg revert --force theirs -q && sg merge dev >out && grep -q "^already up to date" out &&
	sg accept theirs -q && sg verify -q && git_ update-ref refs/heads/main $was
'
t 'a merge that the gates refuse changes nothing, and is remembered' '
	sg policy set gate.quality.min-gain 0.05 -q && was2=$(git_ rev-parse main) &&
	fails_with 1 sg merge dev >out && grep -q "^quality *held .* reject" out && tail -1 out | grep -q "^not merged: dev" &&
	is "$(git_ rev-parse main)" $was2 && git_ for-each-ref refs/sg/report --format="%(subject)" | grep -q "^report dev: reject" &&
	sg fsck -q && sg merge --force dev -q && git_ show -s --format=%B main | grep -q "^Sg-Gate: fail" && sg verify -q &&
	git_ update-ref refs/heads/main $was
'
t 'each merge is a use of the set' '
	git_ for-each-ref refs/sg/report >refs && sg policy set gate.quality.max-uses 1 -q && fails_with 1 sg merge dev >out &&
	grep -q "was used [0-9]* times, 1 are allowed" out && git_ update-ref refs/heads/main $was
'
git_ branch rival dev~1 && sg checkout -q rival && grow rival $attn --seed 9 && sg checkout -q main || exit 1
t 'the same sites on both: listed, nothing changed' '
	fails_with 1 sg merge rival >out && grep -q "^conflict site: graft [0-9a-f]* of this line and graft [0-9a-f]* of the other stand at .* and at 3 more" out &&
	tail -1 out | grep -q "^not merged: 1 conflict to decide" && unmoved
'
t '--ours leaves theirs, --theirs takes ours out, --both keeps the two' '
	sg merge --ours rival >out && grep -q "^  left  rival" out && is "$(state main)" "$(state $was)" && sg verify -q &&
	sg merge rival >out && grep -q "up to date" out && git_ update-ref refs/heads/main $was &&
	sg merge --force --theirs rival >out && grep -q "^  out   ours" out && grep -q "^  in    rival" out && is "$(state main)" "$(state rival)" &&
	git_ show -s --format=%B main | grep -q "^Sg-Removed: sha256:" && sg verify -q && git_ update-ref refs/heads/main $was &&
	sg merge --force --both rival >out && grep -q "^quality" out && is "$(git_ ls-tree --name-only main:grafts | wc -l)" 3 &&
	sg verify -q && git_ update-ref refs/heads/main $was
'
git_ branch bare dev~1 && sg checkout -q bare && sg revert --force root -q && sg checkout -q main || exit 1
t 'one line took out what a graft of the other requires' '
	fails_with 1 sg merge bare >out && grep -q "^conflict requires: graft [0-9a-f]* of this line requires graft [0-9a-f]*, which the other line took out" out && unmoved &&
	sg merge --ours bare -q && is "$(state main)" "$(state $was)" && git_ update-ref refs/heads/main $was &&
	sg merge --theirs --force bare -q && is "$(git_ ls-tree main grafts)" "" && sg verify -q && git_ update-ref refs/heads/main $was &&
	sg checkout -q bare && b=$(git_ rev-parse bare) && fails_with 1 sg merge main >out && grep -q "of the other line requires .* this line took out" out &&
	sg merge --both main -q && is "$(state bare)" "$(state $was)" && fails_with 128 git_ cat-file -e bare:reverted && sg verify -q &&
	git_ update-ref refs/heads/bare $b && sg checkout -q main
'
t 'a policy that both changed, and a set' '
	git_ branch pol dev~1 && sg checkout -q pol && sg policy set gate.quality.alpha 0.01 -q && head -230 book.txt >a.txt && tail -5 book.txt >b.txt &&
	sed "s/^/new /" a.txt >a2.txt && sed "s/^/new /" b.txt >b2.txt && sg data add extra -q --role retain --split line a2.txt && sg data add one -q --role retain --split line b2.txt &&
	sg checkout -q main && sg merge pol -q && grep -q . .sg/registry.git/HEAD && is "$(sg policy get gate.quality.alpha)" 0.01 &&
	is "$(state main)" "$(state $was)" && git_ cat-file -e main:data/extra.docs && sg verify -q && git_ update-ref refs/heads/main $was &&
	sg policy set gate.quality.alpha 0.02 -q && sg data add extra -q --role retain --split line b2.txt && sg data add two -q --role train --split line b2.txt 2>/dev/null
	git_ rev-parse main >now && fails_with 1 sg merge pol >out && grep -q "^conflict policy: " out && grep -q "^conflict data: data set .extra." out &&
	fails_with 1 sg merge --both pol >out && sg merge --theirs pol -q && is "$(sg policy get gate.quality.alpha)" 0.01 && sg verify -q &&
	git_ update-ref refs/heads/main $was
'
t 'a document may not get two roles by a merge' '
	sg data add two -q --role train --split line b2.txt && fails_with 1 sg merge pol >out && grep -q "^conflict role: 5 documents stand in .two. (train)" out &&
	sg merge --ours pol -q && ! git_ cat-file -e main:data/one.json 2>/dev/null && sg data check && sg verify -q && git_ update-ref refs/heads/main $was
'
t 'a candidate of another line, accepted here, does not bring that line along' '
	sg checkout -q dev && d=$(git_ rev-parse dev) && sg train -q --name late --type lora --sites "grown.*.attn.q" --rank 1 $fast && sg checkout -q main &&
	sg policy set gate.quality.enabled false -q && sg accept late -q && sg merge dev -q && git_ ls-tree --name-only main:grafts >all && is "$(wc -l <all)" 4 && sg verify -q &&
	git_ update-ref refs/heads/main $was
'
t 'a line with another base is refused' '
	git_ branch new dev && sg checkout -q new && sg consolidate --structural --force -q && sg checkout -q main &&
	fails_with 1 sg merge new 2>err && grep -q "different bases" err && unmoved
'
t 'wrong usage; what no gate let in' '
	fails_with 129 sg merge && fails_with 129 sg merge --ours --both dev && fails_with 129 sg merge --no-ff --ff-only dev && fails_with 128 sg merge nothing &&
	sg train -q --name wait $mlp $fast --seed 3 && c=$(git_ for-each-ref refs/sg/cand --format="%(refname)" | head -1) &&
	fails_with 1 sg merge $c 2>err && grep -q "no gate let in" err
'
t 'a write that fails leaves the line as it was' '
	i=1
	while [ $i -lt 40 ]; do
		SG_FAIL_WRITE=$i sg merge dev -q 2>err && break
		unmoved && git_ fsck --strict || return 1
		i=$((i + 1))
	done
	[ $i -gt 1 ] && [ $i -lt 40 ] && git_ update-ref refs/heads/main $was
'
if have python3; then
t 'merge --json' '
	sg merge -n --json dev >out && is "$(json result <out)" merged && is "$(json commit <out)" null && is "$(json grafts 0 what <out)" in &&
	fails_with 1 sg merge --json rival >out && is "$(json result <out)" conflict && is "$(json conflicts 0 kind <out)" site &&
	is "$(json state <out)" null && sg merge --json dev >out && is "$(json commit <out)" "$(git_ rev-parse main)" &&
	is "$(json measured <out)" true && is "$(json gates 0 gate <out)" quality && is "$(json grafts 0 name <out)" theirs
'
else
skip python3 'merge --json'
fi
done_
