# Killed before any one of the calls that change a file (tests/shim/crash.c counts
# them): afterwards the old state or the new one is there, whole, and the next command
# works. A sample here; SG_TEST_CRASH=all tries every one, and each write torn too.
. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
refs_ () { git_ for-each-ref --format='%(refname) %(objectname)'; }
shim=${SG%/*}/crash.so
[ -e "$shim" ] && [ ! "$SG_VALGRIND" ] || { skip crash.so 'killed before each write'; done_; }
ASAN_OPTIONS=verify_asan_link_order=0:$ASAN_OPTIONS
export ASAN_OPTIONS
seed=$(date +%N | sed 's/^0*//')
sample=${SG_TEST_CRASH:-4}	# points of each command, or all
[ "$SG_VERBOSE" ] && echo "# seed $seed"

# points <n>: which of 1..n to try, torn ones marked with t
points () {
	if [ "$sample" = all ]; then
		seq 1 "$1"
		seq 1 "$1" | sed 's/$/t/'
	else
		awk -v n="$1" -v k="$sample" -v s="$seed" 'BEGIN { srand(s); for (i = 0; i < k; i++) print int(1 + (i + rand()) * n / k) (rand() < 0.3 ? "t" : "") }'
	fi
}
whole () {
	git_ fsck --strict --no-dangling >"$here/fsck" 2>&1 && "$SG" fsck >"$here/fsck" 2>&1 || { cat "$here/fsck"; false; }
}
# crashes <state> <command ...>: from the same folder, killed at each point; `state`
# prints what must be as before or as after, and is as after when the command was
# given again.
crashes () {
	state=$1
	shift
	rm -rf "$here/old" "$here/count" && cp -rp . "$here/old" && was=$($state) &&
		SG_CRASH_COUNT=$here/count LD_PRELOAD=$shim "$SG" "$@" >"$here/out" 2>&1 || { cat "$here/out"; return 1; }
	now=$($state) total=$(cat "$here/count") before=0 after=0
	[ "$total" -gt 5 ] || return 1
	for p in $(points $total); do
		find . -mindepth 1 -delete && cp -rp "$here/old/." .
		case $p in *t) torn=SG_CRASH_TORN=1 ;; *) torn=SG_CRASH_NOT_TORN= ;; esac
		env LD_PRELOAD=$shim SG_CRASH_AT=${p%t} $torn "$SG" "$@" >"$here/out" 2>&1
		[ $? = 137 ] || { echo "point $p of $total: not killed"; cat "$here/out"; return 1; }
		whole || { echo "point $p of $total: $*"; return 1; }
		find . -name "*.lock" -exec touch -d "20 seconds ago" {} + 2>/dev/null
		got=$($state)
		case $got in
		"$was") before=$((before + 1)) ;;
		"$now") after=$((after + 1)) ;;
		*) echo "point $p of $total: neither old nor new: $got"; return 1 ;;
		esac
		# done, or refused because it was done
		"$SG" "$@" >"$here/out" 2>&1 || [ "$got" != "$was" ] || { echo "point $p of $total, again:"; cat "$here/out"; return 1; }
		is "$($state)" "$now" && whole && "$SG" status >/dev/null || { echo "point $p of $total"; return 1; }
	done
	echo "# $*: $total points, $before old, $after new" >>"$here/told"
	[ $before -gt 0 ] || [ "$sample" != all ]
}
main_ () { git_ rev-parse main; }
there () { git --git-dir=there/.sg/registry.git fsck --strict --no-dangling >"$here/fsck" 2>&1 || cat "$here/fsck"; git --git-dir=there/.sg/registry.git rev-parse main; }
all_ () { git_ for-each-ref; git_ rev-list --objects --all | sort | sha1sum; }

grow_registry && sg train -q --type layer --name a $fast && sg validate -q a && mkdir there && cp -r .sg there || exit 1
t 'accept' 'crashes main_ accept a'
t 'push' 'find . -mindepth 1 -delete && cp -rp "$here/old/." . && sg accept -q a && crashes there push there main'
t 'push --link' 'find . -mindepth 1 -delete && cp -rp "$here/old/." . && crashes there push --link there main'
t 'tag' 'crashes all_ tag v1'
t 'revert' 'sg tag -q v0; crashes main_ revert --force a'
t 'gc' '
	sg train -q --type layer --name b --seed 2 $fast && sg train -q --type layer --name c --seed 3 $fast && sg reject -q b &&
	git_ update-ref -d refs/sg/cand/$(git_ for-each-ref --format="%(refname:lstrip=3)" refs/sg/cand) && crashes all_ gc --prune=now
'
t 'packs that are joined after a change' '
	more="data add more --role train --split line --to 30 --min-bytes 3 book.txt" && sg config gc.autoPackLimit 2 && cp -r . "$here/join" &&
	(cd "$here/join" && sg $more -q && is "$(ls .sg/registry.git/objects/pack/*.idx | wc -l)" 1) && crashes main_ $more
'
t 'gc that drops weights' '
	sg config sg.rejectedExpire now && crashes refs_ gc --prune=now
'
cat "$here/told"
done_
