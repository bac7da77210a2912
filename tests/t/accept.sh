. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }

grow_registry && sg train --type layer --name first $fast -q || exit 1
t 'accept is a merge of the candidate into the line' '
	git_ rev-parse main >line && cand=$(git_ for-each-ref --format="%(objectname)" refs/sg/cand) &&
	sg accept first -m "The first layer." >out && tail -1 out | grep -q "^accept first" &&
	is "$(git_ rev-parse main^1)" "$(cat line)" && is "$(git_ rev-parse main^2)" "$cand" &&
	git_ show -s --format=%B main >msg && grep -q "^The first layer." msg && grep -q "^Sg-Op: accept" msg && grep -q "^Sg-Metric: quality.* held" msg &&
	is "$(git_ for-each-ref refs/sg/cand)" "" && git_ fsck --strict
'
t 'the composition is what the candidate was' '
	sg train --type lora --name second $fast -q &&
	sg eval --cand second --json >a && sg accept second -q && sg eval --json >b && same a b
'
t 'an active graft is not accepted twice' '
	git_ rev-parse main >was && fails_with 128 sg accept second 2>err && grep -q "active already" err && is "$(wc -l <err)" 1 &&
	git_ rev-parse main >now && same was now
'
t 'a receipt for another stack does not serve' '
	sg train --type lora --name third $fast --seed 3 -q && sg train --type block --name fourth $fast -q &&
	sg validate third -q && a=$(git_ for-each-ref --format="%(objectname)" refs/sg/report) &&
	sg accept fourth -q; sg accept third -q; [ $? -le 1 ] &&
	b=$(git_ for-each-ref --format="%(objectname)" refs/sg/report) && [ "$a" != "$b" ]
'
t 'not accepted: exit 1, nothing moves' '
	git_ rev-parse main >was &&
	sg train --type lora --name bad --steps 3 --batch 2 --seq 16 --lr 3 --warmup 0 --clip 0 -q &&
	fails_with 1 sg accept bad >out && tail -1 out | grep -q "^reject bad" &&
	git_ rev-parse main >now && same was now && git_ for-each-ref refs/sg/cand | grep -q .
'
t 'a write that fails leaves the line as it was' '
	sg train --type lora --name late $fast --seed 9 -q; git_ rev-parse main >was
	i=1
	while [ $i -lt 40 ]; do
		SG_FAIL_WRITE=$i sg accept late -q 2>err && break
		is "$(grep -c . err)" 1 || return 1
		git_ rev-parse main >now && same was now && git_ fsck --strict || return 1
		i=$((i + 1))
	done
	[ $i -gt 1 ]
'
t 'wrong usage' '
	fails_with 129 sg accept && fails_with 128 sg accept nothing && fails_with 128 sg accept ab
'
if have python3; then
t 'accept --json' '
	fails_with 1 sg accept bad --json >out && is "$(json verdict <out)" reject && is "$(json name <out)" bad
'
else
skip python3 'accept --json'
fi
done_
