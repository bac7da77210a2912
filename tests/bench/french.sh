#!/bin/sh
# SmolLM2 learns French help texts: a `lora` and a `phi` graft of nearly equal parameter
# count, trained on equal tokens of LibreOffice's help in French, gated on its last fifth
# and on the English one for retention; both exported to PEFT and as a merged folder,
# whose losses by peft and transformers are set beside those of `sg eval`.
# The gates want 200 documents; DOCS (240) makes a trial shorter, which is then deferred.
#	sh tests/bench/french.sh [steps of 512 tokens] [folder to keep]
set -e
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
steps=${1:-200} threads=${SG_THREADS:-2}
file=$(sh tests/models/smollm2.sh --path) || { echo "no model: sh tests/models/smollm2.sh fetches it"; exit 0; }
set -- $(sh tests/models/debian.sh libreoffice-help-fr libreoffice-help-en-us) "$2"
fr=$1 en=$2 dir=$3
make -s CUDA=0 build/cpu/sg
sg () { "$top/build/cpu/sg" "$@"; }
if [ "$dir" ]; then
	mkdir -p "$dir"
else
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
fi
cd "$dir"
GIT_AUTHOR_NAME=bench GIT_AUTHOR_EMAIL=bench@example.com GIT_COMMITTER_NAME=bench GIT_COMMITTER_EMAIL=bench@example.com
SG_THREADS=$threads
export GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL SG_THREADS
sg init -q --base "$file"
# a page is a paragraph of the text; each is cut, so that all weigh alike
cut_pages () {
	python3 -c 'import sys
for page in open(sys.argv[1], encoding="utf-8").read().split("\n\n"):
    if page.strip():
        print(page.strip()[:900], end="\n\n")' "$1"
}
cut_pages "$fr" >fr.txt
cut_pages "$en" >en.txt
sg data add -q fr --role train --to 80 --min-bytes 300 fr.txt
sg data add -q fr-held --role accept --from 80 --min-bytes 300 --max-docs ${DOCS:-240} fr.txt
sg data add -q en-held --role retain --from 80 --min-bytes 300 --max-docs ${DOCS:-240} en.txt
sg eval --json --window 256 fr-held en-held >base.json || :
train="--sites *.attn.* --data fr --steps $steps --batch 2 --seq 256 --lr 0.002 --seed 1"
nice -n 5 "$top/build/cpu/sg" train -q --type lora --rank 4 --set alpha=8 --name lora $train --json >lora.train
nice -n 5 "$top/build/cpu/sg" train -q --type phi --rank 62 --name phi $train --json >phi.train
python3 -c 'import sys
pages = open("fr.txt", encoding="utf-8").read().split("\n\n")
sys.stdout.write(pages[len(pages) * 9 // 10])' >probe.txt
for g in lora phi; do
	sg validate --json $g >$g.verdict || :
	sg export -q --format peft $g-peft $g
	sg export --force --format hf --cand $g --dtype F32 --json $g-hf >$g.kept
	sg eval --json --window 512 --cand $g --file probe.txt >$g.eval
done
HF_HUB_OFFLINE=1 python3 "$top/tests/bench/french.py" "$file"
