#!/bin/sh
# A LoRA step of a 10M-parameter Llama beside PyTorch + PEFT, f32, same threads,
# in turn: sh tests/bench/lora_step.sh [threads] [rounds]
set -e
cd "$(dirname "$0")/../.."
threads=${1:-2} rounds=${2:-3}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE OMP_NUM_THREADS
make -s CUDA=0 build/cpu/libsg.a
out=build/cpu/bench-lora-step
${CC:-cc} -std=c11 -O2 -I. -Isrc -D_GNU_SOURCE -rdynamic -o $out tests/bench/lora_step.c build/cpu/libsg.a \
	$(pkg-config --libs libgit2 openssl libzstd) \
	$(pkg-config --libs msgpack-c 2>/dev/null || pkg-config --libs msgpack) -lm -lpthread -ldl
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
i=0
while [ $i -lt "$rounds" ]; do
	i=$((i + 1))
	ours=$($out "$dir" "$threads" 8 | cut -d' ' -f1)
	theirs=$(python3 tests/bench/lora_step.py "$threads" 8 2>/dev/null | cut -d' ' -f1) || theirs=
	[ -n "$theirs" ] || { echo "sg $ours s a step; PyTorch and PEFT are not installed"; continue; }
	awk -v a="$ours" -v b="$theirs" 'BEGIN { printf "sg %.3f s  %.0f tok/s   PyTorch+PEFT %.3f s  %.0f tok/s   speed ratio %.2f\n", a, 2048/a, b, 2048/b, b/a }'
done
