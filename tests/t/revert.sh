. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
grow () { sg train -q --name "$@" $fast --accept; }

grow_registry && grow first --type layer && grow second --type lora --sites 'grown.*.attn.*' --rank 2 || exit 1
sg eval --json >before
grow third --type layer || exit 1
sg eval --json >with
t 'a reverted graft leaves no trace: every loss has its former bits' '
	accept=$(git_ rev-parse main) && third=$(git_ ls-tree --name-only main:grafts >all; git_ ls-tree --name-only main~:grafts | grep -vxf - all) &&
	sg revert third -m "It was a trial." >out && grep -q "bit by bit" out &&
	sg eval --json >now && same before now &&
	git_ show -s --format=%B main >msg && grep -q "^revert third: held [0-9.]* -> [0-9.]*$" msg && grep -q "^It was a trial" msg &&
	grep -q "^This reverts commit $accept\.$" msg && grep -q "^Sg-Op: revert" msg && grep -q "^Sg-Graft: sha256:$third" msg &&
	grep -q "^Sg-Metric: quality held" msg && is "$(git_ rev-parse main^)" "$accept" &&
	git_ cat-file -e main:reverted/$third/effect.json && git_ cat-file -e main:reverted/$third/receipt.mp &&
	is "$(git_ diff --name-only main~ main | cut -d/ -f1-2 | sort -u)" "grafts/$third
reverted/$third" && git_ fsck --strict
'
t 'a reverted graft comes back with the bits that it had' '
	sg accept third -q && sg eval --json >now && same with now &&
	git_ show -s --format=%B main >msg && grep -q "^reapply third" msg && grep -q "^Sg-Op: reapply" msg &&
	is "$(git_ rev-list --parents -1 main | wc -w)" 2 && fails_with 128 git_ cat-file -e main:reverted &&
	sg revert third -q && sg eval --json >now && same before now && sg accept third -q
'
t 'those that require it are named, and go only with --cascade' '
	git_ rev-parse main >was &&
	fails_with 1 sg revert first 2>err && grep -q "required by [0-9a-f]\{16\} (second); --cascade" err &&
	git_ rev-parse main >now && same was now &&
	sg revert --cascade first >out && grep -q "^reverted first .* and 1 that requires it" out &&
	is "$(git_ ls-tree --name-only main:grafts | wc -l)" 1 && is "$(git_ show -s --format=%B main | grep -c "^Sg-Graft:")" 2 &&
	sg eval -q && sg accept first -q && sg accept second -q
'
t 'the order in which they come back does not matter' '
	sg eval --json >now && same with now
'
t 'a graft below others goes, and they stay' '
	sg revert second -q && is "$(git_ ls-tree --name-only main:grafts | wc -l)" 2 && sg eval -q && sg accept second -q
'
t 'an old revert is clean: history keeps it' '
	sg eval --rev main~ -q && git_ log --format=%s main | grep -c "^revert" | grep -qx 4
'
t 'a gate that rejects refuses, --force does it' '
	awk "BEGIN { for (i = 1; i <= 210; i++) print \"another line \" i \" that has to be kept \" i * i % 97 }" >kept.txt &&
	sg data add kept -q --role retain --split line kept.txt && git_ rev-parse main >was &&
	fails_with 1 sg revert --cascade first >out && grep -q "^retention *kept .* reject" out && tail -1 out | grep -q "^not reverted" &&
	git_ rev-parse main >now && same was now &&
	sg revert --cascade --force first -q && git_ show -s --format=%B main | grep -q "^Sg-Gate: fail" &&
	is "$(git_ ls-tree --name-only main:grafts | wc -l)" 1
'
t 'nothing to measure with: refused, unless said' '
	mv .sg/data .sg/away && fails_with 1 sg revert third 2>err && grep -q "not on this machine" err && grep -q -- --no-validate err &&
	sg revert --no-validate third >out && grep -q "not measured" out &&
	git_ show -s --format=%B main >msg && grep -q "was not measured" msg && ! grep -q Sg-Gate msg &&
	mv .sg/away .sg/data && is "$(git_ ls-tree main grafts)" "" && git_ fsck --strict
