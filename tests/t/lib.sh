# Sourced by each tests/t/*.sh: `. "${0%/*}/lib.sh"`. Gives a fresh folder and
# home, a fixed identity and clock, and TAP lines:
#
#	t 'what must hold' '
#		sg init &&
#		fails_with 129 sg init --nope 2>err &&
#		grep -q "unknown option" err
#	'
#	done_
#
# Each body is one && chain, run in the current shell (variables and cd last).
SG=${SG:-$(cd "${0%/*}/../.." && pwd)/build/latest/sg}
SG_TOP=${SG_TOP:-$(cd "${0%/*}/../.." && pwd)}
here=$(mktemp -d "${TMPDIR:-/tmp}/sg-t.XXXXXX") && cd "$here" || exit 1
at_exit_ () { :; }		# what a test started and must end
trap 'at_exit_; cd /; rm -rf "$here"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir home work && cd work || exit 1
HOME=$here/home
XDG_CONFIG_HOME=$HOME/.config
GIT_CONFIG_NOSYSTEM=1
GIT_AUTHOR_NAME='A Grower' GIT_AUTHOR_EMAIL=grower@example.com
GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
LC_ALL=C.UTF-8 TZ=UTC TERM=dumb
export SG SG_TOP HOME XDG_CONFIG_HOME GIT_CONFIG_NOSYSTEM LC_ALL TZ TERM \
	GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL GIT_AUTHOR_DATE GIT_COMMITTER_DATE
unset SG_DIR SG_PAGER PAGER GIT_DIR GIT_WORK_TREE SSH_AUTH_SOCK

# SG_VALGRIND=1: a report of valgrind is exit status 99, which no test expects. In the
# test file of a command only that command runs under it: what the others do to set the
# scene is tested in their own files. SG_VALGRIND=all: every command, everywhere.
own=${0##*/}
own=${own%.sh}
[ ! "$SG_VALGRIND" ] || "$SG" help "$own" >/dev/null 2>&1 || own=
under_valgrind () {
	case $SG_VALGRIND in
	"") false ;;
	all) ;;
	*) case " $* " in *" ${own:-} "*) ;; *) [ ! "$own" ] ;; esac ;;
	esac
}
sg () {
	if under_valgrind "$@"; then
		valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
			--show-leak-kinds=definite --suppressions="$SG_TOP/tests/shim/valgrind.supp" "$SG" "$@"
	else
		"$SG" "$@"
	fi
}

n=0 bad=0
body_ () { eval "$1"; }		# a function, so that a body may `return 1`
t () {
	n=$((n + 1))
	if body_ "$2" >"$here/log" 2>&1 </dev/null; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		sed 's/^/# /' "$here/log"
		bad=1
	fi
}

# skip <reason> <title>: one test that cannot run here. SG_TEST_REQUIRE=<reason> makes it fail.
skip () {
	n=$((n + 1))
	case " $(echo "$SG_TEST_REQUIRE" | tr , ' ') " in
	*" $1 "* | *" all "*) echo "not ok $n - $2"; echo "# missing: $1"; bad=1 ;;
	*) echo "ok $n - $2 # SKIP $1" ;;
	esac
}

# have python3 || { skip python3 'title'; done_; }
have () { command -v "$1" >/dev/null 2>&1; }

# fails_with <status> <command ...>
fails_with () {
	want=$1
	shift
	"$@"
	got=$?
	[ $got -eq "$want" ] || { echo "exit $got, wanted $want: $*"; return 1; }
}

# same <file> <file>; is <text> <text>
same () { cmp "$1" "$2" || { diff "$1" "$2" | head -20; false; }; }
is () { [ "$1" = "$2" ] || { printf 'got:    %s\nwanted: %s\n' "$1" "$2"; false; }; }

# Built with sanitizers? Memory is then measured and bounded in vain.
sanitized () { "$SG" version --json | grep -q '"sanitizers": *"[a-z]'; }
# libgit2 1.5 leaks what a regular expression that does not match was given to work with.
LSAN_OPTIONS=suppressions=$SG_TOP/tests/shim/lsan.supp:print_suppressions=0
export LSAN_OPTIONS

