# Signers, approvals and protected branches, as the policy has them.
. "${0%/*}/lib.sh"
have ssh-keygen || { skip ssh-keygen 'approvals'; done_; }
g () { git --git-dir=.sg/registry.git "$@"; }
signers ann bob eve || exit 1
head_ () { g rev-parse main; }

grow_registry && sg train --type layer --name first $fast -q || exit 1
t 'without signers nothing is asked, and nobody can approve' '
	sg validate first -q; fails_with 1 sg approve first 2>err && grep -q "names no signers" err
'
t 'signers: the first may be set by anybody, a broken one is refused' '
	fails_with 128 sg policy set signer.ann@example.com.key "ssh-rsa AAAA" 2>err && grep -q "must be a public key" err &&
	fails_with 128 sg policy set trust.approvals 1 2>err && grep -q "1 approvals of 0 signers cannot be had" err &&
	fails_with 128 sg policy set signer.ann@example.com.required true 2>err && grep -q "has no key" err &&
	sg policy set signer.ann@example.com.key "$(cat "$HOME/ann.pub")" && is "$(sg policy get signer.ann@example.com.key)" "$(pub ann)" && is "$(sg policy get trust.protected)" main
'
t 'from then on the policy is changed by its own signers' '
	head_ >was && fails_with 1 sg policy set gate.quality.min-docs 30 2>err && grep -q "must be signed by a signer; -S signs" err &&
	fails_with 1 as eve policy set gate.quality.min-docs 30 2>err && grep -q "is that of no signer" err && head_ >now && same was now &&
	fails_with 128 as ann policy set signer.bob@example.com.key "$(pub ann)" 2>err && grep -q "have the same key" err &&
	as ann policy set signer.bob@example.com.key "$(pub bob)" && as bob policy set trust.approvals 2 && is "$(g log -1 --format=%s)" "policy: trust.approvals = 2"
'
t 'an accept lacks a signature, then approvals, and says whose' '
	head_ >was && fails_with 1 sg accept first 2>err && grep -q "must be signed by a signer" err &&
	fails_with 1 as ann accept first 2>err && grep -q "has 0 of 2 approvals; still to ask: ann@example.com, bob@example.com" err && head_ >now && same was now
'
t 'approve' '
	fails_with 1 sg approve --list first >out && grep -q "0 of 2 approvals" out && fails_with 1 as eve approve first 2>err && grep -q "no signer of the policy" err &&
	as ann approve first >out && grep -q "1 of 2 approvals" out && grep -q "by  *ann@example.com" out && as ann approve first >out && grep -q "yours was there already" out &&
	fails_with 1 as ann accept first 2>err && grep -q "has 1 of 2 approvals; still to ask: bob@example.com" err && is "$(g for-each-ref refs/sg/approve | grep -c .)" 1
'
t 'stock ssh-keygen reads an approval' '
	ref=$(g for-each-ref --format="%(refname)" refs/sg/approve) && g show $ref:approval.sig >sig && echo "ann@example.com $(pub ann)" >allowed &&
	g show $ref:approval.json >text && ssh-keygen -Y verify -n sg-approval -f allowed -I ann@example.com -s sig <text && echo x >>text && ! ssh-keygen -Y verify -n sg-approval -f allowed -I ann@example.com -s sig <text
'
t 'an approval that somebody forged counts for nothing' '
	ref=$(g for-each-ref --format="%(refname)" refs/sg/approve) && sg -q clone . copy --candidates >/dev/null 2>&1; tree=$(printf "100644 blob %s\tapproval.json\n100644 blob %s\tapproval.sig\n" $(g rev-parse $ref:approval.json) $(g rev-parse $ref:approval.sig) | g mktree) &&
	c=$(echo forged | g commit-tree $tree -p $ref^) && g update-ref ${ref%/*}/0123456789abcdef $c && fails_with 1 as ann accept first 2>err && grep -q "has 1 of 2" err && g update-ref -d ${ref%/*}/0123456789abcdef
'
t 'the approvals travel with the candidate' '
	[ -d copy ] && cd copy && fails_with 1 sg approve --list first >out && grep -q "by  *ann@example.com" out && as bob approve first -q && sg push -q origin first && cd .. &&
	sg approve --list first >out && grep -q "2 of 2 approvals" out && sg approve --list --json first | grep -q "\"enough\":true"
'
t 'enough: accepted, signed, with approvals and a signed receipt in the folder' '
	as ann accept first -q && f=$(g ls-tree --name-only main grafts/) && is "$(g ls-tree --name-only main $f/approvals/ | grep -c .)" 2 && g show main:$f/receipt.sig >sig && g show main:$f/receipt.mp >text &&
	ssh-keygen -Y verify -n sg-receipt -f allowed -I ann@example.com -s sig <text && git config --global gpg.ssh.allowedSignersFile "$PWD/allowed" && g verify-commit main && g fsck --strict && sg verify -q
'
t 'a required signer, and a branch that is not protected' '
	as bob policy set trust.approvals 0 && as bob policy set signer.ann@example.com.required true && sg train --type lora --name second --seed 2 $fast -q && as bob policy set gate.quality.enabled false &&
	fails_with 1 as bob accept second 2>err && grep -q "not approved by ann@example.com" err && sg branch free && sg checkout -q free && sg accept -q second &&
	fails_with 1 sg policy set gate.quality.min-docs 30 2>err && grep -q "changes the policy, and the policy before it has signers; it is not signed" err && as ann policy set gate.quality.min-docs 30
'
t 'an approval keeps no weights alive that a rejected graft gave up' '
	sg checkout -q main && sg train --type lora --name third --seed 3 $fast -q && sg validate -q third && as ann approve -q third && id=$(g for-each-ref --format="%(refname:lstrip=3)" refs/sg/cand) && ref=$(g for-each-ref --format="%(refname)" refs/sg/approve/$id) &&
	g cat-file -e $ref:grafts/$id/data && sg reject -q third && sg config sg.rejectedExpire 1.second.ago && sg gc --prune=now -q && ! g cat-file -e refs/sg/rejected/$id:grafts/$id/data && ! g cat-file -e $ref:grafts/$id/data &&
	g cat-file -e $ref:approval.sig && g fsck --strict
'
t 'without memory it is that which is said, not that a signature is bad' '
	sg init --width 32 -q mem && cd mem && as ann policy set signer.ann@example.com.key "$(pub ann)" && at=1 && while [ $at -lt 300 ]; do
		SG_FAIL_ALLOC=$at "$SG" policy set gate.quality.min-docs $((300 + at)) "--sign=$HOME/ann" 2>err
		rc=$?
		[ $rc = 0 ] || { [ $rc = 128 ] && grep -q "cannot allocate\|out of memory\|emory" err; } || { echo "allocation $at: $rc"; cat err; return 1; }
		at=$((at + 7))
	done; g fsck --strict && sg verify -q; rc=$?; cd ..; return $rc
'
done_
