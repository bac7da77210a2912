. "${0%/*}/lib.sh"
# Another side that means harm: repositories with what git itself would not write, and
# a server that says whatever stands in a file.
git_ () { git --git-dir="$here/work/a/.sg/registry.git" "$@"; }
mkdir a && cd a && grow_registry && sg train -q --type layer --name first $fast && sg accept -q first && cd .. || exit 1
tip=$(git_ rev-parse main) esc=$(printf '\033')
z=0000000000000000000000000000000000000000

# A bare copy of the registry, the names in whose tree nobody checked.
evil_repo () { rm -rf evil.git && cp -r a/.sg/registry.git evil.git && git --git-dir=evil.git config transfer.fsckObjects false && git --git-dir=evil.git config receive.fsckObjects false; }
evil () { git --git-dir=evil.git "$@"; }
# main there becomes a commit whose tree has one more entry: <mode> <name> <oid>
evil_entry () {
	python3 - "$1" "$2" "$3" "$(evil rev-parse main^{tree})" <<-'END'
		import subprocess, sys
		mode, name, oid, tree = sys.argv[1:]
		old = subprocess.run(['git', '--git-dir=evil.git', 'cat-file', 'tree', tree], stdout=subprocess.PIPE, check=True).stdout
		new = mode.encode() + b' ' + name.encode('unicode_escape').decode('unicode_escape').encode('latin-1') + b'\0' + bytes.fromhex(oid)
		open('tree', 'wb').write(new + old if name < 'd' else old + new)
	END
	t=$(evil hash-object -t tree -w --literally tree) && c=$(echo evil | evil commit-tree "$t" -p main) && evil update-ref refs/heads/main "$c"
}
refused () { # <what the error says> <command ...>
	why=$1
	shift
	fails_with 128 "$@" 2>err && cat err && is "$(grep -c . err)" 1 && grep -q -- "$why" err && ! grep -q "$esc" err
}
# nothing of it is reachable in a registry that fetched, nor is there a folder of a clone
not_taken () { # <what the error says>
	sg clone -q a b && sg -C b remote add evil "$here/work/evil.git" -q && git --git-dir=b/.sg/registry.git for-each-ref >was && refused "$1" sg -C b fetch evil &&
	git --git-dir=b/.sg/registry.git for-each-ref >now && same was now && refused "$1" sg clone evil.git d && [ ! -e d ]
	rc=$?
	rm -rf b d
	return $rc
}

