# Killed at any moment: what is there afterwards is the old state or the new one,
# whole; the next command tidies up and goes on.
. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
ids () { git_ for-each-ref --format='%(refname:lstrip=3)' refs/sg/cand; }
now_ms () { date +%s%3N; }
seconds=${SG_TEST_KILL:-6}	# for each loop

# stab <most ms> <command ...>: killed after a random part of it, if it still runs
stab () {
	most=$1
	shift
	"$SG" "$@" >"$here/out" 2>"$here/err" &
	pid=$!
	sleep "0$(awk -v s="$(date +%N)" -v most="$most" 'BEGIN { srand(s); printf "%.4f", rand() * most / 1000 }')"
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	killed=$?
	# the ten seconds after which a lock that nobody holds is taken for one
	find .sg -name "*.lock" -exec touch -d "20 seconds ago" {} + 2>/dev/null || true
}
# Milliseconds that a command takes here.
takes () { began=$(now_ms); "$SG" "$@" >/dev/null 2>&1; echo $(($(now_ms) - began)); }
# Stock git finds all whole, and sg too.
whole () { git_ fsck --strict --no-dangling >"$here/fsck" 2>&1 && "$SG" fsck >"$here/fsck" 2>&1 || { cat "$here/fsck"; false; }; }

grow_registry || exit 1
t 'train: killed again and again, resumed each time: the graft of one go' '
	run="--type layer --steps 300 --batch 4 --seq 32 --lr 0.01 -q" &&
	ms=$(takes train $run --save-every 5) && one=$(ids) && [ "$one" ] && git_ update-ref -d refs/sg/cand/$one &&
	stab $ms train $run --save-every 5 && kills=0 && turns=0 &&
	until [ "$(ids)" ] || [ $turns -gt 60 ]; do
		turns=$((turns + 1))
		if [ -e .sg/jobs/*.state ]; then stab $ms train --resume -q --save-every 5; else stab $ms train $run --save-every 5; fi
		[ $killed != 137 ] || kills=$((kills + 1))
		[ "$(ids)" ] || [ $killed = 137 ] || [ $killed = 0 ] || { cat "$here/err"; return 1; }
	done; echo "$kills kills, $turns turns" && is "$(ids)" "$one" && whole
'
# loop <what changes> <command ...>: from the same registry until the time is up; each
# time main is where it was or where the command puts it, and the command works after
loop () {
	rm -rf "$here/old" && cp -r .sg "$here/old" && old=$(git_ rev-parse main)
	ms=$(takes "$@") && new=$(git_ rev-parse main) && [ $old != $new ] || return 1
	end=$(($(date +%s) + seconds)) done_=0 undone=0
	while [ "$(date +%s)" -lt $end ]; do
		rm -rf .sg && cp -r "$here/old" .sg
		stab $((undone ? ms : ms / 3 + 1)) "$@"	# early until one came before the change
		whole || return 1
		case $(git_ rev-parse main) in
		$old) undone=$((undone + 1)); "$SG" "$@" >"$here/out" 2>"$here/err" || { cat "$here/err"; return 1; } ;;
		$new) done_=$((done_ + 1)) ;;
		*) echo "neither old nor new"; return 1 ;;
		esac
		is "$(git_ rev-parse main)" $new && whole && "$SG" status >/dev/null || return 1
	done
	echo "$*: $undone before, $done_ after" && [ $undone -gt 0 ]
}
t 'data add' 'loop data add more --role train --split line --to 30 --min-bytes 3 book.txt && sg data check'
t 'accept' 'sg validate -q $(ids) && loop accept $(ids) && sg eval -q held'
t 'revert' '
	loop revert --force $(git_ ls-tree --name-only main:grafts) && sg eval -q held
'
t 'reject: one ref to another' '
	for left in $(ids); do git_ update-ref -d refs/sg/cand/$left; done	# of an accept killed at its end
	sg train -q --type layer --name x $fast && rm -rf "$here/old" && cp -r .sg "$here/old" && ms=$(takes reject x) && id=$(git_ for-each-ref --format="%(refname:lstrip=3)" refs/sg/rejected) &&
	end=$(($(date +%s) + seconds / 2)) && while [ "$(date +%s)" -lt $end ]; do
		rm -rf .sg && cp -r "$here/old" .sg && stab $ms reject x && whole || return 1
		if [ ! "$(git_ for-each-ref refs/sg/rejected)" ] || [ "$(ids)" ]; then sg reject x -q || return 1; fi
		is "$(git_ for-each-ref --format="%(refname:lstrip=3)" refs/sg/rejected)" $id && is "$(ids)" "" || return 1
	done
'
t 'init' '
	mkdir i && cd i && ms=$(takes init --width 32) && want=$(git_ rev-parse main) && end=$(($(date +%s) + seconds / 2)) &&
	while [ "$(date +%s)" -lt $end ]; do
		rm -rf .sg && stab $ms init --width 32 && if [ ! -e .sg ] || [ ! "$(git_ for-each-ref)" ]; then sg init -q --width 32 || return 1; fi
		is "$(git_ rev-parse main)" "$want" && whole || return 1
	done && is "$(ls -A | grep -v "^.sg$")" ""; got=$?; cd ..; [ $got = 0 ]
'
t 'what killed commands left is gone after the next ones' '
	sg data list && touch -d 2001-01-01 .sg/tmp/* 2>/dev/null; sg data list &&
	is "$(find .sg -name "tmp_sg*" -o -name "*.keep" -o -name "*.lock" | head)" "" && is "$(ls .sg/tmp)" ""
'

# --- two at once --------------------------------------------------------------------

# both <command> -- <command>: at the same time; statuses in $a and $b
both () {
	"$SG" $1 >"$here/a" 2>&1 & pa=$!
	"$SG" $2 >"$here/b" 2>&1 & pb=$!
	wait $pa; a=$?
	wait $pb; b=$?
	cat "$here/a" "$here/b"
}
t 'two accept at once: one wins, the other says so, nothing is lost' '
	sg train -q --type layer --name p $fast --seed 11 && sg train -q --type layer --name q $fast --seed 12 &&
	rm -rf "$here/old" && cp -r .sg "$here/old" && both= && lost= && for i in 1 2 3 4 5 6; do
		rm -rf .sg && cp -r "$here/old" .sg && was=$(git_ rev-parse main) && both "accept p" "accept q" && whole || return 1
		case "$a $b" in
		"0 0" | "0 1" | "1 0") both=1 ;;	# one after the other; the second may not be good enough any more
		"0 128" | "128 0") lost=1 && grep -q "the line moved\|changed by another\|exists already" "$here/a" "$here/b" || return 1 ;;
		*) return 1 ;;
		esac
		is "$(git_ rev-list --first-parent --count $was..main)" "$(($(echo $a $b | tr " " "\n" | grep -c "^0")))" &&
			is "$(git_ rev-parse main~$(git_ rev-list --first-parent --count $was..main))" $was || return 1
		if [ "$lost" ]; then sg accept p -q; sg accept q -q; [ $? -le 1 ] || grep -q active "$here/b"; fi
	done; [ "$lost$both" ]
'
t 'the same candidate twice at once' '
	for i in 1 2 3; do
		rm -rf .sg && cp -r "$here/old" .sg && both "accept p" "accept p" && whole || return 1
		case "$a $b" in "0 128" | "128 0") ;; *) return 1 ;; esac
		is "$(git_ log --format=%s main | grep -c "^accept p")" 1 || return 1
	done
'
t 'data sets and training at once' '
	rm -rf .sg && cp -r "$here/old" .sg && both "train -q --type layer --seed 21 $fast" "train -q --type layer --seed 22 $fast" && is "$a $b" "0 0" && whole &&
	is "$(ids | wc -l)" 4 && both "data add m1 --role train --split line --to 30 --min-bytes 3 book.txt" "data add m2 --role train --split line --from 35 --to 39 book.txt" &&
	{ is "$a $b" "0 0" || { [ $((a + b)) = 128 ] && grep -q "another process" "$here/a" "$here/b"; }; } && whole && sg data check
'
done_
