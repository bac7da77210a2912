. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
model () {
	mkdir a && cd a && grow_registry && awk 'BEGIN { for (i = 600; i <= 850; i++) print "line " i " of a text that tells " i * i % 89 }' >keep.txt &&
		sg data add keep -q --role retain --split line keep.txt && sg train -q --type layer --name first $fast && sg accept -q first &&
		sg train -q --type lora --name second $fast && sg accept -q second && cd ..
}
model || exit 1

# tamper <path> <file> [<subject>]: one more commit on main, made with git alone.
tamper () {
	GIT_INDEX_FILE=$here/index && export GIT_INDEX_FILE && rm -f "$GIT_INDEX_FILE" && git_ read-tree main &&
		git_ update-index --add --cacheinfo "100644,$(git_ hash-object -w "$2"),$1" &&
		git_ update-ref refs/heads/main "$(printf '%s\n' "${3:-tampered}" | git_ commit-tree "$(git_ write-tree)" -p main)"
	rc=$?
	unset GIT_INDEX_FILE
	return $rc
}
fresh () { rm -rf b && cp -r a b && cd b; }
back () { rc=$?; cd "$here/work"; return $rc; }
first () { git_ ls-tree --name-only main grafts/ | head -1; }
added () { git_ diff --name-only main~1 main -- grafts | head -1 | cut -d/ -f1,2; }	# the graft that HEAD brought

t 'all of an honest line is proven' '
	cd a && git_ for-each-ref >../was && sg verify >out && ! grep -qE "differs|open" out && grep -q "^8 commits\|^7 commits\|^6 commits" out &&
	grep -q "2 grafts with .* 2 receipts, 3 data sets" out && sg verify -v >all && grep -q "proven *payload" all && grep -q "proven *verdict" all &&
	sg verify -q >out && [ ! -s out ] && git_ for-each-ref >../now && same ../was ../now; back
'
t 'receipts replay bit by bit, on each instruction set and any number of threads' '
	cd a && sg verify --replay >out && is "$(grep -c "replay .*same bits" out)" 2 && grep -q "2 receipts replayed: 2 with the same bits" out &&
	SG_ISA=scalar sg verify --replay --threads 1 -q >out && [ ! -s out ]; back
'
t 'an older revision' '
	cd a && sg verify main~1 >out && grep -q " 1 graft with .* 1 receipt," out && fails_with 128 sg verify nothing 2>err && is "$(wc -l <err)" 1 && fails_with 129 sg verify a b; back
'
t 'sets whose tokens are not here are named, and nothing else is lost' '
	fresh && rm .sg/data/$(sg data show keep | sed -n "s/^shard *//p").tokens && sg verify --replay >out && grep -q "open .*tokens keep: not on this machine" out &&
	is "$(grep -c "open .*set .keep. was not replayed" out)" 2 && is "$(grep -c "same bits: 210 documents of 1 sets" out)" 2; back
'
t 'a policy changed since: each receipt under its own' '
	fresh && git_ show main:policy >p && echo "# more" >>p && tamper policy p "policy: by hand

Sg-Op: policy
Sg-Policy: sha256:$(sha256sum <p | cut -d" " -f1)" && sg train -q --type lora --name third --seed 3 $fast && sg accept -q third && sg verify --replay -q; back
'
t 'a revert with its receipt, and the graft again' '
	fresh && sg revert second --force -q && sg verify --replay >out && grep -q " 3 receipts," out && is "$(grep -c "same bits:" out)" 3 &&
	sg accept second -q && sg verify -q && sg verify --replay -q && sg revert second --no-validate -q && sg verify >out && grep -q "open .*effect .*was not measured" out; back
'
t 'a consolidation with its receipt' '
	fresh && sg consolidate --structural -q >/dev/null && sg verify --replay >out && grep -q " 3 receipts," out && is "$(grep -c "same bits:" out)" 3; back
'

# --- what must be found ---------------------------------------------------------

# finds <pattern>: verify answers no, and says it
finds () { fails_with 1 sg verify >out && grep -qE "$1" out && git_ rev-parse main >now && same was now; }
was () { git_ rev-parse main >was; }

t 'a changed graft.json' '
	fresh && g=$(first) && git_ show main:$g/graft.json | sed "s/F32/F16/" >f && tamper $g/graft.json f && was && finds "differs .*graft .*changed after it was accepted" && grep -qE "differs .*composition: .*manifest" out; back
'
t 'a graft.json that is none' '
	fresh && g=$(first) && printf "{\"a\":" >f && tamper $g/graft.json f && was && finds "differs .*composition" && fails_with 1 sg fsck >out && grep -q "^registry.*refs/heads/main" out; back
