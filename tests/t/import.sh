. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
cands () { git_ for-each-ref --format='%(refname:lstrip=3)' refs/sg/cand; }

sg init --width 32 -q || exit 1
t 'wrong usage, and a base that PEFT has no model of' '
	fails_with 129 sg import dir && fails_with 129 sg import --format peft && fails_with 129 sg import --format gguf dir &&
	fails_with 129 sg import --format peft --name ../x dir && mkdir dir && fails_with 128 sg import --format peft dir 2>err &&
	is "$(grep -c . err)" 1 && grep -q adapter_config.json err
'

model=$SG_TOP/../shared/models/stories260K
[ -d "$model" ] || { skip shared 'adapters of a real base'; done_; }
mkdir real && cd real && sg init -q --base "$model" &&
	awk 'BEGIN { for (i = 1; i <= 350; i++) print "Once upon a time number " i " of a tale that tells " i * i % 89 }' >book.txt &&
	sg data add book -q --role train --split line --to 40 book.txt && sg data add held -q --role accept --split line --from 40 book.txt || exit 1
run='--steps 6 --batch 4 --seq 32 --lr 0.01 --warmup 0'
printf 'Once upon a time, there was a little girl named Lily. She loved to play outside in the park.' >text
losses () { sg eval held "$@" --json; }

t 'out and in again: the same graft, the same losses' '
	sg train -q --type lora --rank 4 --set alpha=6.5 --name one $run && one=$(cands) &&
	sg eval held --cand one --json >was && sg export --format peft out one >log && grep -q "^wrote out: graft $one one, lora on 35 modules, rank 4, alpha 6.5" log &&
	ls out >files && printf "adapter_config.json\nadapter_model.safetensors\n" >want && same want files &&
	sg import --format peft out >log && grep -q "^candidate $one: .*, which waited already" log && is "$(cands)" $one &&
	git_ rev-parse refs/sg/cand/$one:grafts/$one/data >data && git_ update-ref -d refs/sg/cand/$one &&
	sg import --format peft --name again out >log && grep -q "^candidate $one again: lora on 35 modules, rank 4, alpha 6.5" log && grep -q "nothing proves" log &&
	sg show again >out.txt && grep -q "^ *from=peft$" out.txt && grep -q "^imported  *adapter_config.json=[0-9a-f]\{64\}$" out.txt &&
	git_ rev-parse refs/sg/cand/$one:grafts/$one/data >now && same data now && sg eval held --cand again --json >now && same was now &&
	git_ show refs/sg/cand/$one:grafts/$one/train.json >train.json && for f in config.json model.safetensors; do
		grep -q "\"adapter_$f\":\"$(sha256sum <out/adapter_$f | cut -c-64)\"" train.json || return 1
	done && sg show again >log && git_ fsck --strict
'
t 'an imported candidate is judged, accepted and verified like any other' '
	sg accept again -q && sg verify >log && ! grep -q differs log &&
	fails_with 128 sg import --format peft out 2>err && grep -q "in the stack already" err && sg export --format peft -q same &&
	same out/adapter_model.safetensors same/adapter_model.safetensors && same out/adapter_config.json same/adapter_config.json
'
t 'phi goes out as lora, and comes in with the losses that it had' '
	sg train -q --type phi --set rank=4 --set scale=2 --set phi=upper --name two $run && sg eval held --cand two --json >was &&
	sg export --format peft --rev main~ out2 two >log && grep -q "phi on 35 modules, rank 4, alpha 4" log &&
	sg import --format peft --name three out2 -q && sg eval held --cand three --json >now && grep -o "\"nats\":[0-9.]*" was now >nats &&
	awk -F: "{ v[NR] = \$3 } END { d = v[1] - v[2]; exit !(NR == 2 && d * d < 1e-4) }" nats
