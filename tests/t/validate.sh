. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }

grow_registry && sg train --type layer --name first $fast -q || exit 1
t 'a good candidate passes, with numbers' '
	sg validate first >out &&
	grep -q "^quality  *held  *210  *5\.[0-9]*  *-[0-9.]*  *-[0-9.]*  *-[0-9.]*  *.0\.0000  *accept" out &&
	grep -q "^artefact.* accept" out && grep -q "^rollback.* accept" out && tail -1 out | grep -q "^accept first"
'
t 'the receipt is kept, and judging again gives the same bytes' '
	git_ for-each-ref --format="%(refname)" refs/sg/report >ref && is "$(wc -l <ref)" 1 &&
	git_ show $(cat ref):receipt.mp | sha256sum >a &&
	sg validate first -q && git_ show $(cat ref):receipt.mp | sha256sum >b && same a b &&
	SG_ISA=scalar sg validate first --threads 1 -q
'
t 'an id, its beginning, a name' '
	id=$(git_ for-each-ref --format="%(refname:lstrip=3)" refs/sg/cand) &&
	sg validate $id -q && sg validate $(echo $id | cut -c1-6) -q &&
	fails_with 128 sg validate nothing 2>err && grep -q "no graft .nothing." err && is "$(wc -l <err)" 1
'
t 'a useless one is rejected, nothing moves' '
	sg accept first -q && git_ rev-parse main >was &&
	sg train --type lora --name bad --steps 3 --batch 2 --seq 16 --lr 3 --warmup 0 --clip 0 -q &&
	fails_with 1 sg validate bad >out && grep -q "^quality.* reject" out && tail -1 out | grep -q "^reject bad" &&
	git_ rev-parse main >now && same was now
'
t 'too few documents defer' '
	sg data remove held -q && sg data add few -q --role accept --split line --from 95 book.txt &&
	sg train --type lora --name more $fast -q &&
	fails_with 1 sg validate more >out && grep -q "^quality  *few .* \(defer\|reject\)" out
'
t 'no acceptance set: defer' '
	sg data remove few -q && fails_with 1 sg validate more >out && tail -1 out | grep -q "^defer more"
'
t 'wrong usage' '
	fails_with 129 sg validate && fails_with 129 sg validate more --window 0 &&
	fails_with 129 sg validate more --window 2000 2>err && grep -q positions err
'
if have python3; then
t 'validate --json' '
	fails_with 1 sg validate more --json >out && is "$(json verdict <out)" defer && json gates 0 threshold <out
'
else
skip python3 'validate --json'
fi
done_
