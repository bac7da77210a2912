. "${0%/*}/lib.sh"

sg init --width 32 -q
t 'set, get, list, unset' '
	sg config sg.test one && is "$(sg config sg.test)" one && sg config >a && sg config --list >b && same a b &&
	grep -q "^sg.test=one$" a && is "$(git --git-dir=.sg/registry.git config sg.test)" one &&
	sg config --unset sg.test && fails_with 1 sg config sg.test >out && [ ! -s out ] && sg config --unset sg.test
'
t 'the user is asked after the registry' '
	printf "[sg]\n\ttest = home\n" >"$HOME/.gitconfig" && is "$(sg config sg.test)" home && sg config sg.test here && is "$(sg config sg.test)" here &&
	! grep -q here "$HOME/.gitconfig"
'
t 'a value that would drive the terminal is shown safely' '
	sg config sg.test "$(printf "a\033[31m\nb")" && is "$(sg config sg.test)" "a\\x1b[31m\\nb" && sg config | grep -q "a.x1b"
'
t 'wrong usage' '
	fails_with 129 sg config --unset && fails_with 129 sg config a.b c d && fails_with 129 sg config --list a.b &&
	cp .sg/registry.git/config was && fails_with 128 sg config nodots x 2>err && is "$(grep -c . err)" 1 && same was .sg/registry.git/config &&
	(cd / && fails_with 128 sg config)
'
if have python3; then
t 'config --json' '
	sg config sg.test 5 && is "$(sg config sg.test --json | json value)" 5 && sg config --json | json 0 key
'
else
skip python3 'config --json'
fi
t 'how tensors are compressed does not change what a graft is' '
	mkdir c1 && cd c1 && grow_registry && cp -r . ../c2 && sg config sg.compression 0 && sg config sg.threads 1 && sg train -q --type layer --name a $fast && id=$(git --git-dir=.sg/registry.git for-each-ref --format="%(refname)" refs/sg/cand) &&
	cd ../c2 && sg config sg.compression 19 && sg train -q --type layer --name a $fast && is "$(git --git-dir=.sg/registry.git for-each-ref --format="%(refname)" refs/sg/cand)" "$id" && sg validate -q a && sg verify -q &&
	[ "$(git --git-dir=.sg/registry.git rev-parse $id:grafts)" != "$(git --git-dir=../c1/.sg/registry.git rev-parse $id:grafts)" ] &&
	sg config sg.compression high && fails_with 129 sg train -q --type layer --name b --seed 2 $fast 2>err && grep -q sg.compression err; rc=$?; cd ..; [ $rc = 0 ]
'
done_