'
t 'which graft: the only one, else it must be said' '
	fails_with 128 sg export --format peft x nothing && sg train -q --type block --set width=4 --name four $run &&
	fails_with 1 sg export --format peft x four 2>err && grep -q "(four) of type .block." err && ! ls -d x* 2>/dev/null &&
	fails_with 128 sg export --format peft out 2>err && grep -q "there already" err && fails_with 129 sg export --format peft --force x &&
	fails_with 129 sg export --format hf x four
'
t 'another base is refused when the adapter names its own' '
	mkdir other && cp -r "$model" base && chmod -R u+w base && sed -i "s/\"rms_norm_eps\": *1e-05/\"rms_norm_eps\": 2e-05/" base/config.json && ! same base/config.json "$model/config.json" &&
	cd other && sg init -q --base ../base && fails_with 1 sg import --format peft ../out 2>err; cd .. && grep -q "was made for base" other/err
'
t 'what changes the result is refused by name' '
	git_ for-each-ref >was && cp -r out bad && edit () { sed "s/\"r\":4/\"r\":4,$1/" out/adapter_config.json >bad/adapter_config.json; } &&
	for k in "\"rank_pattern\":[1]" "\"rank_pattern\":{\".*\":1.5}" "\"rank_pattern\":{\".*\":true}" "\"rank_pattern\":{\".*\":1e9}" \
		"\"alpha_pattern\":{\".*\":0}" "\"alpha_pattern\":{\"(?i)Q_PROJ\":1}" "\"alpha_pattern\":{\"q{1}_proj\":1}" "\"alpha_pattern\":{\"q_proj+?\":1}" \
		"\"alpha_pattern\":{\"q_proj)|(k_proj\":1}" "\"alpha_pattern\":{\"(q_proj\":1}" "\"alpha_pattern\":{\"[[:alpha:]]*\":1}" "\"alpha_pattern\":{\"\\\\\\\\w+\":1}" "\"alpha_pattern\":{\"*\":1}" "\"alpha_pattern\":{\"\":1}" "\"lora_bias\":true" "\"layer_replication\":[[0,1]]" \
		"\"trainable_token_indices\":[1]" "\"target_parameters\":[\"x\"]" "\"some_new_thing\":{\"a\":1}" "\"init_lora_weights\":\"pissa\""; do
		edit "$k" && fails_with 1 sg import --format peft bad 2>err && grep -q "$(echo "$k" | cut -d\" -f2)" err && is "$(grep -c . err)" 1 || return 1
	done && for k in s/LORA/IA3/ "s/\"bias\":\"none\"/\"bias\":\"all\"/" "s/CAUSAL_LM/SEQ_CLS/" "s/\"modules_to_save\":null/\"modules_to_save\":[\"lm_head\"]/" "s/\"r\":4/\"r\":3/" "s/\"r\":4/&,\"rank_pattern\":{\"q_proj\":2}/" \
		"s/,\"model.layers.4.mlp.down_proj\"//" "s/\"target_modules\":\[/&\"lm_head\",/"; do
		sed "$k" out/adapter_config.json >bad/adapter_config.json && ! same out/adapter_config.json bad/adapter_config.json >/dev/null &&
		fails_with 1 sg import --format peft bad 2>err && is "$(grep -c . err)" 1 || return 1
	done && printf "[" >bad/adapter_config.json && fails_with 128 sg import --format peft bad && git_ for-each-ref >now && same was now
'
t 'rsLoRA, and ranks and alphas of single modules, are the same graft as their plain form' '
	rm -rf bad && cp -r out bad && put () { sed "$1" out/adapter_config.json >bad/adapter_config.json && ! same out/adapter_config.json bad/adapter_config.json >x; } &&
	id () { sg import --format peft --json bad >log && json graft <log; } &&
	put "s/:6.5/:13/" && want=$(id) && put "s/\"r\":4/\"r\":4,\"use_rslora\":true/" && is "$(id)" $want &&
	put "s/\"r\":4/\"r\":9,\"rank_pattern\":{\".*\":4},\"alpha_pattern\":{\"no_proj\":2,\"(self_attn|mlp)[.][a-z]+_proj\":13,\"q_proj\":1}/" && is "$(id)" $want &&
	put "s/\"r\":4/\"r\":4,\"alpha_pattern\":{\"proj\":1,\"elf_attn.q_proj\":1,\"^layers.*\":1,\"^model.layers.[0-4].*proj\":13,\".*\":1}/" && is "$(id)" $want &&
	put "s/\"r\":4/\"r\":4,\"alpha_pattern\":{\"model\\\\\\\\.layers\\\\\\\\.\\\\\\\\d.*\":13}/" && is "$(id)" $want &&
	put "s/\"r\":4/\"r\":4,\"alpha_pattern\":{\"layers.3.mlp.up_proj\":13}/" && ! is "$(id)" $want >x
