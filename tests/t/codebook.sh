. "${0%/*}/lib.sh"
have python3 || { skip python3 'codebook'; done_; }
# row <dictionary> <member>: of the JSON in out
row () { python3 -c '
import json, sys
print([d[sys.argv[2]] for d in json.load(open("out"))["dictionaries"] if d["dictionary"] == sys.argv[1]][0])' "$@"; }

grow_registry && sg train --type layer --name first $fast -q && sg accept -q first || exit 1
t 'all dictionaries, and their errors' '
	sg codebook >out && is "$(wc -l <out)" 6 && is "$(cut -d" " -f1 out | tr "\n" " ")" "DICTIONARY fixed scaled residual hierarchical learned " &&
	sg codebook --json >out && is "$(json matrices <out)" 7 && is "$(json numbers <out)" 16384 && for d in fixed scaled residual hierarchical learned; do
		row $d l1 | awk "{ exit !(\$1 >= 0 && \$1 < 1.2) }" && is "$(row $d raw_bytes)" 65536 || return 1
	done
'
t 'every bit: no error, and nothing saved on weights that repeat nothing' '
	sg codebook --signature exact --json >out && is "$(row fixed l1)" 0.0 || is "$(row fixed l1)" 0 && is "$(row fixed codes)" "$(row fixed tiles)" &&
	[ "$(row fixed bytes)" -gt 65536 ]
'
t 'a finer step: less error, more bytes; more codes: less error' '
	sg codebook --tile 2 --step 2 --json >out && a=$(row fixed l2) && few=$(row fixed bytes) && sg codebook --tile 2 --step 0.25 --json >out && b=$(row fixed l2) && many=$(row fixed bytes) &&
	echo "$a $b $few $many" | awk "{ exit !(\$2 < \$1 && \$4 > \$3) }" && sg codebook --codes 2 --json >out && a=$(row learned l2) && sg codebook --codes 128 --json >out &&
	echo "$a $(row learned l2)" | awk "{ exit !(\$2 < \$1) }"
'
t 'the change of a graft: 40 numbers of 4,096 are few tiles, to the bit' '
	sg policy set gate.quality.min-docs 10 -q && sg train --type sparse --set count=40 --sites "*.mlp.up" --name few $fast -q && sg accept few -q && sg codebook --graft few --sites "*.mlp.up" --signature exact --json >out &&
	is "$(json matrices <out)" 1 && row fixed l1 | grep -qE "^0(\.0)?$" && [ "$(row fixed bytes)" -lt 4000 ] && row fixed reuse | awk "{ exit !(\$1 > 0.8) }"
'
t 'the same bits on other threads; what is wrong is said once' '
	sg codebook --json >a && sg codebook --threads 1 --json >b && same a b && fails_with 129 sg codebook --tile 3 2>err && is "$(grep -c ^sg err)" 1 &&
	fails_with 129 sg codebook --signature luck && fails_with 128 sg codebook --graft nothing 2>err && is "$(wc -l <err)" 1 && fails_with 128 sg codebook --sites "*.nothing" &&
	fails_with 128 sg codebook --graft few --rev HEAD~1 2>err && grep -q "not active" err && fails_with 128 sg codebook --sites "*.out"
'
done_
