# Out of space, out of memory, a write that fails: one line that says so, exit
# status 128, the registry as it was and whole, and the command works afterwards.
. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }

# failed <pattern> <command ...>: it fails with 128 and one line that says so
failed () {
	pattern=$1
	shift
	fails_with 128 "$@" >"$here/out" 2>"$here/err" || { cat "$here/out" "$here/err"; return 1; }
	[ "$(wc -l <"$here/err")" -eq 1 ] && grep -q "$pattern" "$here/err" || { cat "$here/err"; return 1; }
}
# Refs as they were, their content whole, nothing half-done left behind.
as_it_was () {
	git_ for-each-ref >"$here/now" && same "$here/was" "$here/now" && whole && tidy && [ ! -e copy/.sg ]
}
# What was checked once and has not changed is not checked again.
whole () {
	objects=$(cd .sg/registry.git && ls -R objects)
	[ "$objects" = "$checked" ] || git_ fsck --strict --no-dangling && checked=$objects
}
tidy () {
	is "$(ls .sg/tmp)" "" &&
		is "$(find . -name "tmp_*" -o -name "*.tmp-*" -o -name "*.lock" -o -name "*.keep")" ""
}

# --- a file system that is full ---------------------------------------------------

mkdir "$here/full"
if mount -t tmpfs -o size=4m none "$here/full" 2>/dev/null; then
	trap 'cd /; umount "$here/full"; rm -rf "$here"' EXIT
	cd "$here/full" || exit 1
	fill () { cat /dev/zero >filler 2>/dev/null; true; }
	# on_full <command ...>: with no page free, one, two ... it fails for want of space and
	# changes nothing, until there are enough
	on_full () {
		[ ! -e .sg ] || git_ for-each-ref >"$here/was"
		fill
		room=0
		ls .sg/data >"$here/data" 2>/dev/null
		until sg "$@" >"$here/out" 2>"$here/err"; do
			status=$?
			[ $status$1 != 1validate ] || break	# an answer
			if [ $status$1 = 1push ] && grep -q "refused .*update ref" "$here/out"; then
				status=128
				echo "that side: no space" >"$here/err"
			fi
			[ $status = 128 ] && [ "$(wc -l <"$here/err")" -eq 1 ] && grep -q "No space\|no space" "$here/err" &&
				{ if [ -e .sg ]; then as_it_was; else [ $1 = init ]; fi; } && [ $room -lt 300 ] ||
				{ echo "exit $status with $room pages of room"; cat "$here/err"; ls -l filler; du -a . | sort -n | tail -20; rm -f filler; return 1; }
			room=$((room + 1))
			truncate -s -4096 filler
		done
		rm -f filler
		echo "$1: $room" && [ $room -gt 0 ] && git_ fsck --strict --no-dangling
	}
	t 'init' 'on_full init -q --width 32 && git_ fsck --strict --no-dangling && rm -rf .sg'
	grow_registry && git init -q --bare -b main other.git && sg remote add origin other.git -q || exit 1
	t 'data add' 'on_full data add more --role train --split line --to 30 book.txt --min-bytes 3 && sg data check'
	t 'train, with and without saving' '
		on_full train -q --type layer --name first $fast && on_full train -q --type layer --name second $fast --seed 5 --save-every 3 && ls .sg/jobs >left && [ ! -s left ]
	'
	t 'validate, accept' '
		sg validate -q first && on_full accept first && sg eval -q held && on_full validate second
	'
	t 'policy, tag, reject, revert' '
		on_full policy set gate.quality.min-docs 100 && on_full tag -m "The first." v1 && on_full tag --light v2 &&
		on_full reject second && on_full revert --force first && sg data check
	'
	t 'push, clone' '
		on_full push && git --git-dir=other.git fsck --strict && on_full clone -q other.git copy && rm -r copy && on_full config core.x y
	'
else
	skip mount 'commands on a full disk'
fi

# --- writes and allocations that fail, one by one ----------------------------------

# from_seed <variable> <n> <command ...>: in a fresh copy of the registry with the n-th
# failing; a failure changes nothing, success leaves all whole. $status: what it was
from_seed () {
	rm -rf .sg other.git copy out.hf
	cp -r ../seed .sg && cp -r ../seed.git other.git || return 1
	what=$1=$2
	shift 2
	env "$what" timeout 60 "$SG" "$@" >"$here/out" 2>"$here/err"
	status=$?
	case $status in
	0) whole && tidy ;;
	128) [ "$(wc -l <"$here/err")" -eq 1 ] && { grep -q ": done, but" "$here/err" || as_it_was; } ;;
	*) false ;;
	esac || { echo "exit $status with $what: $*"; cat "$here/err"; return 1; }
}
# writes <command ...>: the first fails, the second, ... until none does
writes () {
	i=1
	while from_seed SG_FAIL_WRITE $i "$@" && [ $status != 0 ]; do i=$((i + 1)); done
	[ $status = 0 ] && [ $i -gt 3 ]
}
# allocs <command ...>: some of them; what tidies up shrugs at a failure, so success is no end
allocs () {
	i=1 failures=0
	while [ $i -lt 3000 ]; do
		from_seed SG_FAIL_ALLOC $i "$@" || return 1
		[ $status = 0 ] || failures=$((failures + 1))
		i=$((i + 1 + i / 2))
	done
	[ $failures -gt 3 ]
}
mkdir "$here/walk" && cd "$here/walk" && grow_registry && sg train -q --type layer --name first $fast && sg validate -q first &&
	sg accept -q first && sg train -q --type layer --name second --seed 5 $fast && sg validate -q second && git init -q --bare -b main other.git &&
	sg remote add origin other.git -q || exit 1
mv .sg ../seed && mv other.git ../seed.git && git --git-dir=../seed/registry.git for-each-ref >"$here/was" || exit 1
checked=
tiny='--type layer --steps 2 --batch 1 --seq 16 -q'
for walk in writes allocs; do
	t "$walk that fail: data add, train, accept" '
		$walk data add more --role train --split line --to 30 --min-bytes 3 book.txt && $walk train $tiny --save-every 1 && $walk accept second
	'
	t "$walk that fail: revert, reject, policy, export, clone" '
		$walk revert --no-validate first && $walk reject second && $walk policy set gate.quality.alpha 0.01 &&
		$walk export --format hf out.hf && $walk clone . copy
	'
done
t 'allocations that fail: tag, branch, checkout, push, fetch' '
	allocs tag -m v v1 && allocs branch other && allocs checkout main && allocs push origin main && allocs fetch
'
t 'allocations that fail: what only looks' '
	for c in "eval held" status log "show first" "show HEAD" "diff HEAD~ HEAD" "data check" base verify fsck; do
		allocs $c || { echo "$c"; return 1; }
	done
'
t 'init' '
	for var in SG_FAIL_WRITE SG_FAIL_ALLOC; do
		i=1
		until env $var=$i "$SG" init -q --width 32 r 2>err; do
			[ $? = 128 ] && is "$(wc -l <err)" 1 && [ ! -e r/.sg ] && is "$(ls -A r 2>/dev/null)" "" || { echo $var=$i; return 1; }
			i=$((i + 1 + i / 20))
		done; [ $i -gt 3 ] && rm -r r || return 1
	done
'
done_
