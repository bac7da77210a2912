# The life of a graft on a real trained model: Spanish for a model that knows
# English stories only. Skipped where the model and the texts are not there.
. "${0%/*}/lib.sh"
model=$SG_TOP/../shared/models/stories260K
texts=$SG_TOP/../shared/corpora
[ -d "$model" ] && [ -d "$texts" ] || { skip shared 'the life of a graft on stories260K'; done_; }

# Position decides: the last tenth of the Spanish verses is never trained on.
head -c 1000000 "$texts/pd-es-rv1909.txt" | sed '$d' >es.txt
head -c 10000 "$texts/pd-en-tomsawyer.txt" >tom.txt

t 'the published loss' '
	sg init --base "$model" &&
	sg eval --json --window 511 --file tom.txt >out && json <out lines 0 loss >got &&
	awk "{ exit !(\$1 > 3.400 && \$1 < 3.404) }" got
'
t 'greedy text as published' '
	sg generate --temperature 0 --tokens 40 >out &&
	grep -q "^Once upon a time, there was a little girl named Lily. She loved to play outside in the park." out
'
t 'data: Spanish to learn, Spanish held out, English to keep' '
	sg data add es --role train --split line --to 90 es.txt &&
	sg data add es-held --role accept --split line --from 90 es.txt &&
	sg data add en --role train --split line "$texts/pd-en-sherlock.txt" &&
	sg data add en-kept --role retain --split line --max-docs 300 "$texts/pd-en-tomsawyer.txt" &&
	sg eval --json es-held en-kept >before.json
'
t 'a LoRA gains over half a nat per token on held-out Spanish, English kept' '
	sg train --type lora --rank 8 --name spanish --steps 100 --batch 16 --lr 5e-3 --warmup 10 --accept --json >out &&
	cat out &&
	sg eval --json es-held en-kept >after.json &&
	json <before.json lines 1 loss >was && json <after.json lines 1 loss >now &&
	paste was now | awk "{ exit !(\$1 - \$2 > 0.5) }"
'
t 'the line says so' '
	sg log >out && grep spanish out
'
t 'revert asks for force where what is kept gets worse; then the losses of before, byte for byte' '
	fails_with 1 sg revert spanish && sg revert --force spanish &&
	sg eval --json es-held en-kept >again.json && same before.json again.json
'
done_
