. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
refs () { git_ for-each-ref --format='%(refname) %(objectname)'; }
whole () { git_ fsck --strict --no-dangling && sg fsck >fsck.out && ! grep -q damage fsck.out; }
bytes () { du -sb .sg/registry.git/objects | cut -f1; }
grow_registry && for i in 1 2 3; do sg train -q --type layer --name g$i --seed $i $fast || exit 1; done

t 'usage' '
	fails_with 129 sg gc x && fails_with 129 sg gc --prune soon && fails_with 129 sg gc --prune=-1d && fails_with 129 sg gc --prune "3 days or so" &&
	sg gc -n --prune never && sg gc -n --prune 2.weeks.ago && sg gc -n --prune "1 day" && sg gc -n --prune 90s
'
t 'what is there stays: candidates, a rejected and a deferred one, reports' '
	sg validate -q g1 && sg accept -q g1 && sg reject -q g2 && sg defer -q g3 && refs >before && sg gc -n >out && refs >now && same before now &&
	packs=$(ls .sg/registry.git/objects/pack/*.pack | wc -l) && [ $packs -gt 3 ] && grep -q "^packs $packs -> 1," out &&
	sg gc --prune=now >out && refs >now && same before now && whole && is "$(ls .sg/registry.git/objects/pack/*.pack | wc -l)" 1 &&
	sg show g1 >/dev/null && sg show g2 >/dev/null && sg show g3 >/dev/null && sg verify -q && is "$(find .sg/registry.git/refs -type f)" ""
'
t 'what nothing reaches goes when it is old enough; a reflog entry keeps it' '
	cp -r .sg old && sg train -q --type layer --name gone --seed 9 $fast && id=$(git_ for-each-ref --format="%(refname:lstrip=3)" refs/sg/cand) &&
	at=$(git_ rev-parse refs/sg/cand/$id) && git_ update-ref -d refs/sg/cand/$id && full=$(bytes) &&
	sg gc >out && grep -q "too young" out && git_ cat-file -e $at && sg gc --prune now && ! git_ cat-file -e $at && [ $(bytes) -lt $full ] && whole &&
	c=$(echo lost | git_ commit-tree "main^{tree}" -p main) && was=$(git_ rev-parse main) && export GIT_COMMITTER_DATE="$(date +%s) +0000" && git_ update-ref refs/heads/main $c && git_ update-ref refs/heads/main $was &&
	sg gc --prune now && git_ cat-file -e $c && sg config gc.reflogExpireUnreachable now && sg gc --prune now && ! git_ cat-file -e $c && whole &&
	is "$(git_ reflog main | wc -l)" "$(grep -vc "$c" .sg/registry.git/logs/refs/heads/main)" && sg config --unset gc.reflogExpireUnreachable; rc=$?
	export GIT_COMMITTER_DATE="1700000000 +0000"; [ $rc = 0 ]
'
t 'the weights of a rejected graft go when that is set; what was said of it stays' '
	sg validate g1 >/dev/null 2>&1; sg train -q --type layer --name bad --seed 21 $fast && sg validate -q bad; sg reject -q bad &&
	id=$(sg show bad | grep -o "[0-9a-f]\{16\}" | head -1) && git_ ls-tree -r refs/sg/rejected/$id | grep -q "grafts/$id/data/" &&
	sg config sg.rejectedExpire 1.day && old=$(git_ rev-parse refs/sg/rejected/$id) &&
	sg gc -n >out && grep -q "would drop weights of rejected $id bad" out && is $old "$(git_ rev-parse refs/sg/rejected/$id)" &&
	full=$(bytes) && sg config gc.reflogExpireUnreachable now && sg gc --prune now >out && grep -q "^dropped weights of rejected $id bad" out && whole && [ $(bytes) -lt $((full - 4000)) ] &&
	! git_ ls-tree -r refs/sg/rejected/$id | grep -q "grafts/$id/data/" && git_ show refs/sg/rejected/$id:grafts/$id/graft.json >g.json && is "$(sha256sum <g.json | cut -c1-16)" $id &&
	r=$(git_ for-each-ref --format="%(refname)" refs/sg/report/$id) && git_ cat-file -e $r:receipt.mp && ! git_ ls-tree -r $r | grep -q "grafts/$id/data/" && sg show bad >/dev/null &&
	sg gc --prune now >out && ! grep -q "weights" out && sg status >/dev/null && sg verify -q
'
t 'a damaged registry: refused, nothing removed' '
	rm -rf keep && cp -r .sg keep && blob=$(git_ rev-parse main:sg.json) && sg gc -q && git_ unpack-objects <$(ls .sg/registry.git/objects/pack/*.pack | head -1) >/dev/null 2>&1;
	p=$(ls .sg/registry.git/objects/pack/*.pack | head -1) && mv $p moved.pack && mv ${p%.pack}.idx moved.idx && git_ unpack-objects -q <moved.pack && rm -f .sg/registry.git/objects/$(echo $blob | sed "s,..,&/,") &&
	files=$(find .sg/registry.git/objects -type f | wc -l) && fails_with 128 sg gc --prune now 2>err && grep -q damaged err && is "$(find .sg/registry.git/objects -type f | wc -l)" $files; rc=$?
	rm -rf .sg && mv keep .sg; [ $rc = 0 ]
'
t 'somebody writes: gc says who; afterwards it goes on' '
	flock -s .sg/lock sleep 3 & pid=$!
	sleep 0.3; fails_with 128 sg gc 2>err && grep -q "written to by process [0-9]* (flock)" err; rc=$?
	wait $pid; [ $rc = 0 ] && sg gc -q
'
t 'many small packs are joined by who writes' '
	rm -rf .sg && grow_registry && for i in 1 2 3 4 5 6; do sg data add d$i -q --role train --split line --to 3$i --min-bytes 2 book.txt || return 1; done && packs=$(ls .sg/registry.git/objects/pack/*.pack | wc -l) && [ $packs -gt 6 ] &&
	sg config gc.autoPackLimit 0 && sg data add e -q --role train --split line --to 20 --min-bytes 2 book.txt && [ $(ls .sg/registry.git/objects/pack/*.pack | wc -l) -gt $packs ] &&
	sg config gc.autoPackLimit 6 && sg data add f -q --role train --split line --to 21 --min-bytes 2 book.txt && is "$(ls .sg/registry.git/objects/pack/*.pack | wc -l)" 1 && whole
'
if have python3; then
t '--json' 'sg gc -n --json >out && is "$(json dry_run <out)" true && is "$(json packs_after <out)" 1 && is "$(json faded <out)" "[]"'
else
skip python3 '--json'
fi
done_
