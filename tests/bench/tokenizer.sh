#!/bin/sh
# Encoding speed beside the `tokenizers` library, one thread, the same texts, in
# turn; the ids are compared by their hash:
#	sh tests/bench/tokenizer.sh TOKENIZER.json [TEXT...]
# SG_TOKENIZER names another file for sg to read the same tokenizer from, SG_ROUNDS how
# often each is tried (5; 3 for the library).
set -e
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || { echo "usage: tokenizer.sh TOKENIZER.json [TEXT...]" >&2; exit 129; }
json=$1
shift
[ $# -gt 0 ] || set -- ../shared/corpora/pd-en-tomsawyer.txt ../shared/corpora/pd-es-rv1909.txt
make -s CUDA=0 build/cpu/libsg.a
out=build/cpu/bench-tokenizer
${CC:-cc} -std=c11 -O2 -I. -Isrc -D_GNU_SOURCE -rdynamic -o $out tests/bench/tokenizer.c build/cpu/libsg.a \
	$(pkg-config --libs libgit2 openssl libzstd) \
	$(pkg-config --libs msgpack-c 2>/dev/null || pkg-config --libs msgpack) -lm -lpthread -ldl
tmp=$(mktemp)
trap 'rm -f "$tmp"' EXIT
python3 tests/bench/tokenizer.py ${SG_ROUNDS:-3} "$json" "$@" >"$tmp" || : >"$tmp"
$out ${SG_ROUNDS:-5} "${SG_TOKENIZER:-$json}" "$@" | paste -d' ' - "$tmp" | awk '
$1 == "load" { printf "load: sg %.2f s, tokenizers %.2f s\n", $2, $4; next }
{ printf "%s: sg %.1f MB/s", $4, $1 / $3 / 1e6
  if (NF > 5) printf ", tokenizers %.2f MB/s, ratio %.1f%s", $5 / $7 / 1e6, $7 / $3, $2 == $6 ? ", same ids" : ", OTHER IDS"
  print "" }'
