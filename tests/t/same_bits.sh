# The same stack on the same base gives the same bits, and the same recipe the same
# graft: on any number of threads, any size of pass, any instruction set, any process.
. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
ids () { git_ for-each-ref --format='%(refname:lstrip=3)' refs/sg/cand | sort; }
# Instruction sets that this processor has.
sets=scalar
grep -q '^flags.* avx2 .*fma\|^flags.* fma .*avx2' /proc/cpuinfo && sets="$sets avx2"
grep -q '^flags.* avx512f' /proc/cpuinfo && sets="$sets avx512"

# A stack of every type that trains here.
grow_registry && awk 'BEGIN { for (i = 1; i <= 60; i++) print "a long line " i " " i * i " that goes on and on, " i * 7 % 13 " and on" }' >long.txt &&
	sg data add long -q --role retain --split line long.txt || exit 1
short='--steps 4 --batch 3 --seq 24 --lr 0.02 -q'
accept () { sg train --name "$@" $short && git_ for-each-ref --format='%(objectname)' refs/sg/cand >../tip && take "$1"; }
# Into the line whatever the gates say: bits are compared here, not quality.
take () {
	for gate in quality retention; do sg policy set gate.$gate.enabled false >/dev/null || return 1; done
	sg accept -q "$1"
}
accept one --type layer && accept two --type layer --seed 4 && accept three --type lora --rank 2 && accept four --type phi --set rank=4 --sites '*.mlp.*' &&
	accept five --type block --set width=8 || exit 1

t 'a stack of five: the losses have the same bits' '
	is "$(git_ ls-tree --name-only main:grafts | wc -l)" 5 &&
	sg eval --window 64 --json >want && grep -q losses want &&
	for i in 1 2 3 5; do sg eval --window 64 --json --threads $i >got && same want got || return 1; done &&
	for i in 1 64 65 100 333 4096; do sg eval --window 64 --json --batch $i >got && same want got || return 1; done &&
	for i in $sets; do
		for j in 1 2; do SG_ISA=$i sg eval --window 64 --json --threads $j --batch $((j * 150)) >got && same want got || return 1; done
	done; cp -r .sg ../copy.sg && (cd .. && SG_DIR=copy.sg sg eval --window 64 --json) >got && same want got
'
t 'a receipt has the same bytes, made anew each time' '
	sg train --type lora --name six --rank 2 --seed 8 $short && id=$(ids | tail -1) && count=0 &&
	for i in $sets; do
		for ref in $(git_ for-each-ref --format="%(refname)" refs/sg/report); do git_ update-ref -d $ref || return 1; done
		count=$((count + 1)) && SG_ISA=$i sg validate six -q --threads $count; [ $? -le 1 ] || return 1
		git_ show $(git_ for-each-ref --format="%(refname)" refs/sg/report):receipt.mp >$i.mp && same scalar.mp $i.mp || return 1
	done
'
for type in layer lora phi block dora ia3 sparse full wide tt; do
	case $type in
	lora) more='--rank 2' ;;
	phi) more='--set rank=3 --sites *.attn.*' ;;
	block) more='--set width=8' ;;
	wide) more='--set width=8' ;;
	dora) more='--rank 2' ;;
	sparse) more='--set count=40' ;;
	*) more= ;;
	esac
	t "training of a $type gives the same graft" '
		run="--type $type $more --seed 31 $short" && ids >was &&
		sg train $run && ids >want && ! cmp -s was want &&
		for how in "--threads 1" "--threads 2" "--micro 24" "--micro 48 --threads 3" "--micro 1000" "--save-every 1"; do
			sg train $run $how && ids >got && same want got || { echo "$how"; return 1; }
		done && for i in $sets; do SG_ISA=$i sg train $run --threads 2 && ids >got && same want got || { echo "$i"; return 1; }; done
	'
done
for i in avx2 avx512; do
	case " $sets " in *" $i "*) ;; *) skip "$i" "the same bits with $i" ;; esac
done
done_
