#!/bin/sh
# SmolLM2 learns French help texts: a `lora` and a `phi` graft of the same number of
# parameters, for rank 15 of the four maps of attention, 15 (in + out) each, is together
# 4 times 120 squared. Both see the same windows of LibreOffice's help in French, are
# judged on its last fifth and on the English one for retention, and go out to PEFT and
# as a merged folder, whose losses by peft and transformers are set beside those of
# `sg eval`. Status 1: a verdict is not accept, or a loss differs by 1e-4.
# About ten minutes on two free cores, half an hour on busy ones. The gates want 200
# documents: DOCS below that ends in "defer".
#	sh tests/bench/french.sh [steps of 512 tokens] [folder to keep]
set -e
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top"
steps=${1:-60} docs=${DOCS:-220}
file=$(sh tests/models/smollm2.sh --path) || { echo "no model: sh tests/models/smollm2.sh fetches it"; exit 0; }
dir=$2
set -- $(sh tests/models/debian.sh libreoffice-help-fr libreoffice-help-en-us)
[ $# = 2 ] || { echo "no text: libreoffice-help-fr and libreoffice-help-en-us cannot be fetched"; exit 0; }
make -s CUDA=0 build/cpu/sg
PATH=$top/build/cpu:$PATH
if [ "$dir" ]; then
	mkdir -p "$dir"
else
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
fi
cd "$dir"
GIT_AUTHOR_NAME=bench GIT_AUTHOR_EMAIL=bench@example.com GIT_COMMITTER_NAME=bench GIT_COMMITTER_EMAIL=bench@example.com
SG_THREADS=${SG_THREADS:-2}
export GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL SG_THREADS
sg init -q --base "$file"
python3 "$top/tests/bench/french.py" cut fr "$1" $docs
python3 "$top/tests/bench/french.py" cut en "$2" $docs
sg data add -q fr --role train fr.train.txt
sg data add -q fr-held --role accept fr.held.txt
sg data add -q en-held --role retain en.held.txt
for g in lora phi; do
	case $g in
	lora) how='--rank 15 --set alpha=30' ;;
	phi) how='--rank 120' ;;
	esac
	sg train -q --type $g $how --name $g --sites '*.attn.*' --data fr --steps $steps --batch 4 --seq 128 \
		--lr ${LR:-0.001} --seed 1 --json >$g.train
	sg validate -q --json $g >$g.verdict || :
	sg export -q --format peft $g-peft $g
	sg export -q --format hf --cand $g --dtype F32 --json $g-hf >$g.kept
	sg eval -q --json --cand $g $(printf -- '--file %s ' probe.*.txt) >$g.eval
done
HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error TQDM_DISABLE=1 python3 -W ignore "$top/tests/bench/french.py" table "$file"
