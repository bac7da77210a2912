# A line that its signers grew, and what somebody without their keys can do to it:
# each is found, and named.
. "${0%/*}/lib.sh"
have ssh-keygen || { skip ssh-keygen 'tampering with a signed line'; done_; }
g () { git --git-dir=.sg/registry.git "$@"; }
signers ann bob eve || exit 1
back () { rc=$?; cd "$here/work"; return $rc; }
k=0
fresh () { k=$((k + 1)) && cp -r a "c$k" && cd "c$k"; }
added () { g diff-tree --no-commit-id -r --name-only main~1 main | sed -n 's,^\(grafts/[0-9a-f]*\)/graft.json$,\1,p'; }

# a: a signed line with one approved graft; signers ann and bob, two approvals
mkdir a && cd a && grow_registry && sg policy set signer.ann@example.com.key "$(pub ann)" && as ann policy set signer.bob@example.com.key "$(pub bob)" -q &&
	as ann policy set trust.approvals 2 && sg train --type layer --name first $fast -q && sg validate -q first && as ann approve -q first && as bob approve -q first && as ann accept -q first || exit 1
cd ..
t 'untouched: all is proven, and it is said by whom' '
	cd a && sg verify -v >out && grep -q "proven .*signature: good, by ann@example.com, key SHA256:" out && grep -q "proven .*trust main: " out && grep -q "proven .*receipt signature .*good, by ann@example.com" out &&
	grep -q "proven .*approvals .*by ann@example.com, bob@example.com" out && g fsck --strict; back
'
t 'log --show-signature and show' '
	cd a && sg log --show-signature >out && grep -q "^Signed: good, by ann@example.com" out && sg show HEAD | grep -q "^Signed: good, by ann" && sg log | grep -c Signed | grep -qx 0 &&
	sg verify --json | grep -q "\"signature\":\"good\",\"signer\":\"ann@example.com\"" && sg log --show-signature --json | grep -q "\"signed\":\"none\""; back
'

# rewrite <sed script of the raw commit>: HEAD with another text, its signature kept
rewrite () { g cat-file commit main | sed "$1" >raw && g update-ref refs/heads/main "$(g hash-object -t commit -w raw)"; }
# forge <path> <file> ...: HEAD again with these files, its message and parents, signed by $by if set
forge () {
	GIT_INDEX_FILE=$here/index && export GIT_INDEX_FILE && rm -f "$GIT_INDEX_FILE" && g read-tree main || return 1
	while [ $# -gt 0 ]; do
		g update-index --add --cacheinfo "100644,$(g hash-object -w "$2"),$1" || return 1
		shift 2
	done
	g update-ref refs/heads/main "$(g show -s --format=%B main | g ${by:+-c user.signingKey="$HOME/$by"} commit-tree ${by:+-S} "$(g write-tree)" $(g show -s --format=%P main | sed "s/[0-9a-f]\{40\}/-p &/g"))"
	rc=$?
	unset GIT_INDEX_FILE
	return $rc
}
# finds <pattern>: verify answers no, and says it
finds () { fails_with 1 sg verify >out && { grep -qE "$1" out || { cat out; false; }; }; }

t 'a commit with another text under the same signature' '
	fresh && rewrite "s/^accept first/accept frost/" && finds "differs .*signature: the signature is not that of this content" && grep -q "differs .*trust main: commit .* stands on .main., .*its signature is bad" out; back
'
t 'a commit without its signature, or signed by somebody else' '
	fresh && by= && forge && finds "differs .*trust main: commit .*it is not signed" && by=eve && forge && finds "differs .*trust main: commit .*no signer of the policy signed it" &&
	grep -q "open .*signature: key SHA256:.* is nobody" out; by=; back
'
t 'a signer whom only the user knows is no signer of the policy' '
	fresh && echo "eve@example.com $(pub eve)" >"$here/allowed" && git config --global gpg.ssh.allowedSignersFile "$here/allowed" && by=eve && forge && finds "differs .*trust main: .*by nobody whom the policy names" &&
	grep -q "eve@example.com (of your own allowed signers)" out || { sg verify -v | grep -q "eve@example.com (of your own"; }; by=; git config --global --unset gpg.ssh.allowedSignersFile; back
'
t 'another receipt, a chunk, the base: signed anew by a stranger or by a signer' '
	for by in eve ann; do
		for x in receipt.mp data/ base; do
			fresh && f=$(added) && if [ $x = base ]; then f=sg.json; else f=$(g ls-tree -r --name-only main $f | grep "/$x" | head -1); fi && g show "main:$f" >f && printf x >>f && forge "$f" f && finds "differs" || return 1
			[ $by = ann ] || grep -q "differs .*trust main: .*no signer" out || return 1
			case $x in receipt.mp) grep -q "differs .*receipt" out ;; data/) grep -q "differs .*payload" out ;; *) grep -qE "differs .*(change sg.json|base|composition)" out ;; esac || { cat out; return 1; }
			cd ..
		done
	done; by=; back
