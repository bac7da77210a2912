#!/bin/sh
# Ids and speed beside the `tokenizers` library on 20 MB of text in eight languages from
# Debian packages, for each family: GPT-2, Llama 3, Qwen2, SmolLM, GPT-NeoX and OPT
# pipelines and metaspace ones with byte fallback over vocabularies trained here, and
# SmolLM2's own from its GGUF file, where that is at hand. With FAMILIES=metaspace only
# those, with another word only the byte-level ones: sh tests/bench/tokenizer_debian.sh
set -e
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for f in $(sh tests/models/debian.sh libreoffice-help-en-us libreoffice-help-fr manpages-de manpages-es manpages-ja manpages-ru manpages-zh); do
	head -c 3000000 "$f" | { iconv -c -f utf-8 -t utf-8 2>/dev/null || :; } >>"$dir/mixed.txt"
	head -c 40000 "$f" | { iconv -c -f utf-8 -t utf-8 2>/dev/null || :; } >>"$dir/sample.txt"
done
families=${FAMILIES:-all}
[ $families = metaspace ] || python3 tests/golden/tokenizer_families.py live "$dir" 10 100000 "$dir/sample.txt" >/dev/null
case $families in all | metaspace) python3 tests/bench/tokenizer_metaspace.py "$dir/sample.txt" "$dir" ;; esac
export SG_ROUNDS=1
for json in "$dir"/*.json; do
	echo "$(basename "$json" .json) $(sh tests/bench/tokenizer.sh "$json" "$dir/mixed.txt" | grep MB/s | sed "s|$dir/||")"
done
[ $families != metaspace ] || exit 0
file=$(sh tests/models/smollm2.sh --path) || exit 0
HF_HUB_OFFLINE=1 python3 - "$file" "$dir/smollm2" >/dev/null 2>&1 <<'END'
import os, sys
from transformers import AutoTokenizer
t = AutoTokenizer.from_pretrained(os.path.dirname(sys.argv[1]), gguf_file=os.path.basename(sys.argv[1]))
# transformers passes over the file's `pre`, smollm: each digit stands alone, as in the
# tokenizer.json that the model is published with
from tokenizers import pre_tokenizers as P
t.backend_tokenizer.pre_tokenizer = P.Sequence([P.Digits(individual_digits=True), P.ByteLevel(add_prefix_space=False)])
t.backend_tokenizer.save(sys.argv[2])
END
echo "SmolLM2 from GGUF $(SG_TOKENIZER=$file sh tests/bench/tokenizer.sh "$dir/smollm2" "$dir/mixed.txt" | grep MB/s | sed "s|$dir/||")"
