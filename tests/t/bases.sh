# The life of a graft on small models of other kinds than Llama: the files that
# tests/golden/arch.py made, with a tokenizer of single characters.
. "${0%/*}/lib.sh"
have python3 || { skip python3 'the life of a graft on bases of every kind'; done_; }
git_ () { git --git-dir=.sg/registry.git "$@"; }

# base <case>: a folder of that name as transformers would leave it.
base () {
	mkdir "$1" && cp "$SG_TOP/tests/golden/arch/$1.safetensors" "$1/model.safetensors" &&
	python3 - "$SG_TOP/tests/golden/arch/$1.want.safetensors" "$1" <<'END'
import json, struct, sys
with open(sys.argv[1], "rb") as f:
    head = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
with open(sys.argv[2] + "/config.json", "w") as f:
    f.write(head["__metadata__"]["config"])
pieces = ["<unk>", "\u2581"] + [chr(c) for c in range(97, 123)] + list("0123456789.,;:!?'-()")
tok = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
       "normalizer": {"type": "Sequence", "normalizers": [
           {"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
       "pre_tokenizer": None, "post_processor": None,
       "decoder": {"type": "Sequence", "decoders": [
           {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"},
           {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
       "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                 "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                 "vocab": {p: i for i, p in enumerate(pieces)}, "merges": []}}
with open(sys.argv[2] + "/tokenizer.json", "w") as f:
    json.dump(tok, f)
END
}
losses () { sg eval --json "$@" | sed 's/"state":"[0-9a-f]*",\{0,1\}//'; }
grow () { sg train -q --steps 6 --batch 4 --seq 24 --lr 0.01 --accept --name "$@"; }
loss () { sg eval held | awk '$1 == "held" { printf "%.3f", $5 }'; }

awk 'BEGIN { for (i = 1; i <= 260; i++) print "line " i " of a text, " i * i % 89 "." }' >book.txt
for b in gpt2 gpt_neox opt qwen2 qwen3 mistral; do
	t "$b: change, grow, take back to the same bits" '
		cd "$here/work" && base $b && mkdir reg-$b && cd reg-$b && sg init -q --base ../$b &&
		sg data add book -q --role train --split line --to 20 ../book.txt &&
		sg data add held -q --role accept --split line --from 20 ../book.txt && losses >before &&
		grow one --type lora --rank 2 && losses >one && grow two --type layer &&
		grow three --type lora --rank 2 --sites "grown.*.attn.*" && losses >three &&
		! cmp -s before one && ! cmp -s one three && sg revert -q --force --cascade two && losses >now && same one now &&
		sg revert -q --force one && losses >now && same before now && sg verify >/dev/null
	'
	t "$b: the composition as a folder is a base of its kind" '
		cd "$here/work/reg-$b" && sg export --format hf --dtype F32 --rev main~2 out >log && tail -1 log | grep -q "3 layers" &&
		sg eval --rev main~2 held | awk "\$1 == \"held\" { printf \"%.3f\", \$5 }" >want && mkdir ../again-$b && cd ../again-$b &&
		sg init -q --base ../reg-$b/out && sg data add held -q --role accept --split line --from 20 ../book.txt &&
		is "$(loss)" "$(cat ../reg-$b/want)"
	'
done
done_