'
t 'a damaged file' '
	rm -rf bad && cp -r out bad && size=$(stat -c %s out/adapter_model.safetensors) &&
	for cut in 0 7 8 100 3000 $((size - 1)); do
		head -c $cut out/adapter_model.safetensors >bad/adapter_model.safetensors && fails_with 128 sg import --format peft bad 2>err && is "$(grep -c . err)" 1 || return 1
	done && rm bad/adapter_model.safetensors && : >bad/adapter_model.bin && fails_with 128 sg import --format peft bad 2>err && grep -q pickle err
'
t 'a write that fails leaves no folder, and no candidate' '
	sg train -q --type lora --rank 2 --sites layers.0.attn.q --name tiny $run && i=1
	while [ $i -lt 40 ]; do
		SG_FAIL_WRITE=$i sg export -q --format peft new tiny 2>err && break
		is "$(grep -c . err)" 1 && is "$(ls -d new* 2>/dev/null)" "" || return 1
		i=$((i + 1))
	done
	[ $i -gt 1 ] && [ $i -lt 40 ] && is "$(ls -d new*)" new
'

HF_HUB_OFFLINE=1
export HF_HUB_OFFLINE
if ! python3 -c 'import peft, transformers, tokenizers, safetensors' 2>/dev/null; then
	skip peft 'peft computes the same loss from an export'
	skip peft 'an adapter that peft saved computes the same loss here'
	skip peft 'the other architectures, both ways'
	skip peft 'import --json'
	done_
fi
cat >peft_loss.py <<'PY'
import sys, torch, warnings
from transformers import AutoModelForCausalLM
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Tokenizer
from safetensors.torch import load_file, save_file
torch.set_num_threads(1)
base, text = sys.argv[1:3]
ids = torch.tensor([[1] + Tokenizer.from_file(base + '/tokenizer.json').encode(open(text).read(), add_special_tokens=False).ids])
def loss(m):
    with torch.no_grad():
        return torch.nn.functional.cross_entropy(m(ids).logits.double()[0, :-1], ids[0, 1:]).item()
new = lambda: AutoModelForCausalLM.from_pretrained(base).eval()
if sys.argv[3] == 'load':
    print(loss(new()), *[loss(PeftModel.from_pretrained(new(), d).eval()) for d in sys.argv[4:]])
else:
    torch.manual_seed(0)
    out = []
    some = dict(rank_pattern={'q_proj': 2, r'layers\.1\.mlp\.(up|gate)_proj': 7, '^model.layers.2.self_attn.[ok]_.*': 3},
                alpha_pattern={'layers.2.mlp.down_proj': 40, '(self_attn.)?[kv]_proj': 3, r'.*\d\.mlp.up_proj': 5.5})
    for dir, dtype, targets, more in (
            ('theirs', torch.float32, ['q_proj', 'down_proj', 'lm_head'], {}), ('half', torch.bfloat16, 'all-linear', {}),
            ('rs', torch.float32, 'all-linear', dict(use_rslora=True)), ('some', torch.float32, 'all-linear', some),
            ('rssome', torch.bfloat16, 'all-linear', dict(use_rslora=True, **some)), ('dora', torch.float32, 'all-linear', dict(use_dora=True, **some))):
        m = get_peft_model(new(), LoraConfig(r=4, lora_alpha=12, target_modules=targets, task_type='CAUSAL_LM', **more))
        for n, p in m.named_parameters():
            if 'lora_' in n:
                torch.nn.init.normal_(p, std=0.05)
                p.data = p.data.to(dtype).to(torch.float32)
        out.append(loss(m.eval()))
        m.save_pretrained(dir, save_embedding_layers=False)
        f = dir + '/adapter_model.safetensors'
        save_file({k: v.to(dtype) for k, v in load_file(f).items()}, f, {'format': 'pt'})
    print(*out)