'
t 'a changed receipt, accept.json, payload' '
	for x in receipt.mp accept.json data/; do
		fresh && g=$(first) && f=$(git_ ls-tree -r --name-only main $g | grep "$x" | head -1) && git_ show "main:$f" >f && printf x >>f && tamper "$f" f && was &&
		finds "differs .*graft .*changed after it was accepted" || return 1
		cd ..
	done
'
# forge <path> <file> ...: HEAD again, with these files in place of its own.
forge () {
	GIT_INDEX_FILE=$here/index && export GIT_INDEX_FILE && rm -f "$GIT_INDEX_FILE" && git_ read-tree main || return 1
	while [ $# -gt 0 ]; do
		git_ update-index --cacheinfo "100644,$(git_ hash-object -w "$2"),$1" || return 1
		shift 2
	done
	git_ update-ref refs/heads/main "$(git_ show -s --format=%B main | git_ commit-tree "$(git_ write-tree)" $(git_ show -s --format=%P main | sed "s/[0-9a-f]\{40\}/-p &/g"))"
	rc=$?
	unset GIT_INDEX_FILE
	return $rc
}
t 'a receipt or an accept.json that was false from the start' '
	for x in receipt.mp accept.json; do
		fresh && g=$(added) && git_ show "main:$g/$x" >f && LC_ALL=C sed "s/sg 0/sg 9/; s/\"docs\":210/\"docs\":999/" f >h && ! cmp -s f h &&
		forge $g/$x h && was && finds "differs .*accept.json .*says other things" || return 1
		cd ..
	done
'
t 'a revert or a consolidation that says other things than its receipt' '
	fresh && sg revert second --force -q && f=reverted/$(git_ ls-tree --name-only main:reverted)/effect.json && git_ show main:$f | sed "s/\"docs\":210/\"docs\":211/" >f &&
	forge $f f && was && finds "differs .*effect .*gates" && cd .. &&
	fresh && sg consolidate --structural -q >/dev/null && f=$(git_ ls-tree --name-only main consolidated/ | grep json) && git_ show main:$f | sed "s/\"verdict\":\"accept\"/\"verdict\":\"reject\"/g" >f &&
	forge $f f && was && finds "differs .*effect .*verdict"; back
'
if have python3; then
# One bit of the first loss under the candidate.
cat >"$here/flip" <<'END'
import sys
b = bytearray(open(sys.argv[1], "rb").read())
i = b.index(b"cand", b.index(b"sets")) + 4
i += {0xc4: 2, 0xc5: 3, 0xc6: 5}[b[i]]
b[i] ^= 1
open(sys.argv[2], "wb").write(b)
END
t 'one bit of a loss: its verdict does not follow, or the numbers are not those' '
	fresh && g=$(added) && git_ show "main:$g/receipt.mp" >f && python3 "$here/flip" f h && git_ show "main:$g/accept.json" >f.json &&
	sed "s/$(sha256sum <f | cut -d" " -f1)/$(sha256sum <h | cut -d" " -f1)/" f.json >h.json && forge $g/receipt.mp h $g/accept.json h.json && was && finds "differs .*verdict"; back
'
t 'losses that were made up where no gate asks: the replay finds them' '
	fresh && git_ show main:policy | sed "s/enabled = true/enabled = false/" >p && tamper policy p "policy: by hand

Sg-Op: policy
Sg-Policy: sha256:$(sha256sum <p | cut -d" " -f1)" && sg train -q --type lora --name third --seed 3 $fast && sg accept -q third && sg verify --replay -q &&
	g=$(added) && git_ show "main:$g/receipt.mp" >f && python3 "$here/flip" f h && git_ show "main:$g/accept.json" >f.json &&
	sed "s/$(sha256sum <f | cut -d" " -f1)/$(sha256sum <h | cut -d" " -f1)/" f.json >h.json && forge $g/receipt.mp h $g/accept.json h.json &&
	sg verify -q && fails_with 1 sg verify --replay >out && grep -q "differs .*replay .*candidate, document 0 of .held." out; back
'
else
skip python3 'one bit of a loss: its verdict does not follow, or the numbers are not those'
skip python3 'losses that were made up where no gate asks: the replay finds them'
fi
t 'a changed policy, sg.json, data set, base configuration' '
	for x in policy sg.json data/book.json base/config.json; do
		fresh && git_ show main:$x >f && echo "# looser" >>f && tamper $x f && was && finds "differs .*change ${x%%/*}" || return 1
		cd ..
	done
'
t 'an Sg-Op that covers the change does not hide what is wrong' '
	fresh && git_ show main:policy >f && echo "[gate \"quality\"] nonsense = 1" >>f && tamper policy f "x

Sg-Op: policy" && was && finds "differs .*policy" && cd .. &&
	fresh && echo "{}" >f && tamper data/evil.json f "x

Sg-Op: data" && was && finds "differs .*data evil" && cd .. &&
	fresh && echo "{}" >f && tamper grafts/0123456789abcdef/graft.json f "x

Sg-Op: accept" && was && finds "differs .*composition"; back
'
t 'a state, base or parent state that is not so' '
	for k in Sg-State Sg-Prev-State Sg-Base Sg-Metric Sg-Gate; do
		fresh && c=$(git_ show -s --format=%B main | sed "s/^\($k: .*\)[0-9a-f]\(.\)\$/\1z\2/" | git_ commit-tree main^{tree} -p main^1 -p main^2) && git_ update-ref refs/heads/main $c && was &&
		finds "differs .*(trailer $k|numbers .*$k)" && cd .. && fresh &&
		c=$(git_ show -s --format=%B main | sed "/^$k: /d" | git_ commit-tree main^{tree} -p main^1 -p main^2) && git_ update-ref refs/heads/main $c &&
		{ [ $k = Sg-Base ] || { was && finds "differs .*(trailer $k|numbers .*$k)"; }; } || return 1
		cd ..
	done
'
t 'a graft slipped in, or out, without a word' '
	fresh && c=$(echo quiet | git_ commit-tree main~1^{tree} -p main) && git_ update-ref refs/heads/main $c && was && finds "differs .*graft .*taken out" && grep -q "trailer Sg-State: the message does not have it" out && cd .. &&
	fresh && c=$(echo quiet | git_ commit-tree main^{tree} -p main~1) && git_ update-ref refs/heads/main $c && was && finds "differs .*graft .*put in"; back
'
t 'a plain commit beside it is no difference' '
	fresh && echo hello >f && tamper NOTES.md f && sg verify -q; back
'
t 'escape sequences in a message are shown harmless' '
	fresh && echo x >f && tamper policy f "$(printf "evil \033[2J\033]0;x\007 \342\200\256 \377 subject\n\nSg-Op: \033[31mred")" && was && fails_with 1 sg verify >out 2>err && grep -q "evil .x1b" out &&
	! grep -q "$(printf "\033")" out err && fails_with 1 sg verify --json >out && ! grep -q "$(printf "\033")" out && { ! command -v python3 >/dev/null || json differs <out >/dev/null; }; back
'
if have python3; then
cat >"$here/entry" <<'END'
import binascii, sys
sys.stdout.buffer.write(b"100644 " + sys.argv[1].encode() + b"\0" + binascii.unhexlify(sys.argv[2]))
END
t 'names that lead out of the tree' '
	for name in .. . .git; do
		fresh && blob=$(echo "{}" | git_ hash-object -w --stdin) && python3 "$here/entry" "$name" $blob >t && odd=$(git_ hash-object -w -t tree --literally t) &&
		{ git_ ls-tree main | grep -v "	data$"; printf "040000 tree %s\tdata\n" $odd; } >list && tree=$(git_ mktree <list) &&
		c=$(printf "x\n\nSg-Op: data\n" | git_ commit-tree $tree -p main) && git_ update-ref refs/heads/main $c || return 1
		sg verify >out 2>&1
		rc=$?
		[ $rc = 1 ] || [ $rc = 128 ] || return 1
		fails_with 1 sg fsck >out && cd .. && fails_with 128 sg clone b c 2>err && grep -q "bad entry" err && [ ! -e c ] || return 1
	done
'
else
skip python3 'names that lead out of the tree'
fi
t 'a byte flipped in a pack' '
	for at in 30 500 3000 9000; do
		fresh && p=$(ls -S .sg/registry.git/objects/pack/*.pack | head -1) && chmod u+w "$p" && printf "\377\376" | dd of="$p" bs=1 seek=$at conv=notrunc 2>/dev/null || return 1
		sg verify >out 2>&1
		rc=$?
		[ $rc = 0 ] || [ $rc = 1 ] || [ $rc = 128 ] || return 1
		fails_with 1 sg fsck >out && grep -q "^pack" out || return 1
		cd ..
	done
'
if have python3; then
t '--json' '
	cd a && sg verify --json --replay >out && is "$(json differs <out)" 0 && is "$(json same_bits <out)" 2 && is "$(json commits 0 op <out)" init && is "$(json commits 0 checks 0 proof <out)" proven; back
'
else
skip python3 '--json'
fi
done_
