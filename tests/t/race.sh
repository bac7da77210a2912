# Eight processes train, accept, tag and gc at once; SG_TEST_RACE is how many seconds.
# Every graft that was said to be accepted is there afterwards, and the line is one.
. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
seconds=${SG_TEST_RACE:-5}
end=$(($(date +%s) + seconds))
late () { [ "$(date +%s)" -ge $end ]; }
# What "somebody else was faster" may sound like. Anything else is a failure.
busy='moved while\|another process\|being written to\|exists already\|run it again'

# again <command ...>: until it wins
again () {
	for i in $(seq 60); do
		"$SG" "$@" >"$here/out.$me" 2>&1 && return 0
		grep -q "$busy" "$here/out.$me" || { cat "$here/out.$me"; return 1; }
	done
	echo "never got through: $*"
	return 1
}
grower () {
	for k in $(seq 500); do
		late && return 0
		again train -q --type layer --name g$me.$k --seed $me$k --steps 1 --batch 1 --seq 8 || return 1
		again accept -q g$me.$k || return 1
		echo g$me.$k >>"$here/accepted.$me"
	done
}
tagger () {
	for k in $(seq 2000); do
		late && return 0
		again tag t$me.$k || return 1
		echo t$me.$k >>"$here/tags.$me"
	done
}
cleaner () {
	until late; do
		"$SG" gc --prune=now >"$here/out.$me" 2>&1 && echo >>"$here/gcs.$me" || grep -q "$busy" "$here/out.$me" ||
			{ cat "$here/out.$me"; return 1; }
		sleep 0.0$((me % 5 + 2))
	done
}

sg init --width 16 -q && awk 'BEGIN { for (i = 1; i <= 60; i++) print "line " i " of a text that tells " i * i % 89 }' >book.txt &&
	sg data add book -q --role train --split line --to 40 book.txt && sg data add held -q --role accept --split line --from 40 book.txt || exit 1
sg config gc.autoPackLimit 8 && sg policy set gate.quality.enabled false >/dev/null && sg policy set gate.retention.enabled false >/dev/null || exit 1
t 'eight at once' '
	begun=$(git_ rev-list --first-parent --count main)
	pids=
	for me in 1 2 3 4 5 6 7 8; do
		case $me in [1-5]) job=grower ;; 6) job=tagger ;; *) job=cleaner ;; esac
		$job >"$here/said.$me" 2>&1 & pids="$pids $!"
	done
	failed=
	for p in $pids; do wait $p || failed=1; done
	cat "$here"/said.*; [ ! "$failed" ]
'
t 'every accepted graft is there, in one line' '
	cat "$here"/accepted.* | sort >want && git_ log --first-parent --format=%s main | sed -n "s/^accept \([^:]*\).*/\1/p" | sort >got && same want got && [ -s want ] &&
	is "$(git_ rev-list --first-parent --count main)" $((begun + $(wc -l <want))) && is "$(git_ ls-tree main:grafts | wc -l)" "$(wc -l <want)"
'
t 'every tag is there' 'cat "$here"/tags.* | sort >want && git_ tag | sort >got && same want got'
t 'gc ran, and all is whole' '
	[ -s "$here/gcs.7" ] && [ -s "$here/gcs.8" ] && git_ fsck --strict --no-dangling && sg fsck && sg verify -q && sg gc -q --prune=now && sg fsck -q
'
echo "# $(cat "$here"/accepted.* | wc -l) accepted, $(cat "$here"/tags.* | wc -l) tags, $(cat "$here"/gcs.* | wc -l) gcs in $seconds s"
done_
