# The main job, end to end: sh tests/demo.sh, or `make demo`. On two cores and no
# GPU it takes some minutes. A model grows from nothing on a real novel; every
# step is judged on pages that it has not read; one is taken back; the rest is
# made a new base, used, pushed, cloned and proven. DEMO_DIR keeps the folder.
set -e
cd "${0%/*}/.."
top=$(pwd)
SG=${SG:-$top/build/latest/sg}
if [ "${DEMO_DIR:-}" ]; then
	mkdir -p "$DEMO_DIR" && cd "$DEMO_DIR" && dir=$(pwd)
else
	dir=$(mktemp -d "${TMPDIR:-/tmp}/sg-demo.XXXXXX") && cd "$dir"
	trap 'cd /; rm -rf "$dir"' EXIT
fi
GIT_CONFIG_NOSYSTEM=1 HOME=$dir
export GIT_CONFIG_NOSYSTEM HOME
git config --global user.name 'A Grower'
git config --global user.email grower@example.com
began=$(date +%s)

say () { printf '\n== %s\n' "$*"; }
sg () {
	printf '$ sg'
	for word in "$@"; do case $word in *[!A-Za-z0-9_./:=,-]*) printf " '%s'" "$word" ;; *) printf ' %s' "$word" ;; esac; done
	printf '\n'
	"$SG" "$@"
}
field () { tr ',{}[]' '\n\n\n\n\n' | sed -n "s/^\"$1\":\"\{0,1\}\([^\"]*\)\"\{0,1\}$/\1/p" | head -1; }

say "real text: a novel from a Debian package; its last tenth is held out"
[ -s novel.txt ] || sh "$top/tests/corpus.sh" novel.txt
awk -v RS= -v ORS='\n\n' '{ p[NR] = $0 } END { for (i = 1; i <= NR; i++) print p[i] > (i > NR * 0.9 ? "held.txt" : "pages.txt") }' novel.txt
wc -c pages.txt held.txt

say "a base made by sg: byte vocabulary, frozen token code, no blocks, nothing trained"
sg init --width 128
sg data add pages --role train --to 89 pages.txt
sg data add recent --role retain --from 89 pages.txt
sg data add held --role accept held.txt

say "grow it: two layers and a LoRA, each let in by the gates only"
sg train --type layer --name first --steps "${DEMO_STEPS:-600}" --batch 16 --lr 5e-3 --accept
sg train --type layer --name second --steps "${DEMO_STEPS:-600}" --batch 16 --lr 5e-3 --accept
"$SG" -q eval --json --window 256 held >before.json
sg train --type lora --rank 16 --name polish --steps "$((${DEMO_STEPS:-600} / 4))" --batch 16 --lr 3e-3 --accept
sg status
sg log

say "against xz -9e on the same held-out file"
xz=$(xz -9e -c held.txt | wc -c)
bytes=$(wc -c <held.txt)
bpb=$("$SG" -q eval --json --window 256 --file held.txt | field bits_per_byte)
awk -v x="$xz" -v n="$bytes" -v m="$bpb" 'BEGIN {
	printf "xz -9e    %.3f bits/byte\ngrown     %.3f bits/byte\n", 8 * x / n, m
	exit !(m < 8 * x / n) }'

say "take the LoRA back: the losses are those recorded before it, byte for byte"
sg revert polish
"$SG" -q eval --json --window 256 held >after.json
cmp before.json after.json && echo "identical: $(field losses <after.json)"

say "and let it in again, then make all that has grown a new base"
sg accept polish
sg consolidate --structural --fold
sg status
sg eval --window 256

say "let it write"
sg generate --prompt 'The whale' --tokens 200 --temperature 0.7 --seed 7
echo

say "push, clone, and prove it over there, down to the loss of every document"
git init -q --bare team.git
sg remote add origin "$dir/team.git"
sg push
sg clone "$dir/team.git" copy
cd copy
sg data add recent --role retain --from 89 ../pages.txt
sg data add held --role accept ../held.txt
sg verify --replay
sg fsck
sg log --oneline

say "done in $(($(date +%s) - began)) s"
