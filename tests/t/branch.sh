. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }

grow_registry && sg train --type layer --name first $fast -q || exit 1
t 'list: the current one is marked, stock git agrees' '
	sg branch >out && grep -qE "^\* +main +$(git_ rev-parse main | cut -c1-10) +0 grafts +data: add held" out && is "$(wc -l <out)" 1
'
t 'make: at HEAD, at a revision; HEAD stays' '
	sg branch trial && sg branch old/one HEAD~1 && is "$(git_ rev-parse trial)" "$(git_ rev-parse main)" &&
	is "$(git_ rev-parse old/one)" "$(git_ rev-parse main~1)" && is "$(git_ symbolic-ref HEAD)" refs/heads/main && is "$(sg branch | wc -l)" 3
'
t 'a name that is taken, or none: one line, nothing changes' '
	git_ for-each-ref >was && fails_with 128 sg branch trial 2>err && grep -q "already" err && is "$(wc -l <err)" 1 &&
	for x in "" "a b" "a..b" "a~1" "x.lock" "/x" "x/" HEAD "a^{}" ".x" "@{" "$(printf "a\033[1m")"; do
		fails_with 129 sg branch "$x" 2>err || return 1
		LC_ALL=C grep -q "$(printf "\033")" err && return 1
	done; fails_with 129 sg branch -- -x && fails_with 128 sg branch new nothing && git_ for-each-ref >now && same was now
'
t 'a candidate is no line of growth' '
	ref=$(git_ for-each-ref --format="%(refname)" refs/sg/cand) && fails_with 1 sg branch past "$ref" 2>err && grep -q "no gate let in" err
'
t 'lines grow apart' '
	sg accept first -q && sg branch >out && grep -qE "main .* 1 graft " out && grep -qE "trial .* 0 grafts " out
'
t 'delete: not the current one, not what nothing else holds' '
	fails_with 1 sg branch -d main 2>err && grep -q "current branch" err && sg branch -d trial >out && grep -q "^deleted branch trial (was " out &&
	! git_ rev-parse -q --verify trial && sg checkout -q old/one && fails_with 1 sg branch -d main 2>err && grep -q "no other branch or tag" err &&
	was=$(git_ rev-parse main) && sg branch -d -f main && sg branch main $was && sg checkout -q main &&
	git_ tag keep && sg checkout -q old/one && sg branch -d main -q && git_ branch main keep && sg checkout -q main &&
	fails_with 128 sg branch -d nothing && fails_with 129 sg branch -f && fails_with 129 sg branch -d
'
t 'branches of remotes when asked' '
	git_ update-ref refs/remotes/origin/far main && ! sg branch | grep -q far && sg branch -a | grep -q "origin/far" && fails_with 129 sg branch -a x
'
if have python3; then
t '--json' '
	sg branch --json >out && is "$(json 0 name <out)" main && is "$(json 0 current <out)" true && is "$(json 0 grafts <out)" 1 &&
	is "$(json 1 name <out)" old/one && sg branch --json new >out && is "$(json made <out)" new && is "$(json commit <out)" "$(git_ rev-parse new)" &&
	sg branch --json -d new >out && is "$(json deleted <out)" new
'
else
skip python3 '--json'
fi
t 'a write that fails leaves the refs as they were' '
	git_ for-each-ref >was
	for i in 1 2 3 4 5; do
		SG_FAIL_WRITE=$i sg branch late 2>err && break
		git_ for-each-ref >now && same was now || return 1
	done; git_ fsck --strict
'
done_
