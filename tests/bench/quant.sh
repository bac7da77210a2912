#!/bin/sh
# Build and run the bench of quantised weights: sh tests/bench/quant.sh [THREADS]
set -e
cd "$(dirname "$0")/../.."
make -s CUDA=0 build/cpu/libsg.a
out=build/cpu/bench-quant
${CC:-cc} -std=c11 -O2 -I. -Isrc -D_GNU_SOURCE -rdynamic -o $out tests/bench/quant.c build/cpu/libsg.a \
	$(pkg-config --libs libgit2 openssl libzstd) -lm -lpthread -ldl
exec $out "$@"
