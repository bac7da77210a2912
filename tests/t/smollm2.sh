# A quantised base as people have it: one GGUF file. Skipped where it is not there;
# sh tests/models/smollm2.sh fetches it.
file=$(sh "${0%/*}/../models/smollm2.sh" --path 2>/dev/null)
. "${0%/*}/lib.sh"
[ "$file" ] || { skip smollm2 'SmolLM2 in Q4_1'; done_; }
have python3 || { skip python3 'SmolLM2 in Q4_1'; done_; }

# peak <command ...>: runs it and leaves its largest resident memory in kB in ./peak
peak () {
	python3 -c 'import resource, subprocess, sys
rc = subprocess.call(sys.argv[1:])
open("peak", "w").write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(rc)' "$@"
}

head -c 3200 "$SG_TOP/LICENSE" >text.txt
t 'a registry on it in seconds' '
	began=$(date +%s) && sg init --base "$file" && [ $(($(date +%s) - began)) -lt 20 ] &&
	is "$(sg base --json | json arch)" llama && is "$(sg base --json | json parameters)" 134515008 &&
	is "$(sg base --json | json tensors)" 272
'
t '512 tokens in less than 350 MB' '
	peak "$SG" eval --json --window 512 --file text.txt >out && [ "$(json lines 0 tokens <out)" -gt 480 ] &&
	json lines 0 loss <out && [ "$(cat peak)" -lt 350000 ]
'
t 'greedy text, as transformers writes it' '
	sg generate --temperature 0 --tokens 64 --prompt "Once upon a time" >out &&
	grep -q "^Once upon a time, a young girl named Emma discovered a mysterious box in her attic. The box was filled with strange and wondrous items, but one item caught her attention. It was a small, intricately carved wooden box with a map in the center." out
'
t 'a graft trains on it; the base stays what it is' '
	sg eval --json --window 256 --file text.txt >before &&
	sg data add licence --role train --split file text.txt &&
	sg train --type lora --rank 4 --sites "layers.29.*" --name licence --steps 3 --batch 1 --seq 128 --json >out &&
	sg eval --json --window 256 --cand licence --file text.txt >with &&
	json lines 0 loss <before >was && json lines 0 loss <with >now && paste was now | awk "{ exit !(\$2 < \$1) }" &&
	sg base verify && sg eval --json --window 256 --file text.txt >after && same before after
'
done_
