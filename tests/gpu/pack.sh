# What a GPU host needs to run tests/gpu/run.sh, in one folder: the programs, the CUDA
# backend and the libraries that such a host may lack.
#	sh tests/gpu/pack.sh [<build folder>] [<folder to make>]	as `make gpu` does
set -e
cd "${0%/*}/../.."
from=${1:-build/cuda} to=${2:-build/gpu}
for f in sg sg-tests libsg_cuda.so; do
	[ -e "$from/$f" ] || { echo "pack: no $from/$f: build it first (make gpu)" >&2; exit 1; }
done
rm -rf "$to"
mkdir -p "$to/lib"
for f in sg sg-tests libsg_cuda.so; do
	cp "$from/$f" "$to/$f"
	strip --strip-debug "$to/$f" 2>/dev/null || :
done
# The C library and the loader stay the host's.
ldd "$to/sg" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' |
	grep -vE '/(libc|libm|libdl|libpthread|librt|ld-linux[^/]*)\.so' |
	while read -r lib; do cp -L "$lib" "$to/lib/"; done
du -sh "$to" | sed 's/^/pack: /'
