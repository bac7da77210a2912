# The life of a graft on CUDA beside the same on the processor: on a GPU where there is
# one, else through the kernels as the host runs them (tests/cuda_host), with device
# memory closed to everything but kernels and copies.
. "${0%/*}/lib.sh"
if ! "$SG" --device cuda doctor >/dev/null 2>&1; then
	emulated=${SG%/*}/cuda_host/libsg_cuda.so
	[ -e "$emulated" ] || { skip c++ 'the kernels of CUDA were not built for the host'; done_; }
	t 'the checks for a GPU say that there is none' '
		sh "$SG_TOP/tests/gpu/run.sh" "${SG%/*}" "$here" >out && grep "^1..0 # SKIP cuda: ." out && same "$here/gpu.json" - <<-END
		{"device":null}
		END
	'
	skip cuda 'no GPU here: the host runs the kernels'
	mkdir "$here/bin" && cp "$SG" "$emulated" "$here/bin" && SG=$here/bin/sg
	SG_HOST_GUARD=1 && export SG_HOST_GUARD
fi

grow () { # <folder> <device>
	mkdir "$1" && cd "$1" && grow_registry &&
		sg --device "$2" train -q --type layer --name first --steps 4 --batch 4 --seq 32 --lr 0.02 &&
		sg --device "$2" accept -q first &&
		sg --device "$2" train -q --type lora --name second --steps 3 --save-every 2 --batch 4 --seq 32 && cd ..
}
ids () { for name in first second; do sg -C "$1" show "$name" | sed -n "s/^graft  *//p"; done; }

t 'what was found is said' '
	sg --device cuda doctor >out && grep "^cuda *ok *.*sm_[0-9]*, .*SMs, .*GiB free" out && grep "^device *ok *cuda gives cuda, numerics cpu-f32-kseq-1" out
'
t 'the same seeds give the same grafts on both' '
	grow p cpu && grow g cuda && ids p >p.ids && ids g >g.ids && is "$(wc -l <p.ids)" 2 && same p.ids g.ids
'
t 'receipts made on either replay on the other, bit by bit' '
	sg -C p --device cuda verify --replay >out && grep "1 receipt.* replayed: 1 with the same bits" out &&
	sg -C g --device cpu verify --replay >out && grep "1 receipt.* replayed: 1 with the same bits" out
'
t 'losses and texts are the same' '
	sg -C g --device cuda eval -q --json >g.json && sg -C g --device cpu eval -q --json >p.json && same p.json g.json &&
	sg -C g --device cuda generate -q --prompt line --tokens 8 >g.txt && sg -C g --device cpu generate -q --prompt line --tokens 8 >p.txt &&
	[ -s g.txt ] && same p.txt g.txt
'
t 'a device that is not there' '
	fails_with 128 sg -C g --device cuda:7 eval 2>err && grep "no GPU number 7" err
'
done_
