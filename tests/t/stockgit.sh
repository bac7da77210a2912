. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
there () { git --git-dir="$here/work/shared.git" "$@"; }
git init -q --bare -b main shared.git && mkdir a && cd a && grow_registry && sg train -q --type layer --name first $fast &&
	sg accept -q first && sg train -q --type lora --name second $fast && sg validate -q second && sg accept -q second &&
	sg train -q --type lora --name third --seed 5 $fast && sg remote add origin ../shared.git -q && sg push -q --candidates || exit 1
clean () { git_ fsck --full --strict && sg fsck -q && sg verify -q; }

t 'git reads it: fsck, clone, log, show' '
	there fsck --full --strict >out 2>&1 && ! grep -v "^notice\|^dangling" out && git clone -q ../shared.git ../w && git -C ../w log --first-parent --format=%s >subjects &&
	is "$(grep -c "^accept" subjects)" 2 && is "$(git -C ../w log -1 --format="%(trailers:key=Sg-State,valueonly)" | grep -c sha256)" 1 &&
	for d in ../w/grafts/*/; do id=$(basename "$d") && case $(sha256sum <"$d/graft.json") in $id*) ;; *) return 1 ;; esac; done
'
t 'what git pushes is taken: a branch, a tag, a commit of its own' '
	cd ../w && git checkout -q -b side && git commit -q --allow-empty -m "a word from git" && git tag -m "one" v1 && git push -q origin side v1 && cd ../a &&
	sg fetch >out && grep -q "new .* side -> origin/side" out && grep -q "v1" out && is "$(git_ rev-parse origin/side)" "$(git -C ../w rev-parse side)" && sg verify -q origin/side
'
t 'gc --aggressive, repack -ad, packed refs, on both sides' '
	there gc -q --aggressive --prune=now && there repack -qad && there pack-refs --all && git_ gc -q --aggressive --prune=now && git_ repack -qad && git_ pack-refs --all --prune &&
	clean && there fsck --full --strict && sg -C . eval --json >now && sg log >/dev/null && sg show second >/dev/null
'
t 'and then sg goes on: train, accept, push, fetch, clone, branch, gc' '
	sg train -q --type lora --name fourth --seed 9 $fast && sg accept -q fourth && sg push -q --candidates && is "$(there rev-parse main)" "$(git_ rev-parse main)" && there fsck --full --strict &&
	sg clone -q --candidates ../shared.git ../b && cd ../b && sg verify -q && sg fsck -q && cd ../a && sg branch more && sg push -q origin more && sg gc -q && clean
	rc=$?; cd "$here/work/a"; [ $rc = 0 ]
'
t 'a reftable of another day: refs packed by hand, an empty line, a stale lock of git' '
	git_ pack-refs --all && : >.sg/registry.git/packed-refs.lock && touch -d "2 hours ago" .sg/registry.git/packed-refs.lock && sg branch other && clean && sg branch -d other
	rc=$?; rm -f .sg/registry.git/packed-refs.lock; [ $rc = 0 ]
'
t 'unpacked into loose objects by git, and packed by none' '
	mkdir ../packs && mv .sg/registry.git/objects/pack/* ../packs && for p in ../packs/*.pack; do git_ unpack-objects -q <"$p" || return 1; done &&
	clean && sg push -q && sg fetch -q && sg gc -q && clean
'
t 'alternates: a registry that borrows what another has' '
	git clone -q --mirror --shared .sg/registry.git ../borrow.git && sg clone -q ../borrow.git ../c && sg -C ../c verify -q && sg -C ../c fsck -q
'
t 'a shallow repository: a clear word' '
	git clone -q --bare --depth 1 "file://$here/work/shared.git" ../shallow.git && fails_with 128 sg clone ../shallow.git ../d 2>err && grep -q shallow err && is "$(wc -l <err)" 1 && [ ! -e ../d ] &&
	fails_with 128 sg push ../shallow.git 2>err && cat err && grep -q shallow err &&
	mkdir -p ../e/.sg && cp -r .sg/. ../e/.sg && rm -rf ../e/.sg/registry.git && cp -r ../shallow.git ../e/.sg/registry.git && for c in status log verify fsck gc; do
		fails_with 128 sg -C ../e $c 2>err && cat err && grep -q "shallow clone.*unshallow" err || return 1
	done && git --git-dir=../e/.sg/registry.git fetch -q --unshallow origin && sg -C ../e fsck -q && sg -C ../e verify -q
'
t 'a partial clone: a clear word' '
	there config uploadpack.allowFilter true && git clone -q --bare --filter=blob:none "file://$here/work/shared.git" ../partial.git &&
	mkdir -p ../f/.sg && cp -r .sg/. ../f/.sg && rm -rf ../f/.sg/registry.git && cp -r ../partial.git ../f/.sg/registry.git && for c in status verify fsck gc; do
		fails_with 128 sg -C ../f $c 2>err && cat err && grep -q "partial clone.*--filter" err || return 1
	done
'
t 'a clone from a partial one: whole or not at all' '
	sg clone -q ../partial.git ../h 2>err; rc=$?
	cat err; if [ $rc = 0 ]; then sg -C ../h verify -q && sg -C ../h fsck -q; else [ $rc = 128 ] && [ ! -e ../h ] && is "$(grep -c . err)" 1; fi
'
done_
