#!/bin/sh
# Encoding speed beside the `tokenizers` library, one thread, the same texts, in
# turn: sh tests/bench/tokenizer.sh TOKENIZER.json [TEXT...]
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
python3 tests/bench/tokenizer.py 3 "$json" "$@" >"$tmp" || : >"$tmp"
$out 5 "$json" "$@" | paste -d' ' - "$tmp" | awk '
$1 == "load" { printf "load: sg %.2f s, tokenizers %.2f s\n", $2, $4; next }
{ printf "%s: sg %.1f MB/s", $4, $1 / $3 / 1e6
  if (NF > 5) printf ", tokenizers %.2f MB/s, ratio %.1f%s", $5 / $7 / 1e6, $7 / $3, $2 == $6 ? "" : ", NOT THE SAME NUMBER OF TOKENS"
  print "" }'
