. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }

grow_registry || exit 1
t 'a new branch, and back: only HEAD moves' '
	git_ for-each-ref >was && sg checkout -b trial >out && is "$(cat out)" "now on branch trial" && is "$(git_ symbolic-ref HEAD)" refs/heads/trial &&
	sg checkout main >out && is "$(cat out)" "now on branch main" && is "$(git_ symbolic-ref HEAD)" refs/heads/main &&
	git_ for-each-ref | grep -v trial >now && same was now && sg checkout main >out && is "$(cat out)" "already on branch main"
'
t 'at a revision' '
	sg checkout -q -b old HEAD~1 && is "$(git_ rev-parse HEAD)" "$(git_ rev-parse main~1)" && sg checkout -q main
'
t 'growth goes to the branch that HEAD names' '
	was=$(git_ rev-parse main) && sg checkout -q trial && sg train --type layer --name first $fast -q && sg accept first -q &&
	is "$(git_ rev-parse main)" $was && is "$(git_ rev-parse trial^1)" $was && sg status | grep -q "1 graft," && sg checkout -q main && sg status | grep -q "0 grafts"
'
if [ -r /proc/self/io ]; then
# What this shell and the commands that it waited for wrote, in bytes.
written () { sed -n 's/^wchar: //p' /proc/$$/io; }
t 'any commit, back and forth: no weight is copied' '
	sg checkout -q trial && sg train --type layer --name heavy --seed 3 $fast -q && sg accept -q heavy && sg checkout -q main &&
	weights=$(git_ ls-tree -rl trial grafts/ | awk "{ n += \$4 } END { print n }") && [ $weights -gt 100000 ] &&
	size=$(git_ cat-file --batch-check="%(objectname)" --batch-all-objects | wc -l) && a=$(written) &&
	sg checkout -q trial && sg checkout -q -b past trial~1 && sg checkout -q - && sg checkout -q main && b=$(written) &&
	echo "$((b - a)) bytes written, $weights bytes of weights" && [ $((b - a)) -lt 8000 ] &&
	is "$(git_ cat-file --batch-check="%(objectname)" --batch-all-objects | wc -l)" $size && git_ branch -q -D past
'
else
skip /proc 'any commit, back and forth: no weight is copied'
fi
t 'what is not there: one line, nothing moves' '
	fails_with 128 sg checkout nothing 2>err && is "$(wc -l <err)" 1 && grep -q "no branch .nothing." err &&
	fails_with 128 sg checkout main~1 2>err && grep -q "is a commit and no branch; .sg checkout -b NEW main~1." err && fails_with 128 sg checkout -b trial && fails_with 129 sg checkout -b "a..b" && fails_with 129 sg checkout && fails_with 129 sg checkout main trial &&
	fails_with 129 sg checkout HEAD && is "$(git_ symbolic-ref HEAD)" refs/heads/main
'
t 'a branch that one remote has is made; two must be told apart' '
	git_ update-ref refs/remotes/origin/far main~1 && sg checkout -q far && is "$(git_ rev-parse refs/heads/far)" "$(git_ rev-parse main~1)" &&
	git_ update-ref refs/remotes/a/both main && git_ update-ref refs/remotes/b/both main &&
	fails_with 128 sg checkout both 2>err && grep -q "2 remotes" err && sg checkout -q -b both a/both && sg checkout -q main
'
t 'from a detached HEAD' '
	git_ update-ref --no-deref HEAD main~1 && sg checkout -q main && is "$(git_ symbolic-ref HEAD)" refs/heads/main
'
t 'the reflog says so' '
	git_ reflog HEAD >out; ! test -s out || grep -q "checkout: moving from" out
'
if have python3; then
t '--json' '
	sg checkout --json trial >out && is "$(json on <out)" trial && is "$(json commit <out)" "$(git_ rev-parse trial)"
'
else
skip python3 '--json'
fi
done_
