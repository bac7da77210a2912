# A long hunt with libFuzzer: sh tests/fuzz/hunt.sh [-t <seconds each>] [<harness> ...]
#
# Builds the library with clang and the sanitizers (build/cpu-fuzzer-...), then
# each harness of tests/fuzz (or those named) and lets it run on a copy of its
# corpus for 600 seconds. What it finds is left in build/fuzz/<harness>/, named
# crash-*, leak-*, timeout-*; the exit status says whether there was any. Make a
# finding a seed in tests/fuzz/corpus once it is mended: `make check` replays it.
cd "${0%/*}/../.." || exit 1
seconds=600
[ "$1" = -t ] && { seconds=$2; shift 2; }
san=fuzzer-no-link,address,undefined
lib=build/cpu-fuzzer-no-link-address-undefined/libsg.a
command -v clang >/dev/null || { echo 'hunt: this needs clang' >&2; exit 1; }
make CUDA=0 CC=clang SAN=$san -j2 $lib || exit 1
msgpack=$(pkg-config --exists msgpack-c && echo msgpack-c || echo msgpack)
libs=$(pkg-config --cflags --libs libgit2 openssl libzstd $msgpack)
[ $# -gt 0 ] || set -- $(cd tests/fuzz && ls *.c | sed 's/\.c$//' | grep -vx fuzz)
bad=0
for f; do
	dir=build/fuzz/$f
	mkdir -p "$dir/corpus" && cp tests/fuzz/corpus/"$f"/* "$dir/corpus/"
	clang -std=c11 -g -O1 -fsanitize=fuzzer,address,undefined -DSG_LIBFUZZER -D_GNU_SOURCE -I. -Isrc \
		"tests/fuzz/$f.c" $lib $libs -lm -lpthread -ldl -rdynamic -o "$dir/hunt" || exit 1
	if "$dir/hunt" -max_total_time="$seconds" -max_len=65536 -timeout=20 -rss_limit_mb=2048 -artifact_prefix="$dir/" \
		-print_final_stats=1 "$dir/corpus" >"$dir/log" 2>&1; then
		echo "$f: nothing in $seconds s, $(sed -n 's/.*number_of_executed_units: *//p' "$dir/log") inputs"
	else
		echo "$f: see $dir/log, $(ls "$dir" | grep -- - | tr '\n' ' ')"
		bad=1
	fi
done
exit $bad
