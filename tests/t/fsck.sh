. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
mkdir a && cd a && grow_registry && sg train -q --type layer --name first $fast && sg accept -q first &&
	sg train -q --type lora --name second $fast && sg validate -q second && cd .. || exit 1
fresh () { rm -rf b && cp -r a b && cd b; }
back () { rc=$?; cd "$here/work"; return $rc; }

t 'a whole registry' '
	cd a && sg fsck >out && is "$(cat out)" "the registry is whole" && sg fsck -q >out && [ ! -s out ] && git_ fsck --strict && fails_with 129 sg fsck x; back
'
t 'every byte of a pack and its index counts' '
	for e in pack idx; do
		for part in 4 3 2 1; do
			fresh && p=$(ls .sg/registry.git/objects/pack/*.$e | head -1) && chmod u+w "$p" && at=$(($(wc -c <"$p") * part / 5)) &&
			byte=$(od -An -tu1 -j $at -N1 "$p") && printf "\\$(printf %o $((byte ^ 16)))" | dd of="$p" bs=1 seek=$at conv=notrunc 2>/dev/null || return 1
			sg fsck >out 2>err
			rc=$?
			[ $rc = 1 ] && grep -q . out || [ $rc = 128 ] && [ "$(wc -l <err)" -le 1 ] || return 1
			cd ..
		done
	done
'
t 'a pack that is gone or cut short' '
	fresh && rm -f $(ls -S .sg/registry.git/objects/pack/*.pack | head -1) && { sg fsck >out 2>&1; rc=$?; [ $rc = 1 ] || [ $rc = 128 ]; } && cd .. &&
	fresh && p=$(ls -S .sg/registry.git/objects/pack/*.pack | head -1) && chmod u+w "$p" && truncate -s -40 "$p" && { sg fsck >out 2>&1; rc=$?; [ $rc = 1 ] || [ $rc = 128 ]; }; back
'
t 'a ref to nothing, a branch that is no registry' '
	fresh && echo 1234567812345678123456781234567812345678 >.sg/registry.git/refs/heads/lost && fails_with 1 sg fsck >out && grep -q "refs/heads/lost" out && rm .sg/registry.git/refs/heads/lost &&
	c=$(echo foreign | git_ commit-tree "$(git_ mktree </dev/null)") && git_ update-ref refs/heads/foreign $c && fails_with 1 sg fsck >out && grep -q "^registry  refs/heads/foreign: .*sg.json" out; back
'
t 'a candidate and a report that are none' '
	fresh && c=$(echo x | git_ commit-tree "$(git_ mktree </dev/null)" -p main) && git_ update-ref refs/sg/cand/0123456789abcdef $c && git_ update-ref refs/sg/report/0123456789abcdef/w $c &&
	fails_with 1 sg fsck >out && grep -q "refs/sg/cand/0123456789abcdef" out && grep -q "^report  refs/sg/report/0123456789abcdef/w" out; back
'
t 'a policy that cannot be read' '
	fresh && blob=$(echo "[gate \"nonsense\"]" | git_ hash-object -w --stdin) && { git_ ls-tree main | grep -v "	policy$"; printf "100644 blob %s\tpolicy\n" $blob; } | git_ mktree >tree &&
	git_ update-ref refs/heads/main "$(echo x | git_ commit-tree $(cat tree) -p main)" && fails_with 1 sg fsck >out && grep -q "^policy  refs/heads/main" out; back
'
t 'tokens that are not what they are named after' '
	fresh && f=$(ls .sg/data/*.tokens | head -1) && printf x | dd of="$f" bs=1 seek=300 conv=notrunc 2>/dev/null && fails_with 1 sg fsck >out && grep -q "^data  refs/heads/main" out; back
'
t 'leftovers are remarks' '
	fresh && touch .sg/registry.git/refs/heads/main.lock .sg/data/x.tokens.tmp-1-0 && sg fsck >out && grep -q "^remark  registry.git/refs/heads/main.lock" out && grep -q "^remark  data/x.tokens.tmp-1-0" out; back
'
if have python3; then
t '--json' '
	fresh && sg fsck --json >out && is "$(json damages <out)" 0 && touch .sg/registry.git/refs/heads/main.lock && c=$(echo x | git_ commit-tree "$(git_ mktree </dev/null)") && git_ update-ref refs/heads/foreign $c &&
	fails_with 1 sg fsck --json >out && is "$(json damages <out)" 1 && is "$(json problems 0 damage <out)" true; back
'
else
skip python3 '--json'
fi
done_
