# Push to and clone from a path by second names of packs.
. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
there () { git --git-dir="$here/work/$at" "$@"; }
names () { ls "$1"/objects/pack/*.pack | sed 's,.*/,,' | sort; }
shared () { for p in $(names $1); do [ $1/objects/pack/$p -ef $2/objects/pack/$p ] || continue; echo $p; done; }
mkdir a && cd a && grow_registry && sg train -q --type layer --name first $fast && sg validate -q first && sg accept -q first &&
	sg train -q --type lora --name second $fast && sg reject -q second && sg train -q --type layer --name third --seed 3 $fast && cd .. || exit 1
ours=a/.sg/registry.git

t 'push to a bare repository: the packs of what was pushed, and no others' '
	at=bare.git && git init -q --bare bare.git && (cd a && sg push --link ../bare.git >out && grep -q "^  new .* main$" out) &&
	is "$(there rev-parse main)" "$(git --git-dir=$ours rev-parse main)" && there fsck --strict --no-dangling && shared bare.git $ours >s && [ -s s ] &&
	[ "$(names bare.git | wc -l)" -le $(($(wc -l <s) + 1)) ] && id=$(git --git-dir=$ours for-each-ref --format="%(objectname)" refs/sg/rejected) && ! there cat-file -e $id && there gc -q --prune=now && there fsck --strict &&
	git --git-dir=$ours fsck --strict --no-dangling && is "$(ls bare.git/objects/pack/*.keep 2>/dev/null)" ""
'
t 'push again, forward only, and candidates' '
	cd a && sg push --link ../bare.git >out && grep -q "up to date" out && sg data add more -q --role select book.txt --split file && sg push --link ../bare.git main third >out && grep -q "^  moved" out && grep -q "sg/cand" out &&
	is "$(there rev-parse main)" "$(git_ rev-parse main)" && there fsck --strict --no-dangling && there update-ref refs/heads/main main~1 && git_ branch -q old main~2 &&
	fails_with 1 sg push --link ../bare.git old:main >out && grep -q "no fast-forward" out; rc=$?; cd ..; [ $rc = 0 ]
'
t 'mixed packs: only what is wanted is written' '
	cp -r a g && cd g && sg gc -q --prune=now && is "$(names .sg/registry.git | wc -l)" 1 && cd .. && at=mixed.git && git init -q --bare mixed.git && (cd g && sg push --link ../mixed.git -q) && there fsck --strict --no-dangling &&
	is "$(shared mixed.git g/.sg/registry.git)" "" && is "$(names mixed.git | wc -l)" 1 && ! there cat-file -e $(git --git-dir=$ours for-each-ref --format="%(objectname)" refs/sg/rejected)
'
t 'another registry as remote: its lock is respected, its gc leaves it be' '
	mkdir r && (cd r && sg init -q --width 32) && (cd a && sg push --link ../r main:refs/heads/theirs -q) && cd r && sg fsck && sg gc -q --prune=now && sg fsck && sg log theirs >/dev/null; rc=$?; cd ..; [ $rc = 0 ]
'
t 'clone --link' '
	sg clone -q --link a c && [ "$(shared c/.sg/registry.git $ours | wc -l)" -gt 0 ] && cd c && sg fsck && sg status >/dev/null && sg eval -q held && is "$(git_ rev-parse main)" "$(git --git-dir=../$ours rev-parse main)" &&
	sg gc -q --prune=now && sg fsck && cd ../a && sg fsck && sg gc -q && sg fsck && cd ../c && sg fsck && sg verify -q; rc=$?; cd ..; [ $rc = 0 ]
'
t 'a hook over there refuses; other remotes cannot be linked' '
	at=hooked.git && git init -q --bare hooked.git && printf "#!/bin/sh\nexit 0\n" >hooked.git/hooks/update && chmod +x hooked.git/hooks/update && cd a &&
	fails_with 1 sg push --link ../hooked.git 2>err >out && grep -q "hook" out err && ! there rev-parse -q --verify main && fails_with 129 sg push --link ssh://nobody@localhost/x 2>err && cd .. &&
	fails_with 129 sg clone --link https://localhost:1/x y 2>err && [ ! -e y ]; rc=$?; cd "$here/work"; [ $rc = 0 ]
'
other=$(mktemp -d /dev/shm/sg-t.XXXXXX 2>/dev/null)
if [ "$other" ] && [ "$(stat -c %d $other)" != "$(stat -c %d .)" ]; then
t 'on another file system: copied' '
	git init -q --bare $other/b.git && (cd a && sg push --link $other/b.git -q) && git --git-dir=$other/b.git fsck --strict --no-dangling && is "$(git --git-dir=$other/b.git rev-parse main)" "$(git --git-dir=$ours rev-parse main)"
'
else
skip shm 'on another file system: copied'
fi
rm -rf "$other"
done_
