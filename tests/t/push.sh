. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
there () { git --git-dir="$here/work/shared.git" "$@"; }
mkdir a && cd a && grow_registry && sg train -q --type layer --name first $fast && sg accept -q first &&
	sg train -q --type lora --name second $fast && sg validate -q second
git init -q --bare "$here/work/shared.git" && sg remote add origin ../shared.git -q && cd .. || exit 1

t 'the current branch, forward' '
	cd a && sg push >out && grep -q "^  new .* main$" out && is "$(there rev-parse main)" "$(git_ rev-parse main)" &&
	sg push >out && grep -q "^up to date" out && there fsck --strict &&
	sg policy -h >/dev/null 2>&1; sg data add more -q --role select book.txt --split file &&
	sg push >out && grep -q "^  moved .*\.\." out && is "$(there rev-parse main)" "$(git_ rev-parse main)"; cd ..
'
t 'only what is named goes: a candidate takes its reports along' '
	cd a && is "$(there for-each-ref refs/sg)" "" && sg push origin second >out && grep -q "sg/cand/" out && grep -q "sg/report/" out &&
	there for-each-ref refs/sg >are && git_ for-each-ref refs/sg/cand >have && grep -qF "$(cut -f2 have)" are
	rc=$?; cd ..; [ $rc = 0 ]
'
t '--candidates: all; what was accepted since is taken away there' '
	cd a && sg push origin --candidates -q && sg train -q --type lora --name third --seed 5 $fast && sg accept -q second &&
	sg reject -q third && sg push --candidates >out && grep -q "^  removed .*sg/cand/" out && grep -q "^  new .*sg/rejected/" out &&
	is "$(there for-each-ref refs/sg/cand)" "" && there for-each-ref refs/sg/rejected | grep -q .
	rc=$?; cd ..; [ $rc = 0 ]
'
t 'a ref under another name, tags, removal' '
	cd a && git_ tag v1 main && sg push origin main:review v1 >out && grep -q "main -> review" out &&
	is "$(there rev-parse review v1)" "$(git_ rev-parse main main)" &&
	sg push origin :review >out && grep -q "^  removed .* review" out && ! there rev-parse -q --verify review &&
	git_ tag v2 main && sg push --tags -q && there rev-parse -q --verify v2
	rc=$?; cd ..; [ $rc = 0 ]
'
t 'never over what somebody else put there' '
	sg clone -q a b && cd b && sg remote remove origin -q && sg remote add origin ../shared.git && sg fetch -q &&
	sg data add theirs -q --role select --split file ../a/book.txt; sg data remove more -q && sg push -q && cd ../a &&
	there rev-parse main >was && sg data remove more -q && echo x >x && sg data add x -q --role select --split file x &&
	fails_with 1 sg push >out && grep -q "^  refused .* main (.*fetch first" out && there rev-parse main >now && same was now &&
	fails_with 1 sg push --force-with-lease >out && grep -q "moved meanwhile" out && there rev-parse main >now && same was now &&
	fails_with 1 sg push --force-with-lease=main:HEAD~1 >out && there rev-parse main >now && same was now &&
	sg fetch -q && fails_with 1 sg push >out && grep -q "no fast-forward" out &&
	sg push --force-with-lease >out && grep -q "^  forced" out && is "$(there rev-parse main)" "$(git_ rev-parse main)"
	rc=$?; cd "$here/work"; [ $rc = 0 ]
'
t 'a removal needs what was last seen' '
	cd b && git_ branch -q side main~1 && sg push -q origin side && cd ../a && fails_with 128 sg push origin :side 2>err && grep -q "fetch first" err &&
	sg fetch -q && there update-ref refs/heads/side main && fails_with 1 sg push origin :side >out && grep -q "moved meanwhile" out &&
	there rev-parse -q --verify side
	rc=$?; cd "$here/work"; [ $rc = 0 ]
'
t 'hooks over there are asked, and their words are shown harmless' '
	printf "#!/bin/sh\nprintf \"no \\\\033[2Jentry\" >&2\nexit 1\n" >shared.git/hooks/pre-receive && chmod +x shared.git/hooks/pre-receive &&
	cd a && there rev-parse main >was && echo y >y && sg data add y -q --role select --split file y && fails_with 1 sg push >out 2>err &&
	grep -q "^  refused .*no .*entry" out && ! grep -q "$(printf "\033")" out err && there rev-parse main >now && same was now
	rc=$?; rm -f "$here/work/shared.git/hooks/pre-receive"; cd "$here/work"; [ $rc = 0 ]
'
t 'what cannot be pushed' '
	cd a && fails_with 128 sg push nowhere 2>err && grep -q "no remote .nowhere." err && is "$(wc -l <err)" 1 &&
	fails_with 128 sg push origin nothing 2>err && grep -q "no branch, tag or candidate" err &&
	fails_with 128 sg push origin first 2>err && grep -q "no candidate" err &&
	fails_with 129 sg push origin +main 2>err && fails_with 129 sg push origin main --force-with-lease=other 2>err
	rc=$?; cd "$here/work"; [ $rc = 0 ]
'
if have python3; then
t '--json' '
	cd a && sg push --json >out && is "$(json refs 0 what <out)" moved && is "$(json refs 0 now <out)" "$(git_ rev-parse main)" &&
	is "$(json refused <out)" 0
	rc=$?; cd "$here/work"; [ $rc = 0 ]
'
else
skip python3 '--json'
fi
done_
