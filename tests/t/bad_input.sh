# What is damaged, made up or swapped is refused: one line that names it, the
# exit status that sg(1) promises, the registry as it was.
. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
have python3 || { skip python3 'damaged input is refused'; done_; }

# One line of error that says what is wrong where; nothing has changed.
refuses () { # <status> <pattern> <command ...>
	want_status=$1 pattern=$2
	shift 2
	[ ! -e .sg ] || git_ for-each-ref >was
	fails_with "$want_status" "$@" >out 2>err || { cat out err; return 1; }
	[ "$(wc -l <err)" -eq 1 ] && grep -q -- "$pattern" err || {
		echo "wanted one line with '$pattern':"
		cat err
		return 1
	}
	unchanged
}
# Whatever it answers: no crash, no more than one line of error, nothing has changed.
calm () { # <command ...>
	git_ for-each-ref >was
	"$@" >out 2>err
	answer=$?
	case $answer in
	0 | 1 | 128) [ "$(grep -vc "[0-9]% (" err)" -le 1 ] && unchanged ;;	# slow commands tell how far they are
	*) false ;;
	esac || {
		echo "from: $*"
		cat err
		false
	}
}
unchanged () {
	[ ! -e .sg ] || { git_ for-each-ref >now && same was now && is "$(ls .sg/tmp)" ""; }
}

# Checkpoints of a tiny Llama, each with one thing wrong with it.
cat >make.py <<'END'
import json, math, os, struct
D, F, V, L = 8, 12, 257, 1
config = {"model_type": "llama", "vocab_size": V, "hidden_size": D, "intermediate_size": F, "num_hidden_layers": L,
    "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
    "hidden_act": "silu", "tie_word_embeddings": False}
shapes = {"model.embed_tokens.weight": [V, D], "model.norm.weight": [D], "lm_head.weight": [V, D]}
for n, s in {"input_layernorm": [D], "self_attn.q_proj": [D, D], "self_attn.k_proj": [D, D], "self_attn.v_proj": [D, D],
        "self_attn.o_proj": [D, D], "post_attention_layernorm": [D], "mlp.gate_proj": [F, D], "mlp.up_proj": [F, D],
        "mlp.down_proj": [D, F]}.items():
    shapes["model.layers.0.%s.weight" % n] = s
vocab = {"<unk>": 0, **{"<0x%02X>" % b: b + 1 for b in range(256)}}
tokenizer = {"version": "1.0", "added_tokens": [{"id": 0, "content": "<unk>", "single_word": False, "lstrip": False,
    "rstrip": False, "normalized": False, "special": True}], "normalizer": {"type": "Prepend", "prepend": "_"},
    "pre_tokenizer": None, "post_processor": None, "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"},
    {"type": "Fuse"}]}, "model": {"type": "BPE", "unk_token": "<unk>", "byte_fallback": True, "fuse_unk": True,
    "vocab": vocab, "merges": []}}

def tensors(shapes, change=None, data=None):
    head, blob = {}, b""
    for i, (n, s) in enumerate(sorted(shapes.items())):
        k = math.prod(s)
        v = [1.0] * k if len(s) == 1 else [math.sin(i + 7 * j) / 3 for j in range(k)]
        if data: data(n, v)
        b = struct.pack("<%df" % k, *v)
        head[n] = {"dtype": "F32", "shape": s, "data_offsets": [len(blob), len(blob) + len(b)]}
        blob += b
    if change: change(head)
    h = json.dumps(head).encode()
    h += b" " * (-len(h) % 8)
    return struct.pack("<Q", len(h)) + h + blob

def folder(name, weights=None, cfg=config, tok=tokenizer, more={}):
    os.mkdir(name)
    put = lambda f, x: open(name + "/" + f, "wb").write(x if isinstance(x, bytes) else json.dumps(x).encode())
    put("config.json", cfg)
    if tok is not None: put("tokenizer.json", tok)
    if weights is not None: put("model.safetensors", weights)
    for f, x in more.items(): put(f, x)

good = tensors(shapes)
n = 8 + struct.unpack("<Q", good[:8])[0]
names = sorted(shapes)
def edit(**k):
    return lambda h: h[names[3]].update(k)
def swap(a, b):
    c = dict(shapes); c[b] = c.pop(a); return c
def without(a):
    c = dict(shapes); del c[a]; return c
def bad(value):
    def f(name, v):
        if name == names[4]: v[5] = value
    return f
def flip(b, i):
    return b[:i] + bytes([b[i] ^ 0x40]) + b[i + 1:]