# The value of a top-level or nested key of JSON on stdin: json a b 0. Needs python3.
json () {
	python3 -c '
import json, sys
v = json.load(sys.stdin)
for k in sys.argv[1:]:
    v = v[int(k)] if isinstance(v, list) else v[k]
print(v if isinstance(v, str) else json.dumps(v))' "$@"
}

# A registry with a small substrate, a set `book` to train on and one `held` to
# judge on (210 documents), and fast options of a training run.
grow_registry () {
	sg init --width 32 -q &&
	awk 'BEGIN { for (i = 1; i <= 350; i++) print "line " i " of a text that tells " i * i % 89 }' >book.txt &&
	sg data add book -q --role train --split line --to 40 book.txt &&
	sg data add held -q --role accept --split line --from 40 book.txt
}
fast='--steps 12 --batch 4 --seq 32 --lr 0.02'

# random_llama <folder> <width> <ffn> <layers>: a checkpoint of a Llama with random weights in
# bfloat16 and an alphabet of bytes, as transformers would leave it. Needs python3.
random_llama () {
	mkdir "$1" && python3 - "$@" <<'END'
import json, math, random, struct, sys
out, (D, F, L), V = sys.argv[1], map(int, sys.argv[2:5]), 257
config = {"model_type": "llama", "vocab_size": V, "hidden_size": D, "intermediate_size": F, "num_hidden_layers": L,
    "num_attention_heads": 4, "num_key_value_heads": 4, "max_position_embeddings": 256, "rms_norm_eps": 1e-5,
    "hidden_act": "silu", "tie_word_embeddings": False}
shapes = {"model.embed_tokens.weight": [V, D], "model.norm.weight": [D], "lm_head.weight": [V, D]}
for l in range(L):
    for n, s in {"input_layernorm": [D], "self_attn.q_proj": [D, D], "self_attn.k_proj": [D, D], "self_attn.v_proj": [D, D],
            "self_attn.o_proj": [D, D], "post_attention_layernorm": [D], "mlp.gate_proj": [F, D], "mlp.up_proj": [F, D],
            "mlp.down_proj": [D, F]}.items():
        shapes["model.layers.%d.%s.weight" % (l, n)] = s
tokenizer = {"version": "1.0", "added_tokens": [{"id": 0, "content": "<unk>", "single_word": False, "lstrip": False,
    "rstrip": False, "normalized": False, "special": True}], "normalizer": {"type": "Prepend", "prepend": "_"},
    "pre_tokenizer": None, "post_processor": None, "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"},
    {"type": "Fuse"}]}, "model": {"type": "BPE", "unk_token": "<unk>", "byte_fallback": True, "fuse_unk": True,
    "vocab": {"<unk>": 0, **{"<0x%02X>" % b: b + 1 for b in range(256)}}, "merges": []}}
rng, head, blob = random.Random(1), {}, []
table = [struct.pack("<f", (b - 127.5) / 127.5 * math.sqrt(1 / D))[2:] for b in range(256)]
at = 0
for n, s in sorted(shapes.items()):
    k = math.prod(s)
    blob.append(struct.pack("<f", 1)[2:] * k if len(s) == 1 else b"".join(map(table.__getitem__, rng.randbytes(k))))
    head[n] = {"dtype": "BF16", "shape": s, "data_offsets": [at, at + 2 * k]}
    at += 2 * k
text = json.dumps(head).encode()
text += b" " * (-len(text) % 8)
with open(out + "/model.safetensors", "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + b"".join(blob))
json.dump(config, open(out + "/config.json", "w"))
json.dump(tokenizer, open(out + "/tokenizer.json", "w"))
END
}

# signers <name ...>: keys of these in $HOME, the first of whom git signs with; then
# pub <name> prints a public key, and as <name> <command ...> is sg signing with one.
signers () {
	git config --global gpg.format ssh && git config --global user.signingKey "$HOME/$1" || return 1
	for who; do
		ssh-keygen -q -t ed25519 -N "" -C "$who" -f "$HOME/$who" || return 1
	done
}
pub () { cut -d" " -f1,2 "$HOME/$1.pub"; }
as () { who=$1 && shift && sg "$@" "--sign=$HOME/$who"; }

done_ () { echo "1..$n"; exit $bad; }
