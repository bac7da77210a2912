. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
mkdir a && cd a && grow_registry && cd .. && sg clone -q a b && cd b || exit 1
a () { sg -C "$here/work/a" "$@"; }
set_ () { echo "$1" >"$here/$1" && sg -C "$2" data add "$1" -q --role select --split file "$here/$1"; }

t 'forward' '
	set_ one ../a && sg pull >out && grep -q "^  moved .* main$" out && git_ cat-file -e main:data/one.json && sg pull >out && grep -q "^up to date" out
'
t 'ahead is fine' '
	set_ two . && git_ rev-parse main >was && sg pull && git_ rev-parse main >now && same was now
'
t 'both sides grew: nothing moves' '
	set_ three ../a && git_ rev-parse main >was && fails_with 1 sg pull >out && grep -q "^  refused .*both sides grew: 1 commits here, 1 there; .sg merge origin/main. takes" out &&
	git_ rev-parse main >now && same was now && is "$(git_ rev-parse origin/main)" "$(git --git-dir=../a/.sg/registry.git rev-parse main)"
'
t 'a line that took in a candidate from here did not take in what grew here' '
	mkdir "$here/c" && cd "$here/c" && grow_registry && git init -q --bare "$here/r.git" && sg remote add r "$here/r.git" && sg branch dev && sg checkout -q dev && set_ grown . &&
	sg train -q --type layer --name late $fast && sg push -q r dev && sg checkout -q main && sg accept -q late && git_ merge-base --is-ancestor dev main &&
	fails_with 1 sg push r main:dev >out && grep -q "refused .*merge it first" out && sg push -q r main && sg checkout -q dev && git_ rev-parse dev >was &&
	fails_with 1 sg pull r main >out && grep -q "refused .*sg merge r/main" out && git_ rev-parse dev >now && same was now && git_ cat-file -e dev:data/grown.json
	rc=$?
	cd "$here/work/b" && return $rc
'
t 'another branch; one that is not there; one that is no registry' '
	git --git-dir=../a/.sg/registry.git branch -q next main && git_ update-ref refs/heads/main origin/main~1 && sg pull origin next -q &&
	is "$(git_ rev-parse main)" "$(git_ rev-parse origin/next)" &&
	fails_with 128 sg pull origin nothing 2>err && is "$(wc -l <err)" 1 && git_ rev-parse main >was &&
	blob=$(echo hi | git --git-dir=../a/.sg/registry.git hash-object -w --stdin) &&
	tree=$(printf "100644 blob %s\tx\n" "$blob" | git --git-dir=../a/.sg/registry.git mktree) &&
	c=$(echo foreign | git --git-dir=../a/.sg/registry.git commit-tree "$tree" -p next) &&
	git --git-dir=../a/.sg/registry.git update-ref refs/heads/next "$c" && fails_with 128 sg pull origin next 2>err && grep -q "sg.json" err &&
	git_ rev-parse main >now && same was now
'
done_
