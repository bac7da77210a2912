# Names, leftovers, and what a file may not hold.
cd "${0%/*}/../.." || exit 1
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
# The project's own text files, whether or not this is a git checkout.
files=$(find src format kernels cmd tests man Makefile README.md CONTRIBUTING.md .ci -type f \
	\( -name '*.[ch157]' -o -name '*.cu' -o -name '*.cuh' -o -name '*.def' -o -name '*.sh' -o -name '*.py' \
	-o -name '*.md' -o -name Makefile -o -name run \) 2>/dev/null | sort)
sources=$(echo "$files" | grep -E '\.([ch]|cu|cuh|def)$')
others=$(echo "$files" | grep -v '^tests/lint/names.sh$')

# ar and a debugger know a member by its base name only
verdict 'no two library files share a base name' "$(
	echo "$files" | grep -E '^(src|format|kernels)/.*\.c$' | sed 's,.*/,,' | sort | uniq -d)"
verdict 'nothing is left to do in a comment' "$(grep -nE '\b(TODO|FIXME|XXX)\b' $others /dev/null)"
verdict 'no path of one machine' "$(
	grep -nE '(^|[^A-Za-z0-9_.])/(home|work|Users|mnt)/[a-z]' $others /dev/null)"
verdict 'tabs indent C' "$(
	for f in $sources; do grep -nE '^    +[^ *]' "$f" /dev/null | head -3; done)"
verdict 'no blanks at the end of a line' "$(grep -nE '[[:blank:]]+$' $files /dev/null | head -20)"
verdict 'no C++ comments in C' "$(
	grep -nE '(^|[[:space:];{}])//' $(echo "$sources" | grep -E '\.[ch]$') /dev/null | grep -vE '"[^"]*//' | head -20)"
# 100 columns is the rule for new lines; what is past this limit is a mistake.
verdict 'no line is past 130 columns' "$(
	for f in $(echo "$sources" | grep -v -e '\.def$' -e '^tests/'); do expand "$f" | awk -v f="$f" 'length($0) > 130 { print f ":" NR ": " length($0) " columns" }'; done | head -20)"
verdict 'every list names a file that is there' "$(
	list () { # <def file> <macro> <pattern with %>
		[ -f "$1" ] || return 0
		sed -n "s/^$2(\([a-z_0-9]*\).*/\1/p" "$1" | while read -r x; do
			f=$(echo "$3" | sed "s/%/$x/")
			[ -f "$f" ] || echo "$1: no $f"
		done
	}
	list cmd/commands.def SG_CMD cmd/%.c)"
echo "1..$n"
exit $bad
