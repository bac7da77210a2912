#!/bin/sh
# How commands fare in a registry of many accepted grafts, of about 100 KB each:
#	sh tests/bench/many.sh [grafts, 10000] [folder]
# The history is written by tests/bench/many.c; what is timed are the commands: the
# median of five, in ms, and the processor's time of the last. A folder that is given is kept and used again.
set -e
cd "$(dirname "$0")/../.."
grafts=${1:-10000} dir=$2
make -s CUDA=0 build/cpu/libsg.a build/cpu/sg
out=build/cpu/bench-many SG=$PWD/build/cpu/sg
${CC:-cc} -std=c11 -O2 -I. -Isrc -D_GNU_SOURCE -rdynamic -o $out tests/bench/many.c build/cpu/libsg.a \
	$(pkg-config --libs libgit2 openssl libzstd) \
	$(pkg-config --libs msgpack-c 2>/dev/null || pkg-config --libs msgpack) -lm -lpthread -ldl
out=$PWD/$out
if [ ! "$dir" ]; then
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
fi
mkdir -p "$dir" && cd "$dir"
export GIT_AUTHOR_NAME=Many GIT_AUTHOR_EMAIL=many@example.com GIT_COMMITTER_NAME=Many GIT_COMMITTER_EMAIL=many@example.com
now () { date +%s%N; }
if [ ! -e .sg ]; then
	"$SG" init -q --width 40
	awk 'BEGIN { for (i = 1; i <= 60; i++) print "line " i " of a text that tells " i * i % 89 }' >book.txt
	"$SG" data add -q book --role train --split line --to 40 book.txt
	"$SG" data add -q held --role accept --split line --from 40 book.txt
	"$SG" policy set gate.quality.enabled false >/dev/null
	"$SG" train -q --type layer --steps 2 --batch 2 --seq 16 --name first && "$SG" accept -q first
	began=$(now)
	"$out" . "$grafts"
	echo "$grafts grafts written in $((($(now) - began) / 1000000000)) s"
fi
rm -rf there.git && git init -q --bare there.git
echo "registry: $(du -sm .sg/registry.git | cut -f1) MB, $(ls .sg/registry.git/objects/pack/*.pack | wc -l) packs"

# timed <what> <command ...>
timed () {
	what=$1
	shift
	for i in 1 2 3 4 5; do
		[ "$what" = "${what#a commit}" ] || { "$SG" policy set gate.quality.alpha 0.0$i >/dev/null; }
		began=$(now)
		/usr/bin/time -o "$dir/cpu" -f '%U %S' "$SG" "$@" >/dev/null 2>"$dir/err" || { echo "$what: $(cat "$dir/err")"; return 0; }
		echo $((($(now) - began) / 10000))
	done | sort -n | sed -n 3p | awk -v w="$what" -v f="$dir/cpu" '{ getline c <f; split(c, u, " "); printf "%-28s %8.1f ms   cpu %5.0f ms\n", w, $1 / 100, (u[1] + u[2]) * 1000 }'
}
timed 'log -n 20' log -n 20
timed 'status' status
timed 'show NAME (reads names)' show "g$((grafts / 2))"
timed 'show ID' show "$(git --git-dir=.sg/registry.git ls-tree --name-only main:grafts | sed -n 7p)"
"$SG" push -q --link there.git main
timed 'a commit, pushed' push -q there.git main
timed 'a commit, pushed by link' push -q --link there.git main
