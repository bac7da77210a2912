"""Files of the families whose space is U+2581 and whose unknown characters are bytes,
Llama 2's and those that a Metaspace makes, over one vocabulary trained on a text.
usage: tokenizer_metaspace.py TEXT DIR"""
import json, os, sys
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

LOW = "\u2581"
REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": LOW}
BACK = [{"type": "Replace", "pattern": {"String": LOW}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]


def metaspace(scheme, split):
    return {"type": "Metaspace", "replacement": LOW, "prepend_scheme": scheme, "split": split}


FAMILIES = {
    "llama2": ({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": LOW}, REPLACE]}, None),
    "metaspace first": (None, metaspace("first", False)),
    "metaspace always": (None, metaspace("always", True)),
    "metaspace never": (None, metaspace("never", False)),
    "replace": (REPLACE, None),
}


def train(lines):
    """Pieces at most a word long, for whole lines as words take hours."""
    tok = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tok.normalizer = normalizers.Sequence([normalizers.Prepend(LOW), normalizers.Replace(" ", LOW)])
    tok.pre_tokenizer = pre_tokenizers.Split(LOW, "merged_with_next")
    special = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % i for i in range(256)]
    tok.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=6000, special_tokens=special, limit_alphabet=1500,
                                                       show_progress=False))
    return json.loads(tok.to_str())


def main():
    with open(sys.argv[1], encoding="utf-8", newline="") as f:
        made = train(f.read().split("\n"))
    made["added_tokens"] = [a for a in made["added_tokens"] if not a["content"].startswith("<0x")]
    for name, (norm, pre) in FAMILIES.items():
        strip = [] if name in ("metaspace never", "replace") else [{"type": "Strip", "content": " ", "start": 1, "stop": 0}]
        made.update(normalizer=norm, pre_tokenizer=pre, decoder={"type": "Sequence", "decoders": BACK + strip})
        with open(os.path.join(sys.argv[2], name + ".json"), "w", encoding="utf-8") as f:
            json.dump(made, f, ensure_ascii=False)


main()
