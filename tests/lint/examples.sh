# Run the examples of the manual pages. In a page's source,
#	.\" run
# before a block says that the lines in it that begin with "$ " are commands to
# run, in order, each with status 0; the other lines are what they print, for
# the reader. All blocks of a page run in one fresh folder. A line
#	.\" $ <command>
# is run too and not shown: it prepares what the example speaks of.
top=$(cd "${0%/*}/../.." && pwd)
. "$top/tests/t/lib.sh"

# The commands of a page as a script; mdoc's escapes become what they print.
script () {
	awk '
	/^\.\\" run$/ { armed = 1; next }
	/^\.\\" \$ / { sub(/^\.\\" \$ /, ""); print; next }
	/^\.Bd/ && armed { on = 1; armed = 0; next }
	/^\.Ed/ { on = 0; more = 0 }
	on && (more || /^\$ /) {
		sub(/^\$ /, "")
		gsub(/\\e/, "\\"); gsub(/\\-/, "-"); gsub(/\\&/, ""); gsub(/\\\(aq/, "\047")
		more = /\\$/
		print
	}' "$1"
}

# Names on the PATH: examples say `sg`.
mkdir "$here/bin"
{
	echo '#!/bin/sh'
	echo 'exec "$SG" "$@"'
} >"$here/bin/sg"
chmod +x "$here/bin/sg"
PATH=$here/bin:$PATH
for page in "$top"/man/*.[157]; do
	script "$page" >"$here/script"
	[ -s "$here/script" ] || continue
	rm -rf "$here/work/x"
	mkdir "$here/work/x"
	t "examples of ${page##*/}" '(cd x && sh -ex "$here/script")'
done
done_