PY
cat >near.py <<'PY'
import json, sys
theirs = [float(x) for x in open(sys.argv[1]).read().split()]
for f, want in zip(sys.argv[2:], theirs):
    o = json.load(open(f))
    l = (o.get('sets') or o.get('lines'))[0]
    print(f, l['nats'] / l['tokens'], want)
    assert abs(l['nats'] / l['tokens'] - want) < 1e-4
assert len(set(round(x, 3) for x in theirs)) == len(theirs), 'the adapters do nothing'
PY
t 'peft computes the same loss from an export' '
	sg train -q --type lora --rank 2 --sites "*.attn.q,head" --steps 20 --batch 4 --seq 32 --lr 0.05 --name h && sg export -q --format peft out3 h &&
	python3 peft_loss.py "$model" text load out out2 out3 >theirs.txt 2>log || { cat log; return 1; }
	first=main~ && while git_ rev-parse -q --verify "$first^" >x; do first=$first~; done && sg eval --rev $first --file text --json >e0 &&
	sg eval --rev $first --cand again --file text --json >e1 && sg eval --rev $first --cand two --file text --json >e2 && sg eval --rev $first --cand h --file text --json >e3 &&
	python3 near.py theirs.txt e0 e1 e2 e3
'
t 'an adapter that peft saved computes the same loss here' '
	python3 peft_loss.py "$model" text make >theirs.txt 2>log || { cat log; return 1; }
	sg import --format peft --name theirs theirs >log && grep -q "that it is for .$model.;" log && for k in half rs some rssome dora; do
		sg import --format peft --name $k $k -q || return 1
	done && for k in theirs half rs some rssome dora; do
		sg eval --rev $first --cand $k --file text --json >e.$k || return 1
	done && python3 near.py theirs.txt e.theirs e.half e.rs e.some e.rssome e.dora && sg show some >log && grep -q "rank=7" log
'
cat >archs.py <<'PY'
import sys, torch
from transformers import AutoModelForCausalLM, OPTConfig, MistralConfig, Qwen2Config, GPT2Config, GPTNeoXConfig
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
torch.set_num_threads(1)
wide = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4)
rest = dict(vocab_size=256, bos_token_id=1, eos_token_id=2)
kinds = {
    'opt': (OPTConfig(ffn_dim=64, max_position_embeddings=128, word_embed_proj_dim=32, **wide, **rest), ['q_proj', 'out_proj', 'fc1']),
    'mistral': (MistralConfig(num_key_value_heads=2, head_dim=8, intermediate_size=64, max_position_embeddings=128, sliding_window=None, **wide, **rest), 'all-linear'),
    'qwen2': (Qwen2Config(num_key_value_heads=2, intermediate_size=64, max_position_embeddings=128, **wide, **rest), 'all-linear'),
    'gpt2': (GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=128, **rest), ['c_attn', 'c_fc', 'mlp.c_proj', 'attn.c_proj']),
    'gpt_neox': (GPTNeoXConfig(intermediate_size=64, max_position_embeddings=128, **wide, **rest), ['query_key_value', 'dense', 'dense_4h_to_h']),
}
ids = torch.tensor([list(open('text', 'rb').read())])
def loss(m):
    with torch.no_grad():
        return torch.nn.functional.cross_entropy(m.eval()(ids).logits.double()[0, :-1], ids[0, 1:]).item()