folder("good", good)
W = "model.safetensors"
cases = {
    "cut": (good[:-100], W), "cut8": (good[:5], W), "cuth": (good[:n - 20], W), "empty": (b"", W),
    "long": (good + b"x" * 7, W), "header-huge": (struct.pack("<Q", 1 << 62) + good[8:], W),
    "header-big": (struct.pack("<Q", 100000001) + good[8:], W), "header-past": (struct.pack("<Q", len(good)) + good[8:], W),
    "header-zero": (struct.pack("<Q", 0) + good[8:], W),
    "flip-brace": (flip(good, 8), W), "flip-colon": (good[:8] + good[8:n].replace(b":", b";", 1) + good[n:], W),
    "offset-past": (tensors(shapes, edit(data_offsets=[0, 1 << 40])), names[3]),
    "offset-back": (tensors(shapes, edit(data_offsets=[64, 0])), names[3]),
    "offset-minus": (tensors(shapes, edit(data_offsets=[-4, 28])), names[3]),
    "offset-float": (tensors(shapes, edit(data_offsets=[0.5, 32])), names[3]),
    "shape-lies": (tensors(shapes, edit(shape=[D, D + 1])), names[3]),
    "shape-huge": (tensors(shapes, edit(shape=[1 << 33, 1 << 33])), names[3]),
    "shape-text": (tensors(shapes, edit(shape="8,8")), names[3]),
    "dtype": (tensors(shapes, edit(dtype="F99")), names[3]),
    "nan": (tensors(shapes, data=bad(float("nan"))), "'%s' .*not finite" % names[4]),
    "inf": (tensors(shapes, data=bad(float("-inf"))), "'%s' .*not finite" % names[4]),
    "missing": (tensors(without("model.norm.weight")), "missing 'model.norm.weight'"),
    "unknown": (tensors(swap("model.norm.weight", "model.norms.weight")), "unknown 'model.norms.weight'"),
    "extra": (tensors({**shapes, "model.layers.1.mlp.up_proj.weight": [F, D]}), "unknown 'model.layers.1.mlp.up_proj.weight'"),
    "wrong-shape": (tensors({**shapes, "model.norm.weight": [D + 1]}), "wrong shape of 'model.norm.weight'"),
    "transposed": (tensors({**shapes, "model.layers.0.mlp.up_proj.weight": [D, F]}), "wrong shape of .*up_proj"),
}
for k, (w, p) in cases.items(): folder(k, w)
folder("tied", tensors(without("lm_head.weight")), {**config, "tie_word_embeddings": True})
def configs(**k):
    return {**config, **k}
C = "config.json"
conf = {
    "c-cut": (json.dumps(config).encode()[:40], C), "c-empty": (b"", C), "c-list": ([], C), "c-none": ({}, "model_type"),
    "c-arch": (configs(model_type="nothing"), "nothing"), "c-zero": (configs(hidden_size=0), "hidden_size"),
    "c-minus": (configs(num_hidden_layers=-1), "num_hidden_layers"), "c-text": (configs(vocab_size="many"), "vocab_size"),
    "c-huge": (configs(hidden_size=1 << 60), "hidden_size"), "c-layers": (configs(num_hidden_layers=4096), "missing"),
    "c-heads": (configs(num_attention_heads=3, num_key_value_heads=2), "heads"), "c-eps": (configs(rms_norm_eps="x"), "rms_norm_eps"),
    "c-act": (configs(hidden_act="tan"), "activation .tan"), "c-deep": (b"[" * 100000, C), "c-utf8": (b'{"model_type":"\xff"}', C),
    "c-nul": (b'{"model_type":"llama\\u0000"}', "."),
}
for k, (c, p) in conf.items(): folder(k, good, c)
def toks(**k):
    return {**tokenizer, **k}
model = tokenizer["model"]
T = "tokenizer.json"
tok = {
    "t-cut": (json.dumps(tokenizer).encode()[:900], T), "t-empty": (b"", T), "t-list": ([], T), "t-none": ({}, T),
    "t-type": (toks(model={**model, "type": "Unigram"}), "Unigram"), "t-pre": (toks(pre_tokenizer={"type": "Magic"}), "Magic"),
    "t-merge": (toks(model={**model, "merges": ["a b c"]}), T), "t-merge2": (toks(model={**model, "merges": ["zz qq"]}), T),
    "t-id": (toks(model={**model, "vocab": {**model["vocab"], "a": 99999999}}), T),
    "t-twice": (toks(model={**model, "vocab": {**model["vocab"], "a": 5}}), T),
    "t-big": (toks(added_tokens=[{**tokenizer["added_tokens"][0], "id": 300}]), "vocabulary\\|tokenizer.json"),
    "t-missing": (None, T),
}
for k, (c, p) in tok.items(): folder(k, good, tok=c)
X = "model.safetensors.index.json"
a = [x for x in names if x < "model.layers.0.mlp"]
A, B = {x: shapes[x] for x in a}, {x: shapes[x] for x in names if x not in a}
where = {x: "one.safetensors" if x in A else "two.safetensors" for x in names}
def sharded(m, one=None, two=None):
    f = {X: m if isinstance(m, bytes) else {"metadata": {"total_size": len(good) - n}, "weight_map": m}}
    f["one.safetensors"] = one or tensors(A)
    if two != b"": f["two.safetensors"] = two or tensors(B)
    return f
