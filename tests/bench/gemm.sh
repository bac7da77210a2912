#!/bin/sh
# Build and run the matrix product bench: sh tests/bench/gemm.sh [all]
# "all" adds the skinny shapes. OpenBLAS is used where it is installed; its
# own choice of kernel is wanted, so settings of the environment are dropped.
set -e
cd "$(dirname "$0")/../.."
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE OPENBLAS_NUM_THREADS OMP_NUM_THREADS
make -s CUDA=0 build/cpu/libsg.a
out=build/cpu/bench-gemm
${CC:-cc} -std=c11 -O2 -I. -Isrc -D_GNU_SOURCE -rdynamic -o $out tests/bench/gemm.c build/cpu/libsg.a \
	$(pkg-config --libs libgit2 openssl libzstd) -lm -lpthread -ldl
for lib in libopenblas.so.0 libopenblas.so; do
	if ldconfig -p 2>/dev/null | grep -q "$lib"; then
		exec $out $lib "$@"
	fi
done
exec $out "" "$@"
