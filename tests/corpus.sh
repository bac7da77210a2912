# Real text for the demo: sh tests/corpus.sh FILE
# Herman Melville, Moby-Dick (1851), public domain, from a Debian package that is
# downloaded and unpacked, not installed. Chapters only, paragraphs between blank lines.
set -e
package=golang-github-colinmarc-hdfs-dev
out=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -q download $package >log 2>&1 || { apt-get -q update && apt-get -q download $package; } >>log 2>&1 ||
	{ cat log >&2; echo "corpus.sh: cannot download package $package" >&2; exit 1; }
dpkg -x ./*.deb unpacked
find unpacked -name mobydick.txt -exec cat {} + | tr -d '\r' |
	awk '/^CHAPTER 1\./ { on = 1 } /^End of Project Gutenberg|^\*\*\* *END OF/ { exit } on' >"$out"
[ -s "$out" ] || { echo "corpus.sh: package $package does not hold the text" >&2; exit 1; }
