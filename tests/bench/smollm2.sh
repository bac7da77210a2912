#!/bin/sh
# SmolLM2-135M in Q4_1 beside transformers and peft with the same weights in f32:
# evaluating 512 tokens, and a LoRA step of 512 tokens (rank 16 on attention's maps).
# In turn, with one thread and with `threads`, the fastest of all rounds on each side.
#
# PyTorch's threads wait for each other at every product, so on a busy machine many
# threads say more about the neighbours than about it. Time on the clock therefore
# counts only from pairs in which others left each thread a core of its own, but for
# 10 % of the machine; processor seconds of one thread count always.
#	sh tests/bench/smollm2.sh [threads] [rounds]
set -e
cd "$(dirname "$0")/../.."
threads=${1:-2} rounds=${2:-3}
file=$(sh tests/models/smollm2.sh --path) || { echo "no model: sh tests/models/smollm2.sh fetches it"; exit 0; }
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE OMP_NUM_THREADS
make -s CUDA=0 build/cpu/libsg.a
out=build/cpu/bench-smollm2
${CC:-cc} -std=c11 -O2 -I. -Isrc -D_GNU_SOURCE -rdynamic -o $out tests/bench/smollm2.c build/cpu/libsg.a \
	$(pkg-config --libs libgit2 openssl libzstd) \
	$(pkg-config --libs msgpack-c 2>/dev/null || pkg-config --libs msgpack) -lm -lpthread -ldl
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 tests/bench/smollm2.py unpack "$file" "$dir/hf" >"$dir/log" 2>&1 || {
	echo "sg alone, without transformers, peft and gguf:"
	tail -1 "$dir/log"
}
theirs () { [ ! -s "$dir/hf/config.json" ] || python3 tests/bench/smollm2.py run "$dir/hf" "$@" 4 2>>"$dir/log"; }
i=0
: >"$dir/all"
while [ $i -lt "$rounds" ]; do
	i=$((i + 1))
	for what in eval step; do
		for n in $(printf '1\n%s\n' "$threads" | sort -nu); do
			for wait in active passive; do
				[ $n -gt 1 ] || [ $wait = active ] || continue
				ours=$($out "$dir" "$file" $n $what 4)
				echo "$what $n $wait $ours $(OMP_WAIT_POLICY=$wait theirs $n $what)" | tee -a "$dir/all" |
				awk '{ printf "%s, %d thread(s), %s: sg %.3f s (%.3f of processor), loss %.5f, %d MB, others %d %%", $1, $2, $3, $4, $5, $6, $7, $8
				       if (NF > 8) printf "   transformers %.3f s (%.3f), loss %.5f, %d MB, others %d %%", $9, $10, $11, $12, $13
				       print "" }'
			done
		done
	done
done
awk -v cores="$(nproc)" 'function least(v, k, x) { if (!(k in v) || x < v[k]) v[k] = x }
NF > 8 { k = $1 ", " $2 " thread(s)"; if (!(k in tried)) { order[++n] = k; one[k] = $2 == 1 }
	tried[k]++
	least(wa, k, $5); least(wb, k, $10); least(mb, k, $12)
	if ($7 > ma[k]) ma[k] = $7
	room = 100 * (cores - $2) / cores + 10
	if ($8 > room || $13 > room) next
	quiet[k]++
	least(a, k, $4); least(b, k, $9) }
END { for (i = 1; i <= n; i++) { k = order[i]
	if (quiet[k]) printf "%s, clock, %d of %d pairs quiet: sg %.3f s, %.0f tokens/s; transformers %.3f s, %.0f tokens/s; %.2f times\n",
		k, quiet[k], tried[k], a[k], 512 / a[k], b[k], 512 / b[k], b[k] / a[k]
	else printf "%s, clock: no verdict, others were busy in all %d pairs\n", k, tried[k]
	if (one[k]) printf "%s, processor: sg %.3f s, transformers %.3f s; %.2f times\n", k, wa[k], wb[k], wb[k] / wa[k]
	printf "%s, memory: sg %d MB, transformers %d MB; %.2f of theirs\n", k, ma[k], mb[k], ma[k] / mb[k] } }' "$dir/all"