'
t 'another signature beside the receipt' '
	fresh && f=$(added) && g show main:$f/receipt.mp >text && ssh-keygen -q -Y sign -n sg-approval -f "$HOME/ann" text && by=ann && forge $f/receipt.sig text.sig && finds "differs .*receipt signature .*something else than .sg-receipt." &&
	rm text.sig && ssh-keygen -q -Y sign -n sg-receipt -f "$HOME/eve" text && forge $f/receipt.sig text.sig && sg verify >out && grep -q "open .*receipt signature .*nobody" out; by=; back
'
t 'an approval that is none: of other words, taken away, of a stranger' '
	fresh && f=$(added) && a=$(g ls-tree --name-only main $f/approvals/ | head -1) && echo other >text && ssh-keygen -q -Y sign -n sg-approval -f "$HOME/ann" text && by=bob && forge $a text.sig && finds "differs .*approvals .*one is no approval of this" &&
	grep -q "differs .*trust main: graft .* has 1 of 2 approvals" out && g show main:$f/approval.json >text && rm text.sig && ssh-keygen -q -Y sign -n sg-approval -f "$HOME/eve" text && forge $a text.sig && finds "differs .*trust main: graft .* has 1 of 2 approvals; still to ask: " &&
	sed "s/accept/reject/" text >h && forge $f/approval.json h && finds "differs .*approvals .*approval.json says other things"; by=; back
'
# policy_by <who> <text file>: a policy commit by stock git
policy_by () {
	by=$1 && printf "policy: mine\n\nSg-Op: policy\nSg-Policy: sha256:%s\n" "$(sha256sum <"$2" | cut -d" " -f1)" >msg && GIT_INDEX_FILE=$here/index && export GIT_INDEX_FILE && rm -f "$GIT_INDEX_FILE" &&
		g read-tree main && g update-index --cacheinfo "100644,$(g hash-object -w "$2"),policy" && g update-ref refs/heads/main "$(g -c user.signingKey="$HOME/$1" commit-tree -S -p main "$(g write-tree)" <msg)"
	rc=$?
	unset GIT_INDEX_FILE
	by=
	return $rc
}
t 'a policy that lets its own maker in' '
	fresh && g show main:policy | sed "s,$(pub ann),$(pub eve)," >p && policy_by eve p && finds "differs .*trust main: commit .*no signer of the policy signed it" && sg log --show-signature -n 1 | grep -q "^Signed: unknown" && cd .. &&
	fresh && g show main:policy >p && printf "[trust]\n\tprotected = nothing\n" >>p && sed -i "0,/protected = main/s///" p && policy_by eve p && sg checkout -q main; finds "differs .*trust" && cd .. &&
	fresh && g show main:policy | sed "s,$(pub bob),$(pub eve)," >p && policy_by ann p && sg verify -q; back
'

# --- over to others ------------------------------------------------------------

# tip <registry>: a plain unsigned commit on its main
tip () { git --git-dir=$1/.sg/registry.git update-ref refs/heads/main "$(echo quiet | git --git-dir=$1/.sg/registry.git commit-tree -p main main^{tree})"; }
t 'a push of an unsigned commit to a protected branch is refused, here' '
	cp -r a srv && sg clone -q srv mine && tip mine && cd mine && fails_with 1 sg push >out 2>&1 && grep -q "stands on .main., and the policy protects that branch; it is not signed" out &&
	is "$(git --git-dir=../srv/.sg/registry.git rev-parse main)" "$(g rev-parse main~1)" && sg branch free && sg push -q origin free:refs/heads/free; back
