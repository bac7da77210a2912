. "${0%/*}/lib.sh"
base=$SG_TOP/../shared/models/stories260K
books=$SG_TOP/../shared/corpora

grow_registry && sg train --type layer --name first $fast -q || exit 1
t 'all sets, one, a file' '
	sg eval >out && grep -q "^book *train *140 " out && grep -q "^held *accept *210 .* 5\.549076 *257\.0000 *8\.00562" out &&
	sg eval held >out && ! grep -q book out &&
	sg eval --file book.txt >out && ! grep -q held out && grep -q "^book.txt *file *1 " out &&
	sg eval held --file book.txt >out && is "$(wc -l <out)" 3
'
t 'a candidate on top; an accepted one at HEAD, not before' '
	sg eval held --cand first --json >a && sg eval held --json >b && ! cmp -s a b &&
	sg accept first -q && sg eval held --json >c && same a c &&
	sg eval held --rev HEAD^1 --json >d && same b d
'
t 'the same bits for any number of threads, batch, instruction set, process' '
	sg eval --json >want &&
	for i in 1 2 3; do sg eval --json --threads $i >got && same want got || return 1; done &&
	for i in 1 600 513 5000; do sg eval --json --batch $i >got && same want got || return 1; done &&
	for i in avx512 avx2 scalar; do
		SG_ISA=$i sg eval --json >got 2>err && { same want got || return 1; }
	done; grep -q "no such instructions" err || same want got
'
t 'what is wrong is said once' '
	fails_with 128 sg eval nothing 2>err && grep -q "no data set .nothing." err && is "$(wc -l <err)" 1 &&
	fails_with 128 sg eval --rev nothing && fails_with 128 sg eval --cand nothing &&
	fails_with 128 sg eval --file nothing && fails_with 128 sg eval --file . &&
	fails_with 129 sg eval --window 0 && fails_with 129 sg eval --window 1025 2>err && grep -q positions err &&
	mkdir e && fails_with 128 sg -C e --sg-dir e eval && sg init --width 32 -q e && fails_with 128 sg -C e eval 2>err && grep -q "no data set" err
'
t 'an empty file, a long one, a hostile name' '
	: >empty && sg eval --file empty >/dev/null &&
	name=$(printf "a\033[31m") && cp book.txt "$name" && sg eval --file "$name" >out && grep -q "^a.x1b\[31m" out
'
t 'no room in memory is said before it is taken' '
	SG_MEMORY=1k && export SG_MEMORY && { fails_with 1 sg eval 2>err; fails_with 1 sg generate 2>err2; fails_with 1 sg train --type lora --rank 2 --sites head $fast 2>err3; }
	bad=$?; SG_MEMORY=1g; sg eval --json >got; unset SG_MEMORY; [ $bad = 0 ] && is "$(grep -c . err)" 1 && is "$(grep -c . err2)" 1 && is "$(grep -c . err3)" 1 &&
	grep -q "needs [0-9.]* MiB of memory, and there are 0.0 MiB" err && same want got
'
if [ -d "$base" ] && have python3; then
t 'a real model has the losses that NumPy gives it' '
	sg init -q --base "$base" s && head -c 10000 "$books/pd-en-tomsawyer.txt" >ts.txt && head -c 10000 "$books/pd-es-rv1909.txt" >es.txt &&
	sg -C s eval --window 511 --file ../ts.txt --file ../es.txt --json >out &&
	is "$(json lines 0 tokens <out)" 5587 && is "$(json lines 0 loss <out | cut -c1-6)" 3.4016 &&
	is "$(json lines 0 bits_per_byte <out | cut -c1-6)" 2.7418 &&
	is "$(json lines 1 loss <out | cut -c1-6)" 7.7992
'
else
skip shared 'a real model has the losses that NumPy gives it'
fi
done_
