#!/bin/sh
# Text in several languages from Debian packages, which are fetched and not installed:
# for each package a file of plain text in ${SG_MODELS:-${XDG_CACHE_HOME:-~/.cache}/sg}/debian,
# whose paths are printed. HTML is stripped to text, manual pages stay as they are
# written; documents are sorted by path and divided by an empty line.
#
#	sh tests/models/debian.sh PACKAGE...
set -e
dir=${SG_MODELS:-${XDG_CACHE_HOME:-$HOME/.cache}/sg}/debian
mkdir -p "$dir"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for p; do
	if [ ! -s "$dir/$p.txt" ]; then
		mkdir "$tmp/$p"
		(cd "$tmp/$p" && apt-get download -qq "$p" >&2 2>/dev/null && dpkg-deb -x ./*.deb x) || { echo "cannot fetch $p" >&2; exit 1; }
		python3 - "$tmp/$p/x" "$dir/$p.txt.part" <<'END'
import gzip, html.parser, os, re, sys

class Text(html.parser.HTMLParser):
    SKIP, BLOCK = {"script", "style", "head"}, {"p", "div", "li", "tr", "br", "h1", "h2", "h3", "h4", "h5", "h6"}
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.out, self.skip = [], 0
    def handle_starttag(self, tag, attrs):
        self.skip += tag in self.SKIP
        if tag in self.BLOCK:
            self.out.append("\n")
    def handle_endtag(self, tag):
        self.skip -= tag in self.SKIP and self.skip > 0
    def handle_data(self, data):
        if not self.skip:
            self.out.append(re.sub(r"\s+", " ", data))

def plain(path):
    data = (gzip.open if path.endswith(".gz") else open)(path, "rb").read()
    text = data.decode("utf-8")
    if not path.endswith(".html"):
        return text
    t = Text()
    t.feed(text)
    return "\n".join(l for l in (l.strip() for l in "".join(t.out).split("\n")) if l)

with open(sys.argv[2], "w", encoding="utf-8", newline="") as out:
    for top, dirs, files in os.walk(sys.argv[1]):
        dirs.sort()
        for name in sorted(files):
            path = os.path.join(top, name)
            if os.path.islink(path) or not (name.endswith(".html") or (name.endswith(".gz") and "/man" in top)):
                continue
            try:
                text = plain(path).strip()
            except (UnicodeDecodeError, OSError):
                continue
            if len(text) > 200:
                out.write(re.sub(r"\n\s*\n", "\n", text) + "\n\n")
END
		mv "$dir/$p.txt.part" "$dir/$p.txt"
	fi
	echo "$dir/$p.txt"
done
