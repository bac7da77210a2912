# Every check that needs a GPU, in less than ten minutes, from programs that were built
# elsewhere (tests/gpu/pack.sh); no compiler, no headers, no network. Prints TAP; what
# was measured goes to <out>/gpu.json. Without a GPU it says so and skips.
#	sh tests/gpu/run.sh [<folder of the programs> [<out>]]
#	SG_GPU_SECONDS=570	what it may take; steps that no longer fit are skipped aloud
#	SG_TEST_REQUIRE=cuda	no GPU is a failure
cd "${0%/*}/../.." || exit 1
top=$(pwd)
bin=${1:-build/gpu}
out=${2:-${OUT:-$bin}}
began=$(date +%s)
limit=${SG_GPU_SECONDS:-570}
bin=$(cd "$bin" && pwd) && mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 1
SG=$bin/sg SG_TESTS=$bin/sg-tests
[ ! -d "$bin/lib" ] || LD_LIBRARY_PATH=$bin/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export SG SG_TESTS LD_LIBRARY_PATH
unset SG_DIR SG_ISA
work=$(mktemp -d "${TMPDIR:-/tmp}/sg-gpu.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
json=$out/gpu.json

why=$("$SG" doctor --device cuda 2>&1 | sed -n 's/^cuda  *//p')
[ "$why" ] || why='the program does not run here'
case $why in
ok*) ;;
*)
	why=$(echo "$why" | sed 's/^lacks *//; s/^cuda: //')
	case " $SG_TEST_REQUIRE " in
	*cuda* | *" all "*) echo "1..1"; echo "not ok 1 - a GPU # missing: $why"; exit 1 ;;
	esac
	echo "1..0 # SKIP cuda: $why"
	echo '{"device":null}' >"$json"
	exit 0 ;;
esac
device=$(echo "${why#ok}" | sed 's/^ *//')
echo "# $device"

n=0 bad=0
rows=$work/rows
: >"$rows"
quote () { printf '%s' "$1" | tr -d '\\"' | tr '\n\t' '  '; }
left () { echo $((limit - ($(date +%s) - began))); }
row () { # <name> <result> <seconds>
	printf '{"check":"%s","result":"%s","seconds":%s}\n' "$(quote "$1")" "$2" "$3" >>"$rows"
}

# step <seconds at most> <title> <command ...>: its TAP, or its exit, is one line of ours.
step () {
	most=$1 title=$2
	shift 2
	n=$((n + 1))
	room=$(left)
	if [ "$room" -lt 10 ]; then
		echo "ok $n - $title # SKIP no time left"
		row "$title" skipped 0
		return
	fi
	[ "$most" -lt "$room" ] || most=$room
	from=$(date +%s)
	timeout -k 5 "$most" "$@" >"$work/log" 2>&1 </dev/null
	rc=$?
	took=$(($(date +%s) - from))
	if [ $rc -eq 0 ] && ! grep -q '^not ok' "$work/log"; then
		echo "ok $n - $title ($(grep -c '^ok' "$work/log") passed, $took s)"
		row "$title" passed $took
	else
		echo "not ok $n - $title (exit $rc, $took s)"
		grep -A4 '^not ok' "$work/log" | head -60 | sed 's/^/#   /'
		tail -15 "$work/log" | sed 's/^/# /'
		row "$title" failed $took
		bad=1
	fi
	cp "$work/log" "$out/$(printf '%02d' $n).log"
}
skipped () { # <title> <why>
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
	row "$1" skipped 0
}

# sanitizer <tool>: only the GPU's own runs, since the tool slows each of them.
sanitizer () {
	tool=$(command -v compute-sanitizer || ls /usr/local/cuda*/bin/compute-sanitizer 2>/dev/null | head -1)
	[ "$tool" ] || { skipped "compute-sanitizer $1 over the kernels" "no compute-sanitizer"; return; }
	step 120 "compute-sanitizer $1 over the kernels" env SG_TEST_DEVICE=cuda "$tool" --tool "$1" --error-exitcode 9 \
		"$SG_TESTS" kernel_
}

# measure <shape and options of bench>: a row of the table in kernels/README.md
measure () {
	# shellcheck disable=SC2016
	step 90 "bench $*" sh -c 'to=$1 all=$2; shift 2; "$SG" -q --device cuda bench --json "$@" >"$to" && cat "$to" >>"$all" && cat "$to"' \
		sh "$work/b" "$work/bench" "$@"
}

SG_TEST_REQUIRE=cuda
export SG_TEST_REQUIRE
step 120 'kernels: the bits of the processor, on fresh numbers at awkward sizes' "$SG_TESTS" tests/kernels/
step 120 'every graft on every architecture, bit for bit' "$SG_TESTS" gpu_computes
step 120 "a graft's life beside the processor's" sh tests/t/cuda.sh
step 240 'a model grown on the GPU, proven and replayed on the processor' sh tests/gpu/life.sh
sanitizer memcheck
sanitizer racecheck
: >"$work/bench"
if "$SG" bench --help >/dev/null 2>&1; then
	lora='--set rank=16 --set alpha=32'
	measure gpt2-124m $lora --batch 16 --seq 1024 --micro 16384
	measure gpt2-124m $lora --batch 1 --seq 256 --rows train,generate
	measure gpt2-124m --type block --set width=64 --batch 16 --seq 1024 --micro 16384 --rows train
	measure smollm2-135m $lora --batch 8 --seq 2048 --micro 16384
	measure llama-1b $lora --batch 4 --seq 2048 --micro 8192 --steps 5
	measure llama-8b $lora --batch 4 --seq 2048 --micro 2048 --steps 2 --rows train
else
	skipped 'bench' 'this sg has no bench'
fi

{
	printf '{"device":"%s","checks":[' "$(quote "$device")"
	paste -sd, "$rows"
	printf '],"bench":['
	paste -sd, "$work/bench"
	printf ']}\n'
} | tr -d '\n' >"$json"
echo >>"$json"
echo "1..$n"
echo "# $(($(date +%s) - began)) s; $json"
exit $bad
