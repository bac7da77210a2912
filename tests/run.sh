# Run every test and count: the C tests ($SG_TESTS), tests/lint/*.sh and
# tests/t/*.sh. Each prints TAP; one that dies, runs too long or breaks its plan
# is a failure. Two run at a time. Last line: "N passed, N failed, N skipped".
#
#	sh tests/run.sh [<part of a name> ...]
#
#	SG=build/cpu/sg SG_TESTS=build/cpu/sg-tests	what to test
#	SG_TEST_REQUIRE="cuda shared"	a skip for one of these reasons is a failure ("all": any)
#	SG_TEST_TIMEOUT=300		seconds for one file (3000 under valgrind)
#	SG_VALGRIND=1			tests/t run sg under valgrind, see tests/t/lib.sh
#	SG_TEST_JOBS=2			files at a time
#	SG_TEST_VERBOSE=1		show every line
cd "${0%/*}/.." || exit 1
top=$(pwd)
absolute () { case $1 in '' | /*) echo "$1" ;; *) echo "$top/$1" ;; esac; }
SG=$(absolute "${SG:-build/latest/sg}")
SG_TESTS=$(absolute "${SG_TESTS:-${SG%/*}/sg-tests}")
SG_TOP=$top
# A test says what happened to it, whatever the machine's language and git setup.
LC_ALL=C.UTF-8 TZ=UTC
export SG SG_TESTS SG_TOP LC_ALL TZ
[ ! "$SG_VALGRIND" ] || export SG_TEST_TIMEOUT="${SG_TEST_TIMEOUT:-3000}"
unset SG_DIR GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE CDPATH MAKEFLAGS MFLAGS MAKELEVEL

out=$(mktemp -d "${TMPDIR:-/tmp}/sg-run.XXXXXX") || exit 1
trap 'rm -rf "$out"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
export out

# One file: its output to $out/<n>.log, then what is worth reading of it.
cat >"$out/one" <<'END'
n=$1 name=$2
limit=${SG_TEST_TIMEOUT:-300}
began=$(date +%s)
case $name in
*.sh) timeout -k 5 "$limit" sh "$name" ;;
*) SG_TEST_TIMEOUT=$limit timeout -k 5 $((limit * 3)) "$SG_TESTS" ;;
esac >"$out/$n.log" 2>&1 </dev/null
rc=$?
spent=$(($(date +%s) - began))
awk -v name="$name" -v rc=$rc -v spent=$spent -v limit="$limit" -v all="$SG_TEST_VERBOSE" '
/^ok / { ran++; if (/# SKIP/) { skip++; print name ": " $0 } else { pass++; if (all) print name ": " $0 } open = 0; next }
/^not ok / { ran++; fail++; print name ": " $0; open = 1; next }
/^1\.\.[0-9]+/ { plan = substr($0, 4) + 0; planned = 1; if (/# SKIP/ && !plan) { skip++; ran = 0; print name ": " $0 } open = 0; next }
{ last[++lines] = $0; if (open || all || /^# .* took /) print name ": " $0 }
END {
	why = ""
	if (rc == 124 || (rc == 137 && spent >= limit)) why = "ran longer than " limit " s"
	else if (!planned) why = "ended without a plan, exit " rc " after " ran + 0 " tests"
	else if (plan != ran) why = "planned " plan " tests, ran " ran + 0
	else if (rc && !fail) why = "exit " rc " though no test failed"
	if (why != "") {
		fail++
		print name ": not ok - " why
		for (i = lines > 30 ? lines - 29 : 1; i <= lines; i++) print name ": " last[i]
	}
	printf "%d %d %d %d %s\n", pass, fail, skip, spent, name >"/dev/stderr"
}' "$out/$n.log" 2>"$out/$n.sum" >"$out/$n.out"
cat "$out/$n.out"
END

# Files that are new in the tree afterwards: a test belongs in its own folder.
untracked () { git ls-files --others --exclude-standard 2>/dev/null; }
untracked >"$out/before"

list=
for f in "$SG_TESTS" tests/t/*.sh tests/lint/*.sh; do
	case $f in */lib.sh | *'*'*) continue ;; esac
	name=$f
	[ "$f" = "$SG_TESTS" ] && name=sg-tests
	if [ $# -gt 0 ]; then
		hit=
		for p; do case $name in *"$p"*) hit=1 ;; esac; done
		[ "$hit" ] || continue
	fi
	list="$list $name"
done

n=0
for name in $list; do n=$((n + 1)); echo "$n $name"; done |
	xargs -P "${SG_TEST_JOBS:-2}" -L 1 sh "$out/one"

cat "$out"/*.sum 2>/dev/null | sort -k4nr >"$out/all"
awk '$4 >= 20 { print "# " $5 " took " $4 " s" }' "$out/all"
untracked | grep -vxFf "$out/before" >"$out/new" && {
	echo "not ok - tests left in the tree: $(tr '\n' ' ' <"$out/new")"
	echo "0 1 0 0 leftovers" >>"$out/all"
}
# A file whose runner itself was killed has no sum.
awk -v want=$(echo $list | wc -w) '
{ p += $1; f += $2; s += $3; if ($5 != "leftovers") n++ }
END {
	if (n < want) { f += want - n; print "not ok - " want - n " files were not run to the end" }
	if (!p && !f && !s) { f++; print "not ok - no test ran" }
	print p + 0 " passed, " f + 0 " failed, " s + 0 " skipped"
	exit f > 0
}' "$out/all"
