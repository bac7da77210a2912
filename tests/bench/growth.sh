#!/bin/sh
# Growth in stages beside its controls, on a base that sg trained: help texts of LibreOffice
# (Debian packages) in English, German and Spanish make the base, French is learnt, English is
# retained. For each seed `sg grow` goes through stages, of `block` and of `phi`, and lora,
# sparse, head, a full module and blocks everywhere at once are trained on as many tokens as
# the whole of the first of these took, search included, from the same base on the same data
# and judged by the same policy on the same documents. growth.py makes the table.
#
#	sh tests/bench/growth.sh [folder to keep; what is there is not made again]
#	SEEDS="1 2 3" STAGES=3 STEPS=40 BASE_STEPS=120 SG_THREADS=2
set -e
top=$(cd "$(dirname "$0")/../.." && pwd)
set -- "$1" $(sh "$top/tests/models/debian.sh" libreoffice-help-en-us libreoffice-help-de libreoffice-help-es libreoffice-help-fr)
keep=$1 en=$2 de=$3 es=$4 fr=$5
bin=${SG:-$top/build/latest/sg}
sg () { nice -n 5 "$bin" "$@"; }
if [ "$keep" ]; then
	mkdir -p "$keep"
else
	keep=$(mktemp -d)
	trap 'rm -rf "$keep"' EXIT
fi
cd "$keep"
SG_THREADS=${SG_THREADS:-2}
GIT_AUTHOR_NAME=bench GIT_AUTHOR_EMAIL=bench@example.com GIT_COMMITTER_NAME=bench GIT_COMMITTER_EMAIL=bench@example.com
export SG_THREADS GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL
stages=${STAGES:-3} steps=${STEPS:-40} seq=160
run="--batch 4 --seq $seq"

# Pieces of about 150 bytes from all over each page, each once; those of a page stay together.
cut_pages () {
	[ -s "$2" ] || python3 - "$1" >"$2" <<'END'
import re, sys
seen = set()
for page in open(sys.argv[1], encoding="utf-8").read().split("\n\n"):
    text, piece, n = re.sub(r"\s+", " ", page)[120:], "", 0
    for word in text.split(" "):
        piece += word + " "
        if len(piece.encode()) > 145:
            if n % 3 == 0 and piece not in seen:
                seen.add(piece)
                print(piece.strip())
            piece, n = "", n + 1
END
}
cut_pages "$en" en.txt
cut_pages "$de" de.txt
cut_pages "$es" es.txt
cut_pages "$fr" fr.txt

# The base: four layers, one after the other, then all of their maps together.
base () {
	rm -rf make && sg init -q --width 128 make && cd make
	for l in en de es; do
		sg data add -q $l --role train --split line --to 80 ../$l.txt
		sg data add -q $l-held --role accept --split line --from 98 --max-docs 40 ../$l.txt
	done
	sg policy set -q gate.quality.min-docs 20
	sg policy set -q gate.retention.min-docs 20
	for l in 1 2 3 4; do
		sg train --type layer --name layer$l --steps ${BASE_STEPS:-120} --batch 16 --seq $seq --lr 0.003 --seed $l --accept >>../base.log
	done
	sg consolidate -q --structural --out ../base.1
	sg train --type full --sites '*.attn.*,*.mlp.*' --name all --steps $((${BASE_STEPS:-120} * 2)) --batch 16 --seq $seq --lr 0.001 --accept >>../base.log
	sg consolidate -q --fold --out ../base
	cd ..
}
[ -d base ] || base
[ -d start ] || {
	sg init -q --base base start.new && cd start.new
	sg data add -q fr --role train --split line --to 80 --max-docs 3000 ../fr.txt
	sg data add -q en --role train --split line --to 80 ../en.txt	# rehearsal, about three to one
	sg data add -q fr-pick --role select --split line --from 80 --to 90 --max-docs 120 ../fr.txt
	sg data add -q en-pick --role select --split line --from 80 --to 90 --max-docs 120 ../en.txt
	sg data add -q fr-held --role accept --split line --from 90 --max-docs 240 ../fr.txt
	sg data add -q en-held --role retain --split line --from 90 --max-docs 240 ../en.txt
	cd .. && mv start.new start
}
sg -C start base --json >base.json
sg -C start eval fr-held en-held --window $seq --json >base.eval

# lr_of <name> <options ...>: the best of three rates, after a short training judged on the selection sets
lr_of () {
	name=$1
	shift
	[ -s "$name.lr" ] || {
		rm -rf tune && cp -r start tune
		for lr in 0.003 0.01 0.03; do
			sg -C tune train -q --name "l$lr" --steps $steps $run --seed 99 --lr $lr "$@"
			sg -C tune eval fr-pick en-pick --window $seq --cand "l$lr" --json | python3 -c "import json, sys; print(sum(l['nats'] for l in json.load(sys.stdin)['lines']), $lr)"
		done | sort -g | head -1 | cut -d' ' -f2 >"$name.lr"
	}
	cat "$name.lr"
}
# staged <name> <seed> <options ...>
staged () {
	dir=$1.$2 lr=$(cat "$1.lr") seed=$2
	shift 2
	[ ! -s $dir.grow ] || return 0
	rm -rf $dir && cp -r start $dir
	sg -C $dir grow --name g --stages $stages --probes 4 --probe-steps 10 --top 2 --steps $steps $run \
		--seed $seed --lr $lr --json "$@" >$dir.part || [ $? = 1 ]
	sg -C $dir status --json >$dir.status
	mv $dir.part $dir.grow
}
# control <name> <seed> <tokens> <options ...>
control () {
	dir=$1.$2 lr=$(cat "$1.lr") seed=$2 tokens=$3
	shift 3
	[ ! -s $dir.verdict ] || return 0
	rm -rf $dir && cp -r start $dir
	sg -C $dir train --name c --tokens $tokens $run --seed $seed --lr $lr --json "$@" >$dir.train
	sg -C $dir validate c --json >$dir.part || [ $? = 1 ]
	mv $dir.part $dir.verdict
}
block='--type block --set width=64 --sites *.out'
phi='--type phi --rank 64'
lora='--type lora --rank 8'
sparse='--type sparse --set count=512 --set score=gradient'
head='--type head'
full='--type full --sites layers.3.mlp.down'
blocks=$block
set -f		# globs of sites are for sg
lr_of block $block >log
lr_of phi $phi --sites layers.*.mlp.* >log
lr_of lora $lora >log
lr_of sparse $sparse >log
lr_of head $head >log
lr_of full $full >log
cp block.lr blocks.lr
for seed in ${SEEDS:-1 2 3}; do
	staged block $seed $block
	tokens=$(python3 -c "import json; print(json.load(open('block.$seed.grow'))['tokens'])")
	for c in lora sparse head full blocks; do
		eval "control $c $seed $tokens \$$c"
	done
done
for seed in ${SEEDS:-1 2 3}; do
	staged phi $seed $phi
done
python3 "$top/tests/bench/growth.py" "$top/tests/readers/receipt.py" ${SEEDS:-1 2 3}