'
t 'a fetch stores such a line and says so; a pull does not take it; verify names it' '
	sg clone -q srv ours && tip srv && cd ours && was=$(g rev-parse main) && fails_with 1 sg fetch >out 2>&1 && grep -q "stored, but not to be trusted: commit" out && g rev-parse origin/main &&
	fails_with 1 sg pull >out 2>&1 && grep -q "it is not signed" out && is "$(g rev-parse main)" "$was" && fails_with 1 sg merge origin/main 2>err && grep -q "it is not signed" err && is "$(g rev-parse main)" "$was" &&
	fails_with 1 sg verify >out && grep -q "differs .*ref origin/main: commit .*it is not signed" out && fails_with 1 sg verify origin/main >/dev/null; back
'
t 'a clone of such a line is made, and says so' '
	fails_with 1 sg clone srv theirs >out 2>&1 && grep -q "not to be trusted" out && [ -d theirs/.sg ] && git --git-dir=srv/.sg/registry.git update-ref refs/heads/main main~1
'
t 'a line that goes around the signers by a merge from outside' '
	sg clone -q srv round && cd round && was=$(g rev-parse main) && root=$(g show main:policy | sed "/^\[signer/,\$d; /approvals/d" | g hash-object -w --stdin) &&
	tree=$({ g ls-tree main | grep -v "	policy$"; printf "100644 blob %s\tpolicy\n" $root; } | g mktree) && r=$(printf "init\n\nSg-Op: init\n" | g commit-tree $tree) && m=$(printf "x\n\nSg-Op: merge\n" | g commit-tree main^{tree} -p $r -p main) &&
	git --git-dir=../srv/.sg/registry.git fetch -q "$PWD/.sg/registry.git" $m 2>/dev/null || { g update-ref refs/heads/x $m && git --git-dir=../srv/.sg/registry.git fetch -q "$PWD/.sg/registry.git" x; };
	git --git-dir=../srv/.sg/registry.git update-ref refs/heads/main $m && fails_with 1 sg pull >out 2>&1 && grep -qE "begins anew|not signed" out && is "$(g rev-parse main)" "$was"; back
'
t 'a remote that goes back to an older line is named, until that is accepted' '
	git --git-dir=srv/.sg/registry.git update-ref refs/heads/main "$(git --git-dir=a/.sg/registry.git rev-parse main)" && sg clone -q srv seen && cd seen && tip=$(g rev-parse main) && git --git-dir=../srv/.sg/registry.git update-ref refs/heads/main main~1 &&
	fails_with 1 sg fetch >out 2>&1 && grep -q "protected branch .main. was rolled back: it had reached $(echo $tip | cut -c1-10) and is at" out && fails_with 1 sg fetch >/dev/null 2>&1 && fails_with 1 sg verify >out && grep -q "differs .*ref origin/main: protected branch .main. was rolled back" out &&
	fails_with 1 sg pull >out 2>&1 && is "$(g rev-parse main)" "$tip" && sg fetch --accept-rollback -q && sg fetch && sg verify -q && git --git-dir=../srv/.sg/registry.git update-ref refs/heads/main $tip && sg fetch -q && sg verify -q && sg remote remove origin && is "$(g for-each-ref refs/sg-seen)" ""; back
'
t 'a protected branch of our own that was taken back is named; so is one moved by hand' '
	fresh && tip=$(g rev-parse main) && g update-ref -m "by night" refs/heads/main main~1 && sg verify >out && grep -q "open .*ref main: it was taken back from $(echo $tip | cut -c1-10) to .*by night" out &&
	g update-ref refs/heads/main $tip && sg verify >out && ! grep -q "ref main" out && prev=$(g rev-parse main~1) && echo $prev >.sg/registry.git/refs/heads/main && sg verify >out && grep -q "open .*ref main: it was moved without a word" out; back
'
t 'a protected name is not given to an unsigned line; a merge does not take one in' '
	fresh && was=$(g rev-parse main) && tip . && c=$(g rev-parse main) && g update-ref refs/heads/main $was && g update-ref refs/heads/free $c && g update-ref refs/remotes/o/main $c && sg checkout -q free &&
	fails_with 1 sg branch -f main free 2>err && grep -q "it is not signed" err && is "$(g rev-parse main)" "$was" && sg checkout -q main && as ann policy set gate.quality.min-docs 201 && now=$(g rev-parse main) &&
	fails_with 1 sg merge o/main "--sign=$HOME/ann" 2>err && grep -q "it is not signed" err && is "$(g rev-parse main)" "$now"; back
'
done_
