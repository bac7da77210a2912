. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
git_a () { git --git-dir="$here/work/a/.sg/registry.git" "$@"; }
mkdir a && cd a && grow_registry && cd .. && sg clone -q a b && cd b || exit 1
a () { sg -C "$here/work/a" "$@"; }

t 'nothing new' '
	sg fetch >out && grep -q "^up to date with" out
'
t 'what grew is seen, and nothing here moves' '
	git_ rev-parse main >was && a train -q --type layer --name first $fast && a accept -q first &&
	sg fetch >out && grep -q "^  moved .* main -> origin/main$" out && is "$(git_ rev-parse origin/main)" "$(git_a rev-parse main)" &&
	git_ rev-parse main >now && same was now && sg verify -q origin/main
'
t 'candidates come when asked for, and can be accepted' '
	sg pull -q && a train -q --type lora --name second $fast && a validate -q second && sg fetch >out && is "$(git_ for-each-ref refs/sg)" "" &&
	sg fetch --candidates >out && grep -q "^  new .*sg/cand/" out && grep -q "^  new .*sg/report/" out &&
	sg fetch --candidates >out && grep -q "^up to date" out &&
	sg accept second -q && sg verify -q && sg verify --replay -q && sg fetch --candidates -q && is "$(git_ for-each-ref refs/sg/cand)" ""
'
t 'one that moved over there moves here' '
	a train -q --type lora --name third --seed 4 $fast && sg fetch --candidates -q && git_ for-each-ref refs/sg/cand | grep -q . &&
	a defer -q third && sg fetch --candidates >out && grep -q "sg/deferred/" out && is "$(git_ for-each-ref refs/sg/cand)" "" &&
	git_ for-each-ref refs/sg/deferred | grep -q .
'
t 'one that moved here stays where it is' '
	a train -q --type lora --name fourth --seed 6 $fast && sg fetch --candidates -q && sg reject -q fourth && sg fetch --candidates -q &&
	is "$(git_ for-each-ref refs/sg/cand)" "" && git_ for-each-ref refs/sg/rejected | grep -q .
'
t 'tags come; one that is another here stays' '
	git_a tag v1 main && sg fetch -q && is "$(git_ rev-parse v1)" "$(git_a rev-parse v1)" &&
	git_a tag -f v1 main~1 && fails_with 1 sg fetch >out && grep -q "^  refused .* v1 (" out && [ "$(git_ rev-parse v1)" != "$(git_a rev-parse v1)" ] &&
	git_a tag -d v1
'
t '--prune' '
	git_a branch side main && sg fetch -q && git_ rev-parse -q --verify origin/side && git_a branch -D side && sg fetch -q &&
	git_ rev-parse -q --verify origin/side && sg fetch --prune >out && grep -q "^  removed" out && ! git_ rev-parse -q --verify origin/side
'
t 'a folder that is no graft with its id is not taken up' '
	id=0123456789abcdef && blob=$(echo "{}" | git_a hash-object -w --stdin) && export GIT_INDEX_FILE="$here/index" &&
	git_a read-tree main && git_a update-index --add --cacheinfo 100644,$blob,grafts/$id/graft.json &&
	c=$(echo evil | git_a commit-tree "$(git_a write-tree)" -p main) && git_a update-ref refs/sg/cand/$id "$c" &&
	git_a update-ref refs/sg/cand/notanid "$c" && unset GIT_INDEX_FILE && git_ for-each-ref refs/sg/cand >was &&
	fails_with 1 sg fetch --candidates >out && is "$(grep -c "^  refused" out)" 2 && git_ for-each-ref refs/sg/cand >now && same was now
	rc=$?; unset GIT_INDEX_FILE; git_a update-ref -d refs/sg/cand/$id; git_a update-ref -d refs/sg/cand/notanid; [ $rc = 0 ]
'
t 'what cannot be fetched' '
	git_ for-each-ref >was &&
	fails_with 128 sg fetch nobody 2>err && grep -q "no remote .nobody." err && is "$(wc -l <err)" 1 &&
	sg remote add gone "$here/work/gone" -q && fails_with 128 sg fetch gone 2>err && is "$(wc -l <err)" 1 && fails_with 129 sg fetch a b &&
	git_ for-each-ref >now && same was now
'
if have python3; then
t '--json' '
	a data add x -q --role select --split file ../a/book.txt 2>/dev/null; echo z >z; a data add z -q --role select --split file ../b/z &&
	sg fetch --json >out && is "$(json refs 0 what <out)" moved && is "$(json refs 0 to <out)" refs/remotes/origin/main
'
else
skip python3 '--json'
fi
done_