'
t 'a write that fails leaves the line as it was' '
	sg accept first -q && git_ rev-parse main >was
	i=1
	while [ $i -lt 40 ]; do
		SG_FAIL_WRITE=$i sg revert --force first -q 2>err && break
		is "$(grep -c . err)" 1 || return 1
		git_ rev-parse main >now && same was now && git_ fsck --strict || return 1
		i=$((i + 1))
	done
	[ $i -gt 1 ] && [ $i -lt 40 ]
'
t 'wrong usage' '
	fails_with 129 sg revert && fails_with 128 sg revert nothing && fails_with 1 sg revert first 2>err && grep -q "not active" err
'
if have python3; then
t 'revert --json' '
	sg accept first -q && sg revert --force --json first >out && is "$(json measured <out)" true && is "$(json name <out)" first &&
	is "$(json commit <out)" "$(git_ rev-parse main)" && is "$(json grafts 0 <out)" "$(json graft <out)" && is "$(json removed 0 <out)" "$(json graft <out)" &&
	is "$(json restored <out)" true
'
else
skip python3 'revert --json'
fi
mkdir ../range && cd ../range && grow_registry && grow root --type layer && sg policy set gate.quality.enabled false -q && sg policy set gate.retention.enabled false -q || exit 1
from=$(git_ rev-parse main) && sg eval --json >before
grow r1 --type layer --seed 1 && grow r2 --type lora --sites 'grown.*.mlp.*' --rank 2 && sg data add more -q --role select before && grow r3 --type layer --seed 3 || exit 1
top=$(git_ rev-parse main)
t 'a range goes in one commit, judged as a whole, and leaves no trace' '
	sg revert $from.. -m Why. >out && grep -q "^reverted 3 grafts, state" out && grep -q "before they came in, bit by bit" out &&
	sg eval --json held >now && sg eval --rev $from --json held >before && same before now && is "$(git_ rev-parse main~)" $top &&
	git_ show -s --format=%B main >msg && grep -q "^revert 3 grafts" msg && is "$(grep -c "^This reverts commit" msg)" 3 &&
	is "$(git_ ls-tree main grafts/ | wc -l)" 1 && is "$(git_ ls-tree main reverted/ | wc -l)" 3 && sg verify -q && git_ fsck --strict &&
	fails_with 1 sg revert $from..$top 2>err && grep -q "no graft that is active" err && git_ update-ref refs/heads/main $top
'
t 'several at once, by name or by the revision that took them in' '
	sg revert r2 HEAD -q && git_ show -s --format=%s main | grep -q "^revert 2 grafts" && is "$(git_ ls-tree main grafts/ | wc -l)" 2 && sg accept r2 -q && sg verify -q &&
	git_ update-ref refs/heads/main $top && sg revert HEAD -q && git_ show -s --format=%s main | grep -q "^revert r3" && git_ update-ref refs/heads/main $top
'
t 'all or none' '
	fails_with 128 sg revert r3 nothing 2>err && grep -q "neither a graft nor a revision" err && is "$(git_ rev-parse main)" $top &&
	fails_with 1 sg revert $from r3 2>err && grep -q "took in no graft that is active" err && is "$(git_ rev-parse main)" $top &&
	fails_with 1 sg revert root r3 2>err && grep -q "are required by [0-9a-f]* (r2)" err && is "$(git_ rev-parse main)" $top &&
	sg revert --cascade root r3 >out && grep -q "^reverted 2 grafts and 1 that requires them" out && git_ update-ref refs/heads/main $top
'
t 'a merge is reverted as a whole' '
	git_ branch dev $from && sg checkout -q dev && grow d1 --type layer --seed 5 && grow d2 --type layer --seed 6 && sg checkout -q main && sg merge --both -q dev &&
	sg revert HEAD >out && grep -q "^reverted 2 grafts" out && is "$(git_ show -s --format="%(trailers:key=Sg-State,valueonly)" main)" "$(git_ show -s --format="%(trailers:key=Sg-State,valueonly)" $top)" &&
	sg verify -q && git_ update-ref refs/heads/main $top
'
t 'an accept does not go by a report that knows fewer sets' '
	sg revert r3 -q && head -40 book.txt | sed "s/^/more /" >more.txt && sg data add kept -q --role retain --split line more.txt && sg accept r3 -q && sg verify -q &&
	git_ update-ref refs/heads/main $top
'
cd ../work || exit 1
done_
