# DoRA, IA3 and a head's change of low rank, to PEFT and back, each way against the library itself.
. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
cands () { git_ for-each-ref --format='%(refname:lstrip=3)' refs/sg/cand; }

model=$SG_TOP/../shared/models/stories260K
[ -d "$model" ] || { skip shared 'adapters of a real base'; done_; }
sg init -q --base "$model" &&
	awk 'BEGIN { for (i = 1; i <= 350; i++) print "Once upon a time number " i " of a tale that tells " i * i % 89 }' >book.txt &&
	sg data add book -q --role train --split line --to 40 book.txt && sg data add held -q --role accept --split line --from 40 book.txt || exit 1
run='--steps 4 --batch 4 --seq 32 --lr 0.05 --warmup 0'
printf 'Once upon a time, there was a little girl named Lily. She loved to play outside in the park.' >text
grow () { sg train -q --name "$@" $run; }
grow dora --type dora --rank 3 --set alpha=5 && grow ia3 --type ia3 && grow ia3-in --type ia3 --set side=in --sites '*.attn.o,*.mlp.up' &&
	grow head --type head --rank 2 && grow whole --type head && grow sparse --type sparse --set count=20 && grow tt --type tt && grow wide --type wide --set width=3 &&
	grow full --type full || exit 1

t 'out and in again: the same graft' '
	for i in dora ia3 ia3-in; do
		sg export --format peft a-$i $i >log && id=$(sed "s/.*: graft \(.\{16\}\) .*/\1/" log) && sg import --format peft a-$i >log &&
		grep -q "^candidate $id: ${i%-in} on .* waited already" log || return 1
	done && grep -q "\"use_dora\":true" a-dora/adapter_config.json && grep -q "\"peft_type\":\"IA3\"" a-ia3/adapter_config.json &&
	sg export --format peft a-head head >log && grep -q "head on 1 modules, rank 2, alpha 2" log
'
t 'what PEFT cannot hold is refused by name' '
	for i in sparse tt full wide; do fails_with 1 sg export --format peft no $i 2>err && grep -q "($i) of type .$i." err && is "$(ls -d no* 2>/dev/null)" "" || return 1; done &&
	fails_with 1 sg export --format peft no whole 2>err && grep -q "whole matrix" err
'
t 'what changes an ia3 or dora adapter is refused' '
	git_ for-each-ref >was && cp -r a-ia3 bad &&
	sed "s/\"feedforward_modules\":\[/&\"model.layers.0.self_attn.k_proj\",/" a-ia3/adapter_config.json >bad/adapter_config.json &&
	fails_with 1 sg import --format peft bad 2>err && grep -q feedforward_modules err &&
	sed "s/\"feedforward_modules\":\[[^]]*\]/\"feedforward_modules\":\".*down_proj\"/" a-ia3/adapter_config.json >bad/adapter_config.json &&
	fails_with 1 sg import --format peft bad 2>err && grep -q feedforward_modules err &&
	sed "s/\"feedforward_modules\":\[[^]]*\]/\"feedforward_modules\":[]/" a-ia3/adapter_config.json >bad/adapter_config.json &&
	fails_with 1 sg import --format peft bad 2>err && grep -q "has not the shape" err &&
	rm -r bad && cp -r a-dora bad && sed "s/\"use_dora\":true/\"use_dora\":false/" a-dora/adapter_config.json >bad/adapter_config.json &&
	fails_with 1 sg import --format peft bad 2>err && grep -q "no factor of a map" err && rm -r bad &&
	cp -r a-head bad && sed "s/\"r\":2/\"r\":2,\"use_dora\":true/" a-head/adapter_config.json >bad/adapter_config.json &&
	fails_with 1 sg import --format peft bad 2>err && grep -q "factor is missing.*magnitude" err && git_ for-each-ref >now && same was now
'

title='PEFT computes the losses that sg does, both ways'
if ! python3 -c 'import transformers, tokenizers, peft' 2>/dev/null; then
	skip peft "$title"
	done_
fi
cat >both.py <<'PY'
import sys, torch
from transformers import AutoModelForCausalLM
from tokenizers import Tokenizer
from peft import IA3Config, LoraConfig, PeftModel, get_peft_model
torch.set_num_threads(1)
torch.manual_seed(3)
path, text = sys.argv[1], open(sys.argv[2]).read()
ids = torch.tensor([[1] + Tokenizer.from_file(path + '/tokenizer.json').encode(text, add_special_tokens=False).ids])
def loss(model):
    with torch.no_grad():
        logits = model.eval()(ids).logits.double()
    return torch.nn.functional.cross_entropy(logits[0, :-1], ids[0, 1:]).item()
def base():
    return AutoModelForCausalLM.from_pretrained(path, torch_dtype=torch.float32)
print('base', loss(base()))
for name in sys.argv[3:]:
    print(name, loss(PeftModel.from_pretrained(base(), name)))
made = {
    'p-dora': LoraConfig(r=3, lora_alpha=4, use_dora=True, target_modules=['q_proj', 'o_proj', 'up_proj', 'down_proj'], task_type='CAUSAL_LM'),
    'p-ia3': IA3Config(target_modules=['k_proj', 'v_proj', 'down_proj'], feedforward_modules=['down_proj'], task_type='CAUSAL_LM'),
    'p-ia3-out': IA3Config(target_modules=['q_proj', 'down_proj'], feedforward_modules=[], task_type='CAUSAL_LM'),
}
for name, config in made.items():
    model = get_peft_model(base(), config)
    for n, p in model.named_parameters():
        if p.requires_grad:
            p.data += torch.randn_like(p) * (0.1 if 'lora_' in n else 0.3)
    model.save_pretrained(name)
    print(name, loss(model))
PY
ours () { sg eval --file text --cand "$1" --json | python3 -c '
import json, sys
o = json.load(sys.stdin)
l = (o.get("sets") or o.get("lines"))[0]
print(l["nats"] / l["tokens"])'; }
t "$title" '
	HF_HUB_OFFLINE=1 python3 both.py "$model" text a-dora a-ia3 a-ia3-in a-head >theirs && cat theirs &&
	for i in p-dora p-ia3 p-ia3-out; do sg import --format peft --name $i $i -q || return 1; done &&
	base=$(sed -n "s/^base //p" theirs) && for i in a-dora a-ia3 a-ia3-in a-head p-dora p-ia3 p-ia3-out; do
		us=$(ours ${i#a-}) && them=$(sed -n "s/^$i //p" theirs) && echo "$i $us $them" &&
		awk -v a="$us" -v b="$them" -v c="$base" "BEGIN { exit !(a - b < 1e-4 && b - a < 1e-4 && (b - c > 1e-3 || c - b > 1e-3)) }" || return 1
	done
'
done_
