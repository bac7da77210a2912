#!/bin/sh
# sg's store beside git (as it comes, and tuned) and git-lfs, on this machine:
#	sh tests/bench/store.sh [case ...]
# A case is kind:count:megabytes, kinds random, f32, bf16 and smollm2 (the file of the
# model as it is). ROUNDS (3) of each in turn, in fresh repositories of one file system;
# LIMIT (120) seconds for an operation, what takes longer is shown as such; ONLY="sg,git-lfs"
# takes some. sg and its numbers include SHA-256 of each tensor and fsync; git-lfs and git's
# loose objects are not synced. git-lfs links its object into a file:// remote.
set -e
cd "$(dirname "$0")/../.."
make -s CUDA=0 build/cpu/libsg.a build/cpu/sg
out=build/cpu/bench-store
${CC:-cc} -std=c11 -O2 -I. -Isrc -D_GNU_SOURCE -rdynamic -o $out tests/bench/store.c build/cpu/libsg.a \
	$(pkg-config --libs libgit2 openssl libzstd) \
	$(pkg-config --libs msgpack-c 2>/dev/null || pkg-config --libs msgpack) -lm -lpthread -ldl
work=$(mktemp -d "${TMPDIR:-/var/tmp}/sg-store.XXXXXX")
trap 'rm -rf "$work"' EXIT
model=${SG_SMOLLM2:-$HOME/.cache/sg/SmolLM2-135M-Instruct.Q4_1.gguf}
[ ! -e "$model" ] || { mkdir "$work/data-smollm2" && cp "$model" "$work/data-smollm2/0.bin"; }
command -v git-lfs >/dev/null || { echo "git-lfs is not installed: apt-get install git-lfs"; ONLY=${ONLY:-sg,sg to tuned,sg --link,git tuned,git default}; export ONLY; }
[ $# -gt 0 ] || set -- random:1:100 f32:1:100 bf16:1:100 $([ ! -e "$model" ] || echo smollm2:1:0) random:24:20
python3 tests/bench/store.py "$work" "$PWD/build/cpu/sg" "$PWD/$out" "${ROUNDS:-3}" "${LIMIT:-120}" "$@"
