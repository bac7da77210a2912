. "${0%/*}/lib.sh"

t 'outside a registry' '
	sg doctor --device cpu >out && grep -q "^registry *ok *none here" out && grep -q "^processor *ok .*scalar" out && grep -q "^cuda *\(ok\|lacks\)" out &&
	grep -q "^device *ok *cpu gives" out && grep -q "^libraries *ok *libgit2" out
'
t 'a device that cannot be had is a fault' '
	SG_ISA=z80 fails_with 1 sg doctor --device cpu >out && grep -q "^device *fault .*z80" out
'
t 'a tier that is not built is refused by name' '
	fails_with 128 sg doctor --tier fast 2>err && grep -q "fast.*not built" err && sg doctor --device cpu --tier portable >out
'
t 'in a registry' '
	grow_registry && sg doctor --device cpu >out && grep -q "^stack *ok *0 grafts" out && grep -q "^base *ok *substrate" out && grep -q "^data *ok *2 sets, 2" out &&
	rm .sg/data/*.tokens && sg doctor --device cpu | grep -q "^data *lacks *2 sets, 0"
'
t 'a broken registry is a fault, not a failure' '
	sg init --width 32 -q b && echo junk >b/.sg/registry.git/refs/heads/main &&
	fails_with 1 sg -C b doctor --device cpu >out && grep -q "fault" out &&
	fails_with 129 sg doctor now
'
if have python3; then
t 'doctor --json' '
	sg doctor --device cpu --json >out && is "$(json 0 what <out)" registry && is "$(json 1 health <out)" ok
'
else
skip python3 'doctor --json'
fi
done_
