# Sourced by each tests/t/*.sh: `. "${0%/*}/lib.sh"`. Gives a fresh folder and
# home, a fixed identity and clock, and TAP lines:
#
#	t 'what must hold' '
#		sg init &&
#		fails_with 129 sg init --nope 2>err &&
#		grep -q "unknown option" err
#	'
#	done_
#
# Each body is one && chain, run in the current shell (variables and cd last).
SG=${SG:-$(cd "${0%/*}/../.." && pwd)/build/latest/sg}
SG_TOP=${SG_TOP:-$(cd "${0%/*}/../.." && pwd)}
here=$(mktemp -d "${TMPDIR:-/tmp}/sg-t.XXXXXX") && cd "$here" || exit 1
at_exit_ () { :; }		# what a test started and must end
trap 'at_exit_; cd /; rm -rf "$here"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir home work && cd work || exit 1
HOME=$here/home
XDG_CONFIG_HOME=$HOME/.config
GIT_CONFIG_NOSYSTEM=1
GIT_AUTHOR_NAME='A Grower' GIT_AUTHOR_EMAIL=grower@example.com
GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
LC_ALL=C.UTF-8 TZ=UTC TERM=dumb
export SG SG_TOP HOME XDG_CONFIG_HOME GIT_CONFIG_NOSYSTEM LC_ALL TZ TERM \
	GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL GIT_AUTHOR_DATE GIT_COMMITTER_DATE
unset SG_DIR SG_PAGER PAGER GIT_DIR GIT_WORK_TREE SSH_AUTH_SOCK

# SG_VALGRIND=1: a report of valgrind is exit status 99, which no test expects.
sg () {
	if [ "$SG_VALGRIND" ]; then
		valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
			--show-leak-kinds=definite "$SG" "$@"
	else
		"$SG" "$@"
	fi
}

n=0 bad=0
body_ () { eval "$1"; }		# a function, so that a body may `return 1`
t () {
	n=$((n + 1))
	if body_ "$2" >"$here/log" 2>&1 </dev/null; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		sed 's/^/# /' "$here/log"
		bad=1
	fi
}

# skip <reason> <title>: one test that cannot run here. SG_TEST_REQUIRE=<reason> makes it fail.
skip () {
	n=$((n + 1))
	case " $(echo "$SG_TEST_REQUIRE" | tr , ' ') " in
	*" $1 "* | *" all "*) echo "not ok $n - $2"; echo "# missing: $1"; bad=1 ;;
	*) echo "ok $n - $2 # SKIP $1" ;;
	esac
}

# have python3 || { skip python3 'title'; done_; }
have () { command -v "$1" >/dev/null 2>&1; }

# fails_with <status> <command ...>
fails_with () {
	want=$1
	shift
	"$@"
	got=$?
	[ $got -eq "$want" ] || { echo "exit $got, wanted $want: $*"; return 1; }
}

# same <file> <file>; is <text> <text>
same () { cmp "$1" "$2" || { diff "$1" "$2" | head -20; false; }; }
is () { [ "$1" = "$2" ] || { printf 'got:    %s\nwanted: %s\n' "$1" "$2"; false; }; }

# The value of a top-level or nested key of JSON on stdin: json a b 0. Needs python3.
json () {
	python3 -c '
import json, sys
v = json.load(sys.stdin)
for k in sys.argv[1:]:
    v = v[int(k)] if isinstance(v, list) else v[k]
print(v if isinstance(v, str) else json.dumps(v))' "$@"
}

# A registry with a small substrate, a set `book` to train on and one `held` to
# judge on (210 documents), and fast options of a training run.
grow_registry () {
	sg init --width 32 -q &&
	awk 'BEGIN { for (i = 1; i <= 350; i++) print "line " i " of a text that tells " i * i % 89 }' >book.txt &&
	sg data add book -q --role train --split line --to 40 book.txt &&
	sg data add held -q --role accept --split line --from 40 book.txt
}
fast='--steps 12 --batch 4 --seq 32 --lr 0.02'

done_ () { echo "1..$n"; exit $bad; }