folder("good-sharded", more=sharded(where))
indices = {
    "i-cut": (sharded(json.dumps(where).encode()[:50]), X), "i-empty": (sharded(b""), X), "i-none": (sharded({}), "weight_map"),
    "i-up": (sharded({**where, names[0]: "../good/model.safetensors"}), "plain file name"),
    "i-abs": (sharded({**where, names[0]: "/etc/passwd"}), "plain file name"),
    "i-number": (sharded({**where, names[0]: 7}), names[0]), "i-gone": (sharded(where, two=b""), "two.safetensors"),
    "i-wrong": (sharded({**where, names[0]: "two.safetensors"}), names[0]),
    "i-unlisted": (sharded({k: v for k, v in where.items() if k != names[1]}), names[1]),
    "i-ghost": (sharded({**where, "ghost": "one.safetensors"}), "ghost"),
    "i-twice": (sharded(where, two=tensors({**B, a[0]: shapes[a[0]]})), "two shards"),
    "i-shard-cut": (sharded(where, two=tensors(B)[:-9]), "two.safetensors"),
}
for k, (f, p) in indices.items(): folder(k, more=f)
with open("cases", "w") as f:
    for t in cases, conf, tok, indices:
        for k, (x, p) in t.items():
            f.write("%d %s %s\n" % (1 if k in ("nan", "inf") else 128, k, p))
END
mkdir models && (cd models && python3 ../make.py) || exit 1
echo "some text to measure" >x.txt

t 'a checkpoint with one thing wrong makes no registry' '
	[ "$(wc -l <models/cases)" -gt 60 ] && wrong= &&
	while read -r status name pattern; do
		refuses $status "$pattern" sg init --base models/$name new && [ ! -e new ] || { echo "case $name"; wrong=1; }
	done <models/cases && [ ! "$wrong" ]
