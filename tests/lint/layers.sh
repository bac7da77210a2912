# Who may include whom, and each outside library's one home.
#	base <- format, kernels; format <- registry; format + kernels <- tensor <-
#	model <- graft <- train, gate <- search <- sg.c <- cmd
cd "${0%/*}/../.." || exit 1

files=$(find src format kernels cmd -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' -o -name '*.def' | sort)

# Lines of includes against the allowed first folders of each layer.
awk '
BEGIN {
	ok["src/base"]     = "base"
	ok["format"]       = "base format"
	ok["kernels"]      = "base kernels"
	ok["src/registry"] = "base format registry"
	ok["src/tensor"]   = "base format kernels tensor"
	ok["src/model"]    = ok["src/tensor"] " model"
	ok["src/graft"]    = ok["src/model"] " graft"
	ok["src/train"]    = ok["src/graft"] " train"
	ok["src/gate"]     = ok["src/graft"] " gate"
	ok["src/search"]   = ok["src/graft"] " train gate search"
	ok["src"]          = ok["src/search"] " registry"	# and sg.h, sg_*.h: parts of sg.c
	ok["cmd"]          = "base cmd sg.h"
	for (l in ok) n[l] = split(ok[l], list, " ")
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
	layer = FILENAME
	sub(/\/[^\/]*$/, "", layer)
	split($0, quoted, "\"")
	first = quoted[2]
	sub(/\/.*/, "", first)
	if (layer == "src" && first ~ /^sg(_[a-z0-9]+)?\.h$/) next
	if (!(layer in ok)) { print FILENAME ":" FNR ": folder of no layer"; next }
	if (index(" " ok[layer] " ", " " first " ") == 0)
		print FILENAME ":" FNR ": " layer " may not include \"" quoted[2] "\""
}
' $files >"${TMPDIR:-/tmp}/sg-layers.$$"
trap 'rm -f "${TMPDIR:-/tmp}/sg-layers.$$"' EXIT

n=0 bad=0
verdict () { # <title> <findings>
	n=$((n + 1))
	if [ "$2" ]; then
		echo "not ok $n - $1"
		echo "$2" | sed 's/^/# /'
		bad=1
	else
		echo "ok $n - $1"
	fi
}
verdict 'includes go down only' "$(cat "${TMPDIR:-/tmp}/sg-layers.$$")"

# home <title> <regex of headers> <regex of files that may>
home () {
	verdict "$1" "$(grep -nE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($2)" $files /dev/null |
		grep -vE "^($3):")"
}
home 'libgit2 lives in src/registry'                        'git2'           'src/registry/[^:]*'
home 'msgpack lives in format/pack.c'                       'msgpack'        'format/pack\.c'
home 'zstd lives in format/zip.c'                           'zstd|zdict'     'format/zip\.c'
home 'OpenSSL lives in src/base/hash.c and src/registry/sign.c' 'openssl'    'src/base/hash\.c|src/registry/sign\.c'
home 'CUDA lives in kernels/*.cu'                           'cuda|cublas|curand|nccl|mma\.h|cooperative_groups' 'kernels/[^:]*\.cuh?'

# The library never prints, exits or aborts (a child of its own may _exit).
verdict 'the library prints nothing and never exits' "$(
	grep -nE '(^|[^_a-zA-Z0-9.>])(printf|puts|putchar|perror|exit|abort)[[:space:]]*\(|[^_a-zA-Z]fprintf[[:space:]]*\((stderr|stdout)' \
		$(echo "$files" | grep -vE '^cmd/') /dev/null | grep -vE '^[^:]*:[0-9]*:[[:space:]]*(/?\*|//)')"

# Raw allocation stays in base: the rest goes through the checked calls, or says
# on the line why it does not: /* not sg_calloc: why */.
verdict 'allocation goes through base/mem' "$(
	grep -nE '(^|[^_a-zA-Z0-9.>])(malloc|calloc|realloc|strdup|strndup|asprintf)[[:space:]]*\(' \
		$(echo "$files" | grep -vE '^(cmd/|src/base/mem)|\.cuh?$') /dev/null |
		grep -vE '^[^:]*:[0-9]*:[[:space:]]*(/?\*|//)|/\* not sg_')"

# A .c includes its own header first (when it has one); a header base.h or another of ours first.
verdict 'own header first' "$(
	for f in $files; do
		h=${f%.c}.h
		case $f in *.c) [ -f "$h" ] || continue ;; *) continue ;; esac
		first=$(grep -m1 -E '^#[[:space:]]*include' "$f")
		case $first in *"\"${h#src/}\""*) ;; *) echo "$f: $first" ;; esac
	done)"
echo "1..$n"
exit $bad
