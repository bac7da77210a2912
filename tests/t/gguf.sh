# Bases from GGUF files: the models of tests/golden/gguf, whose weights have every type.
. "${0%/*}/lib.sh"
models=$SG_TOP/tests/golden/gguf
printf 'Once upon a time there was a little girl. She had 12 apples.\n' >text.txt
losses () { "$SG" -C "$1" eval --json --window 16 --file "$here/work/text.txt" >"$2"; }

for m in llama llama3 smollm qwen2 qwen3 gpt2; do
t "$m: as a file, kept in the registry and written as a folder, it is one model" '
	cp "$models/$m.gguf" $m.gguf &&
	sg init -q --base $m.gguf $m && losses $m $m.1 && sg -C $m base verify &&
	sg init -q --base $m.gguf --embed $m-in && mv $m.gguf $m.away && losses $m-in $m.2 && same $m.1 $m.2 &&
	fails_with 128 losses $m $m.3 2>err && grep -q "sg base bind" err && mkdir moved && mv $m.away moved/ &&
	sg -C $m base bind "$here/work/moved/$m.away" && losses $m $m.3 && same $m.1 $m.3 &&
	sg -C $m export --format hf "$here/work/$m-hf" && sg init -q --base $m-hf $m-out && losses $m-out $m.4 &&
	sed "s/\"state\":\"[0-9a-f]*\"//" $m.1 >a && sed "s/\"state\":\"[0-9a-f]*\"//" $m.4 >b && same a b;
	rc=$?; rm -rf moved; return $rc
'
done
t 'a graft on it is trained, accepted and folded, into a folder in f32' '
	cp "$models/llama.gguf" base.gguf && sg init -q --base base.gguf g && cd g &&
	awk "BEGIN { for (i = 1; i <= 260; i++) print \"line \" i \" of a text, \" i * i % 89 \".\" }" >book.txt &&
	sg data add book -q --role train --split line --to 20 book.txt &&
	sg data add held -q --role accept --split line --from 20 book.txt && sg eval --json held >before &&
	sg train -q --type lora --rank 2 --name l --steps 8 --batch 4 --seq 24 --lr 0.01 --accept &&
	sg eval --json held >grown && sg consolidate --fold --dtype F32 --out ../folded && sg eval --json held >fold && cd .. &&
	for f in before grown fold; do json lines 0 loss <g/$f; done | tr "\n" " " >three &&
	awk "{ d = \$2 - \$3; exit !(\$2 < \$1 && d < 1e-5 && d > -1e-5) }" three && [ -s folded/model.safetensors ]
'
payload () {	# names and hashes of what the candidate p of a registry holds
	git --git-dir="$1/.sg/registry.git" for-each-ref --format="%(refname)" refs/sg/cand >ref &&
	git --git-dir="$1/.sg/registry.git" ls-tree -r --name-only "$(cat ref)" | grep graft.json >path &&
	git --git-dir="$1/.sg/registry.git" show "$(cat ref):$(cat path)" | tr "{" "\n" | grep sha256 >"$2" && [ -s "$2" ]
}
t 'bases and gradients are those of the same weights in f32, to the bit' '
	awk "BEGIN { for (i = 1; i <= 60; i++) print \"line \" i \" of a text, \" i * i % 89 \".\" }" >lines.txt &&
	for m in llama gpt2; do
		for r in $m-q $m-f; do
			case $r in *-q) from=$models/$m.gguf ;; *) from=$m-hf ;; esac
			sg init -q --base "$from" $r && sg -C $r data add book -q --role train --split line "$here/work/lines.txt" &&
			sg -C $r train -q --type phi --set basis=svd --rank 4 --sites "layers.0.attn.[qkv],layers.0.mlp.down" --steps 3 \
				--batch 2 --seq 16 --name p && payload $r $r.tensors || return 1
		done
		same $m-q.tensors $m-f.tensors || return 1
	done
'
if have python3; then
t 'a second reader finds the same pin in the file' '
	sg init -q --base "$models/qwen3.gguf" p && git --git-dir=p/.sg/registry.git show main:sg.json >sg.json &&
	python3 "$SG_TOP/tests/readers/base.py" "$models/qwen3.gguf" sg.json >id && is "$(cat id)" "$(sg -C p base --json | json base)"
'
else
skip python3 'a second reader finds the same pin in the file'
fi
t 'a file that changed is not the base' '
	cp "$models/gpt2.gguf" g2.gguf && sg init -q --base g2.gguf h && python3 - <<END
b = bytearray(open("g2.gguf", "rb").read()); b[-40] ^= 1; open("g2.gguf", "wb").write(b)
END
	fails_with 1 losses h x 2>err && grep -q "is not the pinned base: tensor" err
'
t 'what is no model is refused by what it is' '
	printf "GGUF\001\0\0\0aaaabbbb" >v1.gguf && fails_with 128 sg init --base v1.gguf i 2>err && grep -q "version 1" err &&
	head -c 5000 "$models/llama.gguf" >cut.gguf && fails_with 128 sg init --base cut.gguf i 2>err && grep -q truncated err &&
	echo hello >plain && fails_with 128 sg init --base plain i 2>err && grep -q "neither a folder nor a GGUF file" err &&
	fails_with 128 sg init --base none.gguf i 2>err && [ ! -e i/.sg ]
'
done_
