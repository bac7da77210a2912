. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }

sg init --width 32 -q && a=$(git_ rev-parse main) && sg policy set gate.quality.alpha 0.04 -q && b=$(git_ rev-parse main) &&
	sg policy set gate.quality.alpha 0.03 -q && c=$(git_ rev-parse main) || exit 1

t 'what a branch was, newest first, as stock git lists it' '
	sg reflog main >out && is "$(wc -l <out)" 3 && head -1 out | grep -q "^$(echo $c | cut -c1-10) main@{0}: policy: gate.quality.alpha = 0.03$" &&
	tail -1 out | grep -q "main@{2}: init" && git_ reflog --format="%h %gd: %gs" --abbrev=10 main >want && same want out &&
	is "$(sg reflog -n 1 main | wc -l)" 1 && sg reflog >out && head -1 out | grep -q "HEAD@{0}: policy"
'
t 'main@{n} is a revision for every command' '
	sg log --oneline -n 1 main@{1} | grep -q "$(echo $b | cut -c1-10)" && sg show main@{2} | grep -q $a &&
	{ sg diff main@{2} main >out; grep -q "alpha = 0.03" out; } && sg show HEAD@{1} | grep -q $b && sg show @{1} | grep -q $b && sg show main@{0}~1 | grep -q $b &&
	fails_with 128 sg log main@{3} 2>err && grep -q "only 3 changes of .refs/heads/main. are remembered" err
'
t 'what is none is said in one line' '
	for r in main@{} main@{x} main@{1 main@{-1} @{-9} nothing@{1} main@{99999999999} main@{u} "@{1}x" main@{-}; do
		fails_with 128 sg log "$r" 2>err && is "$(grep -c . err)" 1 || return 1
	done
'
t 'the way back: branch -f, the current one with --current' '
	fails_with 1 sg branch -f main main@{1} 2>err && grep -q "current branch; --current" err && is "$(git_ rev-parse main)" $c &&
	sg branch -f --current main main@{1} >out && grep -q "^moved branch main to $(echo $b | cut -c1-10) (was $(echo $c | cut -c1-10))" out && is "$(git_ rev-parse main)" $b &&
	sg reflog main -n 1 | grep -q "branch: moved to main@{1}" && sg branch -f --current main main@{1} -q && is "$(git_ rev-parse main)" $c
'
t 'branch -f makes one that is not there, and moves one that is not current' '
	sg branch -f other $a && is "$(git_ rev-parse other)" $a && sg branch -f other main~1 >out && is "$(git_ rev-parse other)" $b &&
	sg branch -f other && is "$(git_ rev-parse other)" $c && sg show other@{1} | grep -q $b && fails_with 128 sg branch -f other nothing && fails_with 129 sg branch -f &&
	fails_with 129 sg branch --current other && fails_with 129 sg branch -f "a b"
'
t 'the branch before: checkout -, @{-1}' '
	sg checkout other -q && sg policy set gate.quality.alpha 0.02 -q && sg checkout - >out && grep -q "^now on branch main" out && is "$(git_ symbolic-ref HEAD)" refs/heads/main &&
	sg show @{-1} | grep -q "$(git_ rev-parse other)" && sg checkout - -q && is "$(git_ symbolic-ref HEAD)" refs/heads/other &&
	sg show @{-1} | grep -q $c && sg reflog | head -1 | grep -q "checkout: moving from main to other" && sg checkout main -q
'
t 'a deleted branch comes back by the memory of HEAD' '
	o=$(git_ rev-parse other) && sg branch -d -f other -q && sg reflog >out && k=$(grep -n "alpha = 0.02" out | head -1 | cut -d: -f1) &&
	sg branch other HEAD@{$((k - 1))} && is "$(git_ rev-parse other)" $o
'
t 'a rejected candidate is on its ref, an accepted one in the history; both outlive gc' '
	awk "BEGIN { for (i = 1; i <= 60; i++) print \"line \" i \" of a text\" }" >t.txt && sg data add t -q --role train --split line t.txt &&
	sg train -q --type layer --name no $fast && sg reject no -q && sg show no | grep -q rejected && sg show main@{1} | grep -q $c
'
t 'upstream' '
	sg clone -q . ../copy && (cd ../copy && sg show main@{u} | grep -q "$(git --git-dir=.sg/registry.git rev-parse origin/main)" && sg show @{upstream} -q)
'
t 'wrong usage' '
	fails_with 129 sg reflog a b && fails_with 128 sg reflog nothing 2>err && grep -q "no branch .nothing." err
'
if have python3; then
t 'reflog --json, branch -f --json' '
	sg reflog --json main >out && is "$(json 0 rev <out)" "main@{0}" && is "$(json 0 commit <out)" "$(git_ rev-parse main)" && is "$(json 0 here <out)" true &&
	python3 -c "
import json
l = json.load(open(\"out\"))
assert l[-1][\"old\"] is None and all(x[\"old\"] == y[\"commit\"] for x, y in zip(l, l[1:]))" &&
	sg branch -f other main@{1} --json >out && is "$(json moved <out)" other && is "$(json commit <out)" "$(git_ rev-parse other)"
'
else
skip python3 'reflog --json, branch -f --json'
fi
done_