'
t 'an index that names a folder outside, a folder or nothing in place of weights' '
	mkdir models/none && cp models/good/*.json models/none/ && refuses 128 "no model.safetensors" sg init --base models/none new &&
	mkdir models/none/model.safetensors && refuses 128 "model.safetensors" sg init --base models/none new &&
	rmdir models/none/model.safetensors && echo x >models/none/pytorch_model.bin && refuses 128 "pickled" sg init --base models/none new &&
	refuses 128 "nothing" sg init --base models/nothing new && refuses 128 "x.txt" sg init --base x.txt new && [ ! -e new ]
'
t 'weights that go bad under a registry are refused by name' '
	cp -r models/good base && sg init -q --base base && sg eval -q --file x.txt && wrong= &&
	while read -r status name pattern; do
		case $name in i-*) continue ;; esac
		rm -r base && cp -r models/$name base || return 1
		case $name in
		nan | inf) status=1 ;;
		t-*) [ $name = t-missing ] || { status=1; pattern="is not the pinned base: its tokenizer differs"; } ;;
		esac
		refuses $status "$pattern" sg eval --file x.txt || { echo "case $name"; wrong=1; }
	done <models/cases && [ ! "$wrong" ] &&
	rm -r base && refuses 128 "base" sg eval --file x.txt && cp -r models/good base && sg eval -q --file x.txt && git_ fsck --strict
'
python3 - <<'END'
import shutil
shutil.copytree("models/good", "models/near")
b = bytearray(open("models/near/model.safetensors", "rb").read())
b[-1] ^= 1
open("models/near/model.safetensors", "wb").write(b)
END
last='model.norm.weight'	# the tensor that holds the last byte
t 'in a moved folder another base is refused by its tensor, and the right one taken' '
	mkdir moved && mv .sg base moved && cd moved && refuses 128 "sg base bind" sg eval --file ../x.txt &&
	refuses 1 "is not the pinned base: tensor .$last. differs" sg base bind ../models/near &&
	refuses 1 "is not the pinned base: its config differs" sg base bind ../models/tied &&
	sg base bind base && sg eval -q --file ../x.txt && cp ../models/near/model.safetensors base &&
	refuses 1 "tensor .$last. differs" sg eval --file ../x.txt && refuses 1 "tensor .$last. differs" sg base verify &&
	cp ../models/good/model.safetensors base && sg eval -q --file ../x.txt; got=$?; cd .. && mv moved/.sg moved/base . && [ $got = 0 ]
'
t 'the same after a clone' '
	sg clone -q . copy && cd copy && refuses 128 "sg base bind" sg eval --file ../x.txt &&
	refuses 1 "tensor .$last. differs" sg base bind ../models/near && refuses 128 "sg base bind" sg eval --file ../x.txt &&
	refuses 128 "cut" sg base bind ../models/cut && sg base bind ../models/good && sg eval -q --file ../x.txt; got=$?; cd .. && [ $got = 0 ]
'

# --- what a registry holds, changed by stock git ----------------------------------

mkdir ../grown && cd ../grown && grow_registry && sg train --type layer --name first $fast --accept -q &&
	sg train --type lora --name second $fast -q && sg validate second -q || exit 1
id=$(git_ ls-tree --name-only main:grafts) cand=$(git_ for-each-ref --format='%(refname:lstrip=3)' refs/sg/cand)
main=$(git_ rev-parse main) waits=$(git_ rev-parse refs/sg/cand/$cand)
cat >../bend.py <<'END'
# bend.py <how> <in >out: one way to damage a file
import sys
how, b = sys.argv[1], sys.stdin.buffer.read()
n = len(b)
if how == "empty": b = b""
elif how == "half": b = b[:n // 2]
elif how == "longer": b += b"x"
elif how == "object": b = b"{}"
elif how == "list": b = b"[]"
elif how == "nul": b = b[:n // 3] + b"\0" + b[n // 3 + 1:]
elif how == "deep": b = b"[" * 200000
elif how == "text": b = b"no such thing\n" * 9
elif how.startswith("flip"): k = n * int(how[4:]) // 100; b = b[:k] + bytes([b[k] ^ 4]) + b[k + 1:]
elif how == "hash": k = b.index(b'"sha256":"') + 10; b = b[:k] + (b"1" if b[k:k + 1] == b"0" else b"0") + b[k + 1:]
elif how.startswith("s/"): x, y = how.split("/")[1:3]; assert x.encode() in b, x; b = b.replace(x.encode(), y.encode())
sys.stdout.buffer.write(b)
END
# tamper <ref> <commit> <path> <how>: a commit on top of it whose file is damaged ("gone": removed)
tamper () {
	GIT_INDEX_FILE=$here/index
	export GIT_INDEX_FILE
	git_ read-tree "$2" || return 1
	if [ "$4" = gone ]; then
		printf '0 %040d\t%s\n' 0 "$3" | git_ update-index --index-info || return 1
	else
		git_ show "$2:$3" >../file 2>/dev/null; python3 ../bend.py "$4" <../file >../bent || return 1
		git_ update-index --add --cacheinfo "100644,$(git_ hash-object -w ../bent),$3" || return 1
	fi
	unset GIT_INDEX_FILE
	git_ update-ref "$1" "$(echo damaged | git_ commit-tree "$(GIT_INDEX_FILE=$here/index git_ write-tree)" -p "$2")"
}
restore () { git_ update-ref refs/heads/main $main && git_ update-ref refs/sg/cand/$cand $waits; }
# each <path> <hows> <command ...>: the damage in turn, each answered calmly
each () {
	path=$1 hows=$2 some=
	shift 2
	for how in $hows; do
		tamper refs/heads/main $main "$path" "$how" && calm "$@" || { echo "with $path $how"; restore; return 1; }
		[ $answer = 0 ] || some=1
	done
	restore && { [ "$some" ] || { echo "nothing of it was noticed"; false; }; } && git_ fsck --strict
}
# must <status> <pattern> <path> <how> <command ...>
must () {
	status=$1 pattern=$2 path=$3 how=$4
	shift 4
	tamper refs/heads/main $main "$path" "$how" && refuses "$status" "$pattern" "$@" || { echo "with $path $how"; restore; return 1; }
	restore
}
every='empty half longer object nul flip10 flip50 flip90 gone'
t 'graft.json' '
	each grafts/$id/graft.json "$every deep" sg eval held && each grafts/$id/graft.json "$every" sg train --type lora $fast &&
	must 128 "graft $id" grafts/$id/graft.json flip50 sg eval && must 128 "graft" grafts/$id/graft.json gone sg eval &&
	must 128 "graft $id: its manifest has the id" grafts/$id/graft.json hash sg eval &&
	must 128 "graft $id" grafts/$id/graft.json half sg accept second
'
t 'train.json and accept.json' '
	for file in train.json accept.json; do
		for how in empty half list nul flip50 deep gone; do
			tamper refs/heads/main $main grafts/$id/$file $how || return 1
			for c in log status "show $id" "diff $main HEAD" "diff $main HEAD --json" "train --resume"; do
				calm sg $c || { echo "with $file $how: $c"; restore; return 1; }
			done
		done
	done; restore && git_ fsck --strict
'
t 'the receipt of an accepted graft' '
	each grafts/$id/receipt.mp "$every" sg verify && for how in $every; do
		tamper refs/heads/main $main grafts/$id/receipt.mp $how && calm sg show $id && calm sg diff $main~2 HEAD || return 1
	done; restore
'
t 'policy' '
	each policy "empty half text nul flip50 gone deep" sg validate nothing &&
	must 128 policy policy text sg validate second && must 128 policy policy gone sg accept second &&
	must 128 policy policy "s/quality/qualify/" sg validate second
'
t 'manifests and lists of data sets' '
	each data/held.json "$every deep" sg eval && each data/held.docs "$every" sg data check &&
	must 128 "data/held.json" data/held.json half sg eval && must 128 "data/held.json" data/held.json longer sg data &&
	must 128 "data/held.json" data/held.json "s/accept/trains/" sg train --type lora $fast &&
	must 128 "book" data/held.json "s/\"held\"/\"book\"/" sg eval
'
t 'the pin and the base' '
	each sg.json "$every deep" sg eval && each base/config.json "$every" sg eval &&
	must 128 sg.json sg.json half sg eval && must 128 sg.json sg.json gone sg base && must 128 config.json base/config.json longer sg eval &&
	must 128 config.json base/config.json half sg eval
'
t 'payload' '
	chunk=$(git_ ls-tree -r --name-only main grafts/$id/data | head -1) && each $chunk "$every" sg eval held &&
	must 128 "${chunk%/*}" $chunk half sg eval held && must 128 "${chunk%/*}" $chunk flip50 sg eval held &&
	must 128 "${chunk%/*}" $chunk gone sg eval held
'
t 'a candidate that somebody changed' '
	for how in $every; do
		tamper refs/sg/cand/$cand $waits grafts/$cand/graft.json $how && calm sg accept second && [ $answer != 0 ] ||
			{ echo "with $how"; restore; return 1; }
	done; restore && for how in half flip50 gone; do
		tamper refs/sg/cand/$cand $waits $(git_ ls-tree -r --name-only $waits grafts/$cand/data | head -1) $how &&
			refuses 128 "grafts/$cand/data" sg eval held --cand second || { restore; return 1; }
	done; restore && git_ fsck --strict
'
t 'a report that somebody changed does not open the gate' '
	ref=$(git_ for-each-ref --format="%(refname)" refs/sg/report/$cand) && report=$(git_ rev-parse $ref) &&
	for how in empty half longer nul flip10 flip30 flip50 flip70 flip90 object; do
		tamper $ref $report receipt.mp $how && git_ show main:policy >/dev/null && calm sg status &&
			calm sg show second || { echo "with $how"; return 1; }
	done; git_ update-ref $ref $report && git_ fsck --strict
'
t 'tokens of a data set' '
	shard=.sg/data/$(sg data show held | sed -n "s/^shard *//p").tokens && cp $shard ../shard &&
	for how in empty half longer flip0 flip10 flip50 flip99; do
		python3 ../bend.py $how <../shard >$shard && refuses 128 "held\|$shard" sg eval held &&
			refuses 128 "held\|$shard" sg validate second && calm sg data check && [ $answer = 1 ] && calm sg status || { echo "with $how"; return 1; }
	done; cp ../shard $shard && sg eval -q held && sg data check
'
t 'the state of a stopped training run' '
	{ "$SG" train --type layer --steps 4000 --batch 4 --seq 32 --save-every 20 -q & } && pid=$!
	for i in $(seq 1000); do [ ! -e .sg/jobs/*.state ] || break; sleep 0.01; done
	kill -9 $pid; state=$(echo .sg/jobs/*.state) && [ -e $state ] && cp $state ../state &&
	for how in empty half longer object text flip0 flip2 flip20 flip40 flip60 flip80 flip99; do
		python3 ../bend.py $how <../state >$state && refuses 128 "$state" sg train --resume && calm sg status || { echo "with $how"; return 1; }
	done; cp ../state $state && sg status | grep -q resume
'
done_
