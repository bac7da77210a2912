# The demo's life of a model with everything computed on the GPU; then a clone of it is
# proven on the processor, down to the loss of every document. Text: the pages of man/.
set -e
cd "${0%/*}/../.."
top=$(pwd)
SG=${SG:-$top/build/latest/sg} device=${SG_LIFE_DEVICE:-cuda} steps=${SG_LIFE_STEPS:-120}
dir=$(mktemp -d "${TMPDIR:-/tmp}/sg-life.XXXXXX")
trap 'rm -rf "$dir"' EXIT
cd "$dir"
HOME=$dir GIT_CONFIG_NOSYSTEM=1
GIT_AUTHOR_NAME='A Grower' GIT_AUTHOR_EMAIL=grower@example.com
GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
export HOME GIT_CONFIG_NOSYSTEM GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL
sg () { echo "$ sg $*"; "$SG" --device "$device" "$@"; }

# Five lines are a document, each once; every fourth is held out.
cat "$top"/man/*.[157] | awk 'NR % 5 == 1 { print "" } { print }' |
	awk -v RS= -v ORS='\n\n' '!seen[$0]++ { n++; print >(n % 4 ? "pages.txt" : "held.txt") }'
sg init --width 128
sg data add pages --role train --to 69 pages.txt
sg data add recent --role retain --from 69 pages.txt
sg data add held --role accept held.txt
sg train --type layer --name first --steps "$steps" --batch 16 --lr 5e-3 --accept
sg train --type layer --name second --steps "$steps" --batch 16 --lr 5e-3 --accept
"$SG" -q --device "$device" eval --json --window 256 held >before.json
sg train --type lora --rank 16 --name polish --steps $((steps / 4)) --batch 16 --lr 3e-3 --accept
sg revert polish
"$SG" -q --device "$device" eval --json --window 256 held >after.json
cmp before.json after.json
"$SG" -q --device cpu eval --json --window 256 held >processor.json
cmp before.json processor.json
sg accept polish
sg consolidate --structural --fold
sg generate --prompt 'The graft' --tokens 40 --temperature 0.7 --seed 7
git init -q --bare team.git
sg remote add origin "$dir/team.git"
sg push
"$SG" -q clone "$dir/team.git" copy
cd copy
sg data add recent --role retain --from 69 ../pages.txt
sg data add held --role accept ../held.txt
"$SG" --device cpu verify --replay >../proof
cat ../proof
! grep -q 'same verdict' ../proof || grep -q ' 0 with the same verdict' ../proof