if sys.argv[1] == 'load':
    for k in kinds:
        m = AutoModelForCausalLM.from_pretrained(k)
        print(k, loss(PeftModel.from_pretrained(m, k + '-out')))
    for k in 'gpt2', 'gpt_neox':
        print(k + '-part', loss(PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(k), k + '-part')))
    sys.exit()
plain = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
odd = [b for b in range(256) if b not in plain]
vocab = {chr(b): b for b in plain} | {chr(256 + i): b for i, b in enumerate(odd)}
tok = Tokenizer(models.BPE(vocab, []))
tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tok.decoder = decoders.ByteLevel()
for k, (config, targets) in kinds.items():
    torch.manual_seed(1)
    m = AutoModelForCausalLM.from_config(config)
    for p in m.parameters():
        p.data += 0.05 * torch.randn_like(p)
    m.tie_weights()
    m.save_pretrained(k)
    tok.save(k + '/tokenizer.json')
    m = get_peft_model(m, LoraConfig(r=4, lora_alpha=8, target_modules=targets, task_type='CAUSAL_LM', fan_in_fan_out=k == 'gpt2'))
    for n, p in m.named_parameters():
        if 'lora_B' in n:
            torch.nn.init.normal_(p, std=0.2)
    print(k, loss(m))
    m.save_pretrained(k + '-in')
PY
one_loss () { json lines 0 nats <$1 >nats 2>/dev/null || json sets 0 nats <$1 >nats; awk "{ printf \"%.4f\n\", \$1 / (length(text) - 1) }" text="$(cat text)" nats; }
t 'the other architectures, both ways' '
	python3 archs.py make >made 2>log || { cat log; return 1; }
	for k in opt mistral qwen2 gpt2 gpt_neox; do
		mkdir $k-reg && cp book.txt $k-reg && cd $k-reg && sg init -q --base ../$k && sg data add book -q --role train --split line book.txt &&
		sg import -q --format peft --name in ../$k-in && sg eval --cand in --file ../text --json >../e &&
		sg train -q --type phi --set rank=4 --name out --steps 4 --batch 2 --seq 32 --lr 0.05 && sg export -q --format peft ../$k-out out &&
		sg eval --cand out --file ../text --json >../$k.out && cd .. &&
		is "$(one_loss e)" "$(awk "\$1 == \"$k\" { printf \"%.4f\", \$2 }" made)" || return 1
	done && for k in gpt2 gpt_neox; do
		cd $k-reg && sg train -q --type lora --set alpha=3 --sites "*.1.attn.v,*.attn.k,*.mlp.up" --name part --steps 4 --batch 2 --seq 32 --lr 0.05 &&
		sg export --format peft ../$k-part part >log && grep -q "rank 16, alpha 6" log && sg eval --cand part --file ../text --json >../$k.part &&
		sg import --format peft -q --name back ../$k-part && sg eval --cand back --file ../text --json >e && is "$(one_loss e)" "$(one_loss ../$k.part)" &&
		for type in ia3 dora; do
			sg train -q --type $type --name $type --steps 1 --batch 1 --seq 16 && fails_with 1 sg export --format peft no $type 2>err &&
			grep -q "one map for query, key and value.*this would need" err && ! ls -d no 2>x || return 1
		done && cd .. || return 1
	done &&
	python3 archs.py load >loaded 2>log || { cat log; return 1; }
	for k in opt mistral qwen2 gpt2 gpt_neox; do
		is "$(one_loss $k.out)" "$(awk "\$1 == \"$k\" { printf \"%.4f\", \$2 }" loaded)" || return 1
	done && for k in gpt2 gpt_neox; do
		is "$(one_loss $k.part)" "$(awk "\$1 == \"$k-part\" { printf \"%.4f\", \$2 }" loaded)" || return 1
	done
'
t 'import --json' '
	sg import --format peft --json theirs >log && is "$(json known <log)" true && is "$(json rank <log)" 4 && is "$(json base_model_name_or_path <log)" "$model"
'
done_
