. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
id_ () { git_ for-each-ref --format='%(refname:lstrip=3)' refs/sg/cand; }

grow_registry || exit 1
t 'a layer grows on a substrate, to a candidate' '
	sg train --type layer --name first $fast >out &&
	grep -q "^candidate [0-9a-f]\{16\} first: loss 5\.[0-9]* -> [0-4]\.[0-9]*, 12 steps" out &&
	git_ show refs/sg/cand/$(id_):grafts/$(id_)/graft.json | sha256sum | grep -q "^$(id_)" &&
	is "$(git_ rev-parse refs/sg/cand/$(id_)^)" "$(git_ rev-parse main)" &&
	git_ fsck --strict
'
t 'the same recipe gives the same graft, whatever it runs on' '
	id_ >was &&
	for i in avx512 avx2 scalar; do
		grep -q "^flags.*$i" /proc/cpuinfo || [ $i = scalar ] || grep -q "^flags.*${i}f" /proc/cpuinfo || continue
		SG_ISA=$i sg train --type layer --name first $fast --threads 1 --micro 32 >out || return 1
	done &&
	sg train --type layer --name first $fast --threads 3 --micro 100 >out &&
	id_ >now && same was now
'
t 'another seed, or step, gives another graft' '
	sg train --type layer $fast --seed 2 -q && sg train --type layer $fast --steps 11 -q && is "$(id_ | wc -l)" 3
'
# wait_for <test ...>: until it holds, for 20 seconds at most
wait_for () {
	for i in $(seq 2000); do
		"$@" && return
		sleep 0.01
	done
	false
}
t 'killed, stopped and resumed: the same graft as in one go' '
	run="--type layer --steps 800 --batch 4 --seq 32 --lr 0.01" &&
	sg train $run >whole && one=$(sed "s/^candidate \(.\{16\}\).*/\1/" whole) &&
	git_ update-ref -d refs/sg/cand/$one && git_ for-each-ref >was &&
	{ "$SG" train $run --save-every 20 & } && pid=$! &&
	wait_for eval "[ -e .sg/jobs/*.state ]" && kill -9 $pid && ! wait $pid &&
	git_ for-each-ref >now && same was now && git_ fsck --strict &&
	touch -d 2001-01-01 old .sg/jobs/*.state &&
	{ "$SG" train --resume --save-every 1 2>err & } && pid=$! &&
	wait_for eval "[ .sg/jobs/*.state -nt old ]" && kill -TERM $pid && { wait $pid; is $? 128; } &&
	grep -q "stopped after step .* continue with --resume" err && git_ for-each-ref >now && same was now &&
	sg train --resume --threads 1 --micro 40 >again && grep -q "^candidate $one" again && [ ! -e .sg/jobs/*.state ]
'
t 'a kept state that was damaged, or is for another stack, is refused' '
	{ "$SG" train --type layer --steps 100000 --batch 4 --seq 32 --save-every 10 & } && pid=$! &&
	wait_for eval "[ -e .sg/jobs/*.state ]" && kill -9 $pid && ! wait $pid && state=$(echo .sg/jobs/*.state) && cp $state kept &&
	printf "\377" | dd of=$state bs=1 seek=4000 conv=notrunc 2>/dev/null && fails_with 128 sg train --resume 2>err && grep -q "is damaged" err &&
	head -c 3000 kept >$state && fails_with 128 sg train --resume 2>err && is "$(grep -c . err)" 1 &&
	: >$state && fails_with 128 sg train --resume && cp kept $state &&
	git_ for-each-ref >was && sg train --type layer $fast --seed 5 --name in --accept -q && fails_with 1 sg train --resume 2>err && grep -q "training on state" err &&
	rm $state kept && git_ update-ref refs/heads/main $(sed -n "s/ commit.*heads.main//p" was)
'
t 'nothing to resume' '
	fails_with 128 sg train --resume 2>err && grep -q "no stopped run" err &&
	fails_with 129 sg train --resume --steps 3 2>err && grep -q "keeps its recipe" err
'
t 'lora and block on the grown layer; accept at once' '
	sg accept first -q &&
	sg train --type lora --rank 2 --name second $fast --accept >out && grep -q "^accept second" out &&
	sg train --type block --set width=8 --name third $fast -q &&
	sg train --type lora --sites "*" $fast -q && sg train --type phi --set rank=4 --sites "*.mlp.*" --name fourth $fast -q &&
	is "$(git_ log --first-parent --format=%s main | head -2 | cut -d: -f1)" "accept second
accept first"
'
t 'blocks of every activation, and with a factor that trains' '
	for a in silu gelu gelu_tanh relu; do sg train --type block --set width=5 --set act=$a $fast -q || return 1; done &&
	id_ >was && sg train --type block --set width=5 --set learn_scale=1 --set scale=0.5 --name gain $fast -q && id_ >now &&
	one=$(comm -13 was now) && git_ show refs/sg/cand/$one:grafts/$one/graft.json | grep -q "out.scale\",\"sha256\":\"[0-9a-f]*\",\"shape\":\[1\]" &&
	fails_with 129 sg train --type block --set act=tanh $fast 2>err && grep -q "act must be" err &&
	fails_with 1 sg train --type block --set scale=0 $fast 2>err && grep -q "scale must not be 0" err
'
t 'the controls: the same loop on the same tokens, from the same loss' '
	: >first &&
	for i in "lora --rank 2" "dora --rank 2" ia3 "sparse --set count=50" "sparse --set count=50 --set score=random" full head "head --rank 4" "tt --set bond=2" "tt --set cores=3" "wide --set width=9"; do
		sg train --type $i $fast >out && sed "s/.*: loss \([0-9.]*\) -> .*/\1/" out >>first || return 1
	done && is "$(sort -u first | wc -l)" 1 && is "$(wc -l <first)" 11 &&
	fails_with 1 sg train --type sparse --set count=0 $fast 2>err && fails_with 129 sg train --type sparse --set score=luck $fast &&
	fails_with 129 sg train --type ia3 --set side=up $fast 2>err && grep -q "auto, in or out" err &&
	fails_with 1 sg train --type dora --rank 1000 $fast && fails_with 129 sg train --type full --set bias=2 $fast &&
	fails_with 1 sg train --type head --sites "*.mlp.up" $fast && fails_with 1 sg train --type tt --set cores=5 $fast &&
	fails_with 1 sg train --type wide --sites "*.mlp.up" $fast && fails_with 1 sg train --type wide --set width=0 $fast
