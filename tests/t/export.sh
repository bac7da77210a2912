. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
grow () { sg train -q --name "$@" $fast --accept; }

grow_registry && grow first --type layer && grow second --type lora --rank 2 || exit 1
t 'the composition is written, and is a base to grow on' '
	sg export --format hf out >log && grep -q "^wrote out: 10 tensors, 1 layers" log && ls out >files &&
	printf "config.json\nmodel.safetensors\n" >want && same want files && ls -d out* >dirs && is "$(cat dirs)" out &&
	mkdir reg && cd reg && sg init -q --base ../out && sg data add held -q --role accept --split line --from 40 ../book.txt && sg eval held >log && cd .. &&
	a=$(sg eval held | awk "\$1 == \"held\" { printf \"%.4f\", \$5 }") && is "$(awk "\$1 == \"held\" { printf \"%.4f\", \$5 }" reg/log)" "$a"
'
t 'an older revision; never over a folder that is there' '
	sg export --format hf --rev main~ old >log && grep -q "^wrote old" log && [ "$(sha256sum <out/model.safetensors)" != "$(sha256sum <old/model.safetensors)" ] &&
	sha256sum out/* >was && fails_with 128 sg export --format hf out 2>err && grep -q "there already" err && sha256sum out/* >now && same was now
'
t 'the same composition gives the same bytes' '
	sg export -q --format hf again && same out/model.safetensors again/model.safetensors && same out/config.json again/config.json
'
t 'a candidate on top is what it will be when it is accepted' '
	cp -r .sg kept && sg train -q --name next --type lora --rank 2 $fast && sg export -q --format hf --cand next cand && sg accept -q next && sg export -q --format hf then &&
	same cand/model.safetensors then/model.safetensors && fails_with 129 sg export --format peft --cand next no
	rc=$?
	rm -rf .sg && mv kept .sg && return $rc
'
t 'another type of numbers' '
	sg export --format hf --dtype BF16 half >log && grep -q " BF16 " log &&
	[ "$(stat -c %s half/model.safetensors)" -lt $(($(stat -c %s out/model.safetensors) / 2 + 1500)) ]
'
t 'what cannot be expressed is named' '
	grow third --type block --set width=8 && fails_with 1 sg export --format hf none 2>err && grep -q "(third) of type .block." err &&
	is "$(ls -d none* 2>/dev/null)" "" && sg revert third -q
'
t 'a write that fails leaves no folder' '
	i=1
	while [ $i -lt 40 ]; do
		SG_FAIL_WRITE=$i sg export -q --format hf new 2>err && break
		is "$(grep -c . err)" 1 && is "$(ls -d new* 2>/dev/null)" "" || return 1
		i=$((i + 1))
	done
	[ $i -gt 1 ] && [ $i -lt 40 ] && is "$(ls -d new*)" new
'
t 'a small change in coarse numbers is lost: nothing is written without force' '
	mkdir coarse && cd coarse && grow_registry && grow first --type layer && sg consolidate -q --structural --dtype BF16 &&
	sg train -q --name small --type lora --rank 2 --steps 6 --batch 4 --seq 32 --lr 1e-4 --warmup 0 --accept &&
	fails_with 1 sg export --format hf out >log && grep -q "BF16 *0\..* refuse" log && tail -1 log | grep -q "^not written" && is "$(ls -d out* 2>/dev/null)" "" &&
	sg export --force --format hf out >log && [ -d out ] &&
	fails_with 1 sg consolidate --fold >log && grep -q "BF16 *0\..* refuse" log && tail -1 log | grep -q "^not consolidated" &&
	sg consolidate --fold --force >log && grep -q "^consolidated 1 graft" log && cd ..
'
t 'wrong usage' '
	fails_with 129 sg export out2 && fails_with 129 sg export --format hf && fails_with 129 sg export --format hf --dtype F8 out2 &&
	fails_with 128 sg export --format hf no/such/folder
'
if have python3; then
t 'export --json' '
	sg export --format hf --json other >log && is "$(json written <log)" true && is "$(json tensor_count <log)" 10 && is "$(json tensors 0 verdict <log)" ok
'
else
skip python3 'export --json'
fi

# A real llama, checked by the library that the folder is for.
title='transformers computes the same loss from the folder'
model=$SG_TOP/../shared/models/stories260K
if [ ! -d "$model" ]; then
	skip shared "$title"
elif ! python3 -c 'import transformers, tokenizers' 2>/dev/null; then
	skip transformers "$title"
else
cat >loss.py <<'PY'
import sys, torch
from transformers import AutoModelForCausalLM
from tokenizers import Tokenizer
torch.set_num_threads(1)
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
ids = torch.tensor([[1] + Tokenizer.from_file(sys.argv[1] + '/tokenizer.json').encode(open(sys.argv[2]).read(), add_special_tokens=False).ids])
with torch.no_grad():
    logits = model(ids).logits.double()
print(type(model).__name__, torch.nn.functional.cross_entropy(logits[0, :-1], ids[0, 1:]).item())
PY
t "$title" '
	mkdir real && cd real && sg init -q --base "$model" && run="--steps 4 --batch 4 --seq 32 --lr 0.01" &&
	awk "BEGIN { for (i = 1; i <= 350; i++) print \"Once upon a time number \" i \" of a tale that tells \" i * i % 89 }" >book.txt &&
	sg data add book -q --role train --split line --to 40 book.txt && sg data add held -q --role accept --split line --from 40 book.txt &&
	sg train -q --type lora --rank 4 $run --accept && sg train -q --type layer --sites slot.2 $run --accept && sg train -q --type lora --rank 2 --sites head $run --accept &&
	is "$(git_ ls-tree --name-only main:grafts | wc -l)" 3 &&
	printf "Once upon a time, there was a little girl named Lily. She loved to play outside in the park." >text &&
	sg export --format hf out >log && grep -q "6 layers" log && HF_HUB_OFFLINE=1 python3 ../loss.py out text >theirs &&
	sg eval --file text --json >ours && cat theirs ours && grep -q "^LlamaForCausalLM" theirs &&
	python3 -c "
import json
ours, theirs = json.load(open(\"ours\")), float(open(\"theirs\").read().split()[1])
line = (ours.get(\"sets\") or ours.get(\"lines\"))[0]
assert abs(line[\"nats\"] / line[\"tokens\"] - theirs) < 1e-4, (line[\"nats\"] / line[\"tokens\"], theirs)" && cd ..
'
fi
done_