if have python3; then
# bounded <KiB>: no more memory than that; a sanitizer's own shadow is larger than any bound
bounded () { sanitized || ulimit -v "$1"; }
t 'names in folders that lead elsewhere' '
	blob=$(echo x | git_ hash-object -w --stdin) && for name in .. . .git .GIT "a/../../x" /etc "c:x" "a\\b" ""; do
		evil_repo && evil_entry 100644 "$name" "$(echo x | evil hash-object -w --stdin)" && not_taken "refused what came: .*bad entry\|refused what came: .*not allowed\|corruption on the remote" || { echo "name: $name"; return 1; }
	done && evil_repo && evil_entry 40000 .. "$(evil rev-parse main^{tree})" && not_taken "bad entry" &&
	evil_repo && evil_entry 100644 "$(printf "a\033[2Jb")" "$(echo x | evil hash-object -w --stdin)" && not_taken "not allowed"
'
t 'links in place of files, modules in place of folders' '
	evil_repo && export GIT_INDEX_FILE="$here/index" && rm -f "$here/index" && evil read-tree main && blob=$(printf /etc/passwd | evil hash-object -w --stdin) &&
	evil update-index --cacheinfo 120000,$blob,sg.json && c=$(echo evil | evil commit-tree "$(evil write-tree)" -p main) && evil update-ref refs/heads/main "$c" &&
	refused "symbolic link" sg clone evil.git d && [ ! -e d ] && graft=$(evil ls-tree --name-only main grafts/) &&
	evil read-tree main~1 && evil ls-tree -r main~1 "$graft/" | sed "s/^[0-9]*/0/" | evil update-index --index-info && evil update-index --add --cacheinfo 160000,$c,$graft &&
	c=$(echo evil | evil commit-tree "$(evil write-tree)" -p main~1) && evil update-ref refs/heads/main "$c" && fails_with 128 sg clone evil.git d 2>err && is "$(grep -c . err)" 1 && [ ! -e d ]
	rc=$?; unset GIT_INDEX_FILE; [ $rc = 0 ]
'
else
skip python3 'names in folders that lead elsewhere'
skip python3 'links in place of files, modules in place of folders'
fi

# What the server says: lines of pkt, then raw bytes. It hears us out.
printf '#!/bin/sh\ncat "%s/say"\nexec cat >/dev/null\n' "$here" >fake && chmod +x fake
GIT_SSH=$here/work/fake
export GIT_SSH
pkt () { s=$(printf "$1"; echo x); s=${s%x}; printf '%04x%s' $((${#s} + 4)) "$s"; }
# first line: a ref and capabilities behind a NUL
first () { printf '%04x%s %s\000%s\n' $((4 + 40 + 1 + ${#2} + 1 + ${#3} + 1)) "$1" "$2" "$3"; }
caps="side-band-64k ofs-delta report-status"

t 'refs with names that are none, or that mean something here' '
	{ first $tip HEAD "$caps symref=HEAD:refs/heads/../../evil" && for r in refs/heads/main "refs/heads/../../../../hit" refs/heads/-x refs/heads/--upload-pack=x refs/heads/HEAD "refs/heads/a..b" \
		"refs/heads/a\033[2Jb" "refs/heads/x.lock" refs/sg-remote/evil/cand/0123456789abcdef refs/sg-private/x refs/remotes/origin/main refs/tags/-v "/etc/passwd" ../x refs/heads/ "refs/heads/a b" "refs/heads/a\177"; do
		pkt "$tip $r\n"
	done && printf 0000; } >"$here/say" && sg clone -q a b && sg -C b remote add evil host:x -q && git --git-dir=b/.sg/registry.git for-each-ref | cut -f2 | sort >was &&
	sg -C b fetch evil >out 2>err && cat out && git --git-dir=b/.sg/registry.git for-each-ref | cut -f2 | sort >now && is "$(comm -13 was now)" refs/remotes/evil/main &&
	! grep -q "$esc" out err && is "$(git --git-dir=b/.sg/registry.git rev-parse HEAD)" "$tip"
	rc=$?; rm -rf b; [ $rc = 0 ]
'
t 'a list of refs that is none' '
	long=$(printf "%070000d" 0) && for say in "" "0001" "0003" "fff1" "ffff" "zzzz" "-001" "+0x5" "0004" "000bhello\n" "003e$tip refs/heads/x\n" "ffffffffffffffff" "002a$tip" "HTTP/1.1 200 OK\n"; do
		printf -- "$say" >"$here/say" && refused "" sg clone host:x d && [ ! -e d ] || { echo "say: $say"; return 1; }
	done && printf "%s" "$long" >"$here/say" && refused "" sg clone host:x d && [ ! -e d ]
'
t 'what the server prints is shown harmless' '
	pkt "ERR \033[2Jgo \342\200\256away\n" >"$here/say" && refused "x1b" sg clone host:x d && ! grep -q "$(printf "\342\200\256")" err &&
	{ first $tip refs/heads/new "$caps" && printf 0000 && pkt "NAK\n" && pkt "\002\033]0;title\007\n" && pkt "\003\033[2Jno\n"; } >"$here/say" &&
	printf "#!/bin/sh\nprintf \"\\\\033[2Jlast words\" >&2\nexit 1\n" >dies && chmod +x dies && GIT_SSH=$here/work/dies && refused "last words" sg clone host:x d
	rc=$?; GIT_SSH=$here/work/fake; [ $rc = 0 ]
'
other=0123456789abcdef0123456789abcdef01234567
answer () { first $other refs/heads/main "$caps" && printf 0000 && pkt 'NAK\n'; }
t 'packs that promise too much, too little or something else' '
	for body in "PACK\000\000\000\002\377\377\377\377" "PACK\000\000\000\002\000\377\377\377" "PACK\000\000\000\011\000\000\000\001" "PACK" "" "JUNKJUNKJUNKJUNK" \
		"PACK\000\000\000\002\000\000\000\001\377\377\377\377\377\377\377\377\377\377\177x" "PACK\000\000\000\002\000\000\000\001\277\377\377\377\377\177x\234" \
		"PACK\000\000\000\002\000\000\000\001\340\001\377x\001" "PACK\000\000\000\002\000\000\000\000"; do
		{ answer && printf "%04x\001$body" $(($(printf "$body" | wc -c) + 5)) && printf 0000; } >"$here/say" && (bounded 4000000; refused "" sg clone host:x d) && [ ! -e d ] || { echo "$body"; return 1; }
	done
'
t 'a line that is longer than what comes, a band that is none' '
	{ answer && printf "fff0\001PACK"; } >"$here/say" && refused "" sg clone host:x d && { answer && printf "0009\007abcd0000"; } >"$here/say" && refused "unknown packet" sg clone host:x d &&
	{ answer && printf "0004"; } >"$here/say" && refused "" sg clone host:x d && [ ! -e d ]
'
t 'a report of a push that lies' '
	for rep in "0000" "000eunpack ok\n0000" "0013unpack \033[2Jno\n0000" "000eunpack ok\n0019ok refs/heads/other\n0000" "000eunpack ok\nffffok" "000eunpack ok\n001cng refs/heads/main \033[2J\n0000" "0001" "zzzz" "-001-001-001" "000eunpack ok\n-005x" "+0x5x"; do
		len=$(printf -- "$rep" | wc -c) && { first $z "capabilities^{}" "$caps" && printf 0000 && printf "%04x\001$rep" $((len + 5)) && printf 0000; } >"$here/say"
		sg -C a push host:x main >out 2>err; rc=$?
		cat out err; [ $rc = 1 ] || [ $rc = 128 ] || { echo "$rep: $rc"; return 1; }
		! grep -q "$esc" out err || return 1
	done
'
t 'sizes of chunks and depths of receipts that nobody has room for' '
	evil_repo && export GIT_INDEX_FILE="$here/index" && rm -f "$here/index" && evil read-tree main && g=$(evil ls-tree --name-only main grafts/) && chunk=$(evil ls-tree -r --name-only main "$g/data/" | head -1) &&
	head -c 1000000 /dev/zero | tr "\0" "\221" >deep && evil update-index --cacheinfo 100644,$(evil hash-object -w deep),$g/receipt.mp && evil update-ref refs/heads/main "$(echo evil | evil commit-tree "$(evil write-tree)" -p main)" &&
	(bounded 4000000; sg clone -q evil.git d; sg -C d verify >out 2>err; rc=$?; cat out err; [ $rc = 1 ] && grep -q differs out && fails_with 128 sg -C d show first 2>err; cat err) && rm -rf d &&
	for head in "SGC1\001\001\000\000\377\377\377\377\000\000\000\000" "SGC1\002\004\000\000\000\000\000\200\000\000\000\000"; do
		{ printf "$head"; head -c 900000000 /dev/zero | if command -v zstd >/dev/null; then zstd -q -c; else head -c 1000; fi; } >bomb && evil read-tree $tip && evil update-index --cacheinfo 100644,$(evil hash-object -w bomb),$chunk &&
		evil update-ref refs/heads/main "$(echo evil | evil commit-tree "$(evil write-tree)" -p $tip)" && (bounded 2000000; sg clone -q evil.git d && fails_with 1 sg -C d verify >out && fails_with 128 sg -C d eval 2>err; rc=$?; cat err; [ $rc = 0 ] && is "$(grep -c . err)" 1 && grep -q "chunk\|tensor" err) || return 1
		rm -rf d
	done
	rc=$?; unset GIT_INDEX_FILE; [ $rc = 0 ]
'
t 'escape sequences in who, what and when of a commit' '
	evil_repo && c=$(GIT_AUTHOR_NAME="$(printf "\033]0;x\007me")" GIT_COMMITTER_NAME="$(printf "\302\233me")" evil commit-tree "main^{tree}" -p main -m "$(printf "see \033[2J\342\200\256this")") && evil update-ref refs/heads/main "$c" &&
	evil tag "$(printf "v\342\200\256x")" main && sg clone evil.git d >out 2>err && { sg -C d log; sg -C d log --oneline; sg -C d show HEAD; sg -C d status; sg -C d tag; sg -C d verify; sg -C d fetch; } >>out 2>>err; cat out err; [ -s out ] &&
	! grep -q "$esc\|$(printf "\342\200\256\|\302\233")" out err
	rc=$?; rm -rf d; [ $rc = 0 ]
'
t 'files are for those whom the umask lets in' '
	unset GIT_SSH && (umask 022 && sg clone -q evil.git m && git init -q --bare n.git && sg -C m push -q ../n.git main) && is "$(find m -perm -020 -o -perm -002 | grep -v "^$" | head -3)" "" && rm -rf m &&
	(umask 077 && sg clone -q evil.git m) && is "$(find m ! -type l -perm /077 | head -3)" "" && rm -rf m n.git
'
done_
