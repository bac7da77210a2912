. "${0%/*}/lib.sh"

t 'outside a registry: one line, exit 128' '
	fails_with 128 sg status 2>err && is "$(wc -l <err)" 1
'
sg init --width 32 -q || exit 1
t 'a new registry' '
	sg status >out && grep -q "^On branch main, commit .*: init: substrate base" out && grep -q "made from its seed" out &&
	grep -q "0 grafts" out && grep -q "No data" out
'
rm -rf .sg
grow_registry && sg train --type layer --name first $fast -q || exit 1
t 'a candidate that was not validated, then its verdict' '
	sg status >out && grep -q "first *layer *1 site *not validated" out &&
	sg validate first -q && sg status >out && grep -q "first *layer *1 site *accept$" out
'
t 'the verdict is no longer current under another policy' '
	cp -r .sg was && printf "[gate \"quality\"]\n\tmin-docs = 10\n" >policy &&
	git --git-dir=.sg/registry.git cat-file -p main:policy >old &&
	blob=$(git --git-dir=.sg/registry.git hash-object -w policy) &&
	git --git-dir=.sg/registry.git read-tree main && git --git-dir=.sg/registry.git update-index --cacheinfo 100644,$blob,policy &&
	git --git-dir=.sg/registry.git update-ref refs/heads/main \
		$(git --git-dir=.sg/registry.git commit-tree -p main -m policy $(git --git-dir=.sg/registry.git write-tree)) &&
	sg status >out && grep -q "accept, on another stack or policy" out
	rc=$?
	rm -rf .sg && mv was .sg && return $rc
'
t 'accepted, deferred and rejected grafts stand in their places' '
	sg accept first -q && sg train --type lora --name later $fast -q && sg defer later -q &&
	sg train --type block --name never $fast -q && sg reject never -q && sg status >out &&
	sed -n "/^Active/,/^$/p" out | grep -q "first *layer *slot.0" && sed -n "/^Deferred/,/^$/p" out | grep -q "later *lora" &&
	sed -n "/^Rejected/,/^$/p" out | grep -q "never *block" && ! grep -q "^Candidates" out && grep -q "1 graft, " out
'
t 'the ref that an accept killed at its end left is no candidate' '
	at=$(git --git-dir=.sg/registry.git rev-parse main~0^{/^accept}^2) &&
	ref=refs/sg/cand/$(sed -n "/^Active/,/^$/p" out | grep -o "[0-9a-f]\{16\}" | head -1) &&
	git --git-dir=.sg/registry.git update-ref $ref $at && sg status >out && git --git-dir=.sg/registry.git update-ref -d $ref &&
	! grep -q "^Candidates" out
'
t 'data says when its tokens are not here' '
	mv .sg/data away && sg status >out && mv away .sg/data && is "$(grep -c "add its files again" out)" 2 &&
	sg status >out && ! grep -q "add its files again" out
'
t 'a stopped run, and how it goes on' '
	{ "$SG" train --type lora --name long --steps 100000 --batch 4 --seq 32 --save-every 5 -q 2>/dev/null & } && pid=$! &&
	for i in $(seq 200); do [ -e .sg/jobs/*.state ] && break; sleep 0.05; done && kill -TERM $pid && { wait $pid; is $? 128; } &&
	sg status >out && grep -q "long lora on .* of 100000, .*: .sg train --resume. goes on" out
'
t 'a state that cannot be read is shown as that' '
	echo junk >.sg/jobs/0000.state && sg status >out && grep -q "jobs/0000.state cannot be read" out && rm .sg/jobs/*.state
'
if have python3; then
t '--json' '
	sg status --json >out && is "$(json branch <out)" main && is "$(json stack 0 name <out)" first &&
	is "$(json stack 0 sites 0 <out)" slot.0 && is "$(json candidates 0 where <out)" deferred &&
	is "$(json candidates 1 name <out)" never && is "$(json data 0 name <out)" book && is "$(json data 0 present <out)" true &&
	is "$(json base bound <out)" true && is "$(json stopped <out)" "[]" &&
	is "$(json commit <out)" "$(git --git-dir=.sg/registry.git rev-parse main)" &&
	is "sha256:$(json state <out)" "$(git --git-dir=.sg/registry.git log -1 --format="%(trailers:key=Sg-State,valueonly)" main)"
'
else
skip python3 '--json'
fi
t 'a remote branch of the same name' '
	git --git-dir=.sg/registry.git update-ref refs/remotes/origin/main main~1 && sg status >out && grep -q "ahead of origin/main, 0 behind" out &&
	git --git-dir=.sg/registry.git update-ref refs/remotes/origin/main main && sg status >out && grep -q "^Even with origin/main" out
'
t 'a detached HEAD is said' '
	git --git-dir=.sg/registry.git update-ref --no-deref HEAD main && sg status >out && grep -q "HEAD is detached" out
'
done_