'
t 'a graft inside another requires it, the others come before' '
	first=$(git_ log --format="%(trailers:key=Sg-Graft,valueonly)" --grep "^accept first" main | cut -c8-23) &&
	second=$(git_ log --format="%(trailers:key=Sg-Graft,valueonly)" --grep "^accept second" main | cut -c8-23) &&
	git_ show main:grafts/$second/graft.json | grep -q "\"requires\":\[\"\(sha256:\)\?$first"
'
t 'phi from data: the same bits however it is cut' '
	run="--type phi --set basis=actgrad --set init=ls --set calib=200 --set rank=4 --set phi=upper --sites *.mlp.*,*.out $fast" &&
	sg train $run --threads 1 --micro 32 >out && id=$(sed -n "s/^candidate \([0-9a-f]*\).*/\1/p" out) &&
	git_ update-ref -d refs/sg/cand/$id && sg train $run --threads 3 --micro 100 >out && grep -q "^candidate $id" out &&
	sg show $id >out && grep -q "effective_rank" out
'
t 'sparse by the gradient: chosen once, stored, the same bits however it is cut' '
	for s in gradient weightgrad; do
		run="--type sparse --set score=$s --set count=60 --set calib=200 --sites *.mlp.*,*.attn.* $fast" &&
		sg train $run --threads 1 --micro 32 >out && id=$(sed -n "s/^candidate \([0-9a-f]*\).*/\1/p" out) && git_ show refs/sg/cand/$id:grafts/$id/graft.json >$s.json &&
		git_ update-ref -d refs/sg/cand/$id && sg train $run --threads 3 --micro 100 >out && grep -q "^candidate $id" out &&
		sg train $run --seed 2 >out && ! grep -q "^candidate $id" out || return 1
	done && ! cmp -s gradient.json weightgrad.json && fails_with 1 sg train --type sparse --set score=weightgrad --sites head --set count=3 $fast 2>err && is "$(grep -c . err)" 1
'
t '--list-types' '
	sg train --list-types >out && for i in lora phi block layer ia3 dora sparse full head wide tt; do grep -q "^$i: " out || return 1; done &&
	grep -q "^  rank=8 " out
'
t 'what is wrong is said once, and nothing changes' '
	git_ for-each-ref >was &&
	fails_with 129 sg train 2>err && grep -q -- "--type" err &&
	fails_with 129 sg train --type nothing 2>err && grep -q "no graft type" err &&
	fails_with 129 sg train --type lora --set rankk=3 2>err && grep -q "rankk" err &&
	fails_with 129 sg train --type lora --set rank 2>err && fails_with 129 sg train --type phi --set scale=nan 2>err && grep -q "must be a number" err &&
	fails_with 1 sg train --type lora --sites slot.0 2>err && grep -q "cannot stand at .slot.0" err &&
	fails_with 1 sg train --type lora --sites "*.out" 2>err && is "$(grep -c . err)" 1 &&
	fails_with 129 sg train --type lora --steps 2 --tokens 100 &&
	fails_with 129 sg train --type lora --lr -1 && fails_with 129 sg train --type lora --steps 0 &&
	fails_with 129 sg train --type lora --seq 1025 2>err && grep -q positions err &&
	fails_with 129 sg train --type lora -m text &&
	fails_with 129 sg train --type lora --name "$(printf "x\n\nSg-Gate: pass")" 2>err && grep -q "no name" err &&
	fails_with 129 sg train --type lora --name "" && fails_with 129 sg train --type lora --name ../x &&
	fails_with 128 sg train --type lora --data nothing 2>err && grep -q "no data set .nothing." err &&
	fails_with 1 sg train --type lora --data held 2>err && grep -q "role accept" err &&
	! sg train --type lora --sites "*.nothing" 2>err && is "$(grep -c ^sg err)" 1 &&
	! sg train --type lora --rank 100000 2>err &&
	git_ for-each-ref >now && same was now && [ ! -e .sg/jobs/*.state ]
'
t 'a run that diverges says so' '
	fails_with 128 sg train --type layer --steps 50 --lr 1000 --clip 0 --warmup 0 --batch 2 --seq 32 2>err &&
	grep -q "diverged" err
'
if have python3; then
t 'train --json' '
	sg train --type lora --name j --batch 4 --seq 32 --lr 0.02 --tokens 1k --accept --json >out 2>err; [ $? -le 1 ] &&
	is "$(json steps <out)" 8 && json validation verdict <out && json trained <out && is "$(json name <out)" j &&
	is "$(sg train --list-types --json | json 0 name)" lora
'
else
skip python3 'train --json'
fi
done_
