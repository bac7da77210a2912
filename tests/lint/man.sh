# Every command has a page and a test; the page's synopsis is the usage that the
# program prints, each option stands in the page, and mandoc finds no fault.
cd "${0%/*}/../.." || exit 1
SG=${SG:-build/latest/sg}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0 bad=0
verdict () { # <title> <findings>
	n=$((n + 1))
	if [ "$2" ]; then
		echo "not ok $n - $1"
		echo "$2" | sed 's/^/# /'
		bad=1
	else
		echo "ok $n - $1"
	fi
}

# The forms of a page's SYNOPSIS as mandoc shows them, one a line.
synopsis () {
	mandoc -T ascii -O width=900 "$1" | sed "s/.$(printf '\b')//g" |
		sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' | sed -n '/^ *sg /p'
}
# A page underlines what usage puts in <>; blanks do not count.
plain () { sed 's/^ *\(usage\|or\): *//; s/[[:space:]<>]//g' | sort; }
if command -v mandoc >/dev/null 2>&1; then mandoc=1; else mandoc=; fi

commands=$(sed -n "s/^SG_CMD(\(.*\))$/\1/p" cmd/commands.def | tr _ -)
for c in $commands; do
	page=man/sg-$c.1
	[ -f "$page" ] || { verdict "sg-$c has a page" "$page is missing"; continue; }
	verdict "sg-$c has a test" "$([ -f "tests/t/$c.sh" ] || echo "tests/t/$c.sh is missing")"
	"$SG" "$c" -h >"$tmp/usage" 2>&1 || { verdict "sg $c -h" "exit $?"; continue; }
	sed -n '/^usage: /p; /^ *or: /p' "$tmp/usage" | plain >"$tmp/want"
	[ "$mandoc" ] && synopsis "$page" | plain >"$tmp/got"
	[ "$mandoc" ] && verdict "sg-$c: synopsis is usage" "$(diff "$tmp/want" "$tmp/got" | sed -n 's/^</usage: /p; s/^>/page:  /p')"
	verdict "sg-$c: every option stands in the page" "$(
		sed -n 's/^  \(-.,\|   \) \(--[a-z0-9-]*\).*/\2/p' "$tmp/usage" | while read -r o; do
			grep -qE "Fl -${o#--}([^a-z0-9-]|\$)" "$page" || echo "$o is not in $page"
		done)"
	verdict "sg-$c: every option of the page exists" "$(
		sed -n 's/^\.It Fl -\([a-z0-9-]*\).*/--\1/p; s/^\.It Fl . , Fl -\([a-z0-9-]*\).*/--\1/p' "$page" | while read -r o; do
			grep -qE -- "$o([^a-z0-9-]|\$)" "$tmp/usage" || echo "$o is not an option of sg $c"
		done)"
done

# Pages of commands that do not exist.
verdict 'every page has its command' "$(
	for p in man/sg-*.1; do
		c=${p#man/sg-}
		c=${c%.1}
		echo "$commands" | grep -qx "$c" || echo "$p: no command '$c'"
	done)"
verdict 'sg.1 lists every command' "$(
	for c in $commands; do grep -q "Xr sg-$c 1" man/sg.1 || echo "sg.1 does not refer to sg-$c"; done)"
verdict 'cross references lead somewhere' "$(
	sed -n 's/.*Xr \(sg[a-z-]*\) \([0-9]\).*/\1.\2/p' man/*.[157] | sort -u | while read -r x; do
		[ -f "man/$x" ] || echo "no man/$x"
	done)"
if [ "$mandoc" ]; then
	verdict 'mandoc finds no fault' "$(mandoc -T lint -W warning man/*.[157] 2>&1 |
		grep -vE 'referenced manual not found|Mdocdate|operating system explicitly' )"
else
	n=$((n + 1))
	case " $SG_TEST_REQUIRE " in
	*' mandoc '*) echo "not ok $n - mandoc agrees with the pages"; bad=1 ;;
	*) echo "ok $n - mandoc agrees with the pages # SKIP mandoc" ;;
	esac
fi
echo "1..$n"
exit $bad
