. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }

grow_registry && sg train --type layer --name first $fast -q && sg accept first -q -m 'Why: it was the first.' &&
	sg train --type lora --name tune $fast -q && sg accept tune -q && sg train --type lora --name wait $fast --seed 5 -q || exit 1

t 'the same commits as stock git, newest first' '
	git_ log --first-parent --format=%h --abbrev=10 main >want && sg log --oneline | cut -d" " -f1 >got && same want got &&
	git_ log --first-parent --format=%H main >want && sg log | sed -n "s/^commit \([0-9a-f]*\).*/\1/p" >got && same want got
'
t 'an accept shows graft, paired gain, bounds, documents and gates' '
	id=$(git_ ls-tree --name-only main~1 grafts/ | sed "s,grafts/,,") && sg log -n 2 >out &&
	grep -q "^     graft  *$id first (layer) on 1 site" out &&
	grep -qE "^     quality +held +[0-9.]+ -> [0-9.]+ +gain \+[0-9.]+ +\[\+[0-9.]+, \+[0-9.]+\] +n=210" out &&
	grep -qE "^     gates +pass [0-9]+/[0-9]+$" out && grep -q "^    Why: it was the first." out &&
	sg log --oneline -n 2 >out && grep -qE "accept $id first \(layer\) held gain \+.* n=210 pass" out
'
t 'its numbers are those of the trailer' '
	m=$(git_ log -1 --format="%(trailers:key=Sg-Metric,valueonly)" main) && set -- $m && is "$1 $2" "quality held" &&
	awk "BEGIN { printf \"%.4f -> %.4f\n\", $3, $4 }" >want && sg log -n 1 | grep -o "[0-9.]* -> [0-9.]*  " | sed "s/ *$//" >got && same want got
'
t '--stat: parameters, payload, gain for them' '
	sg log --stat -n 1 >out && grep -qE "^     size +[0-9,]+ parameters, .* in [0-9]+ tensors; gain [-0-9.e+]+ a million parameters, [-0-9.e+]+ a MiB" out &&
	grep -qE "^     training +[0-9,]+ tokens, .*; gain [-0-9.e+]+ a million tokens, [-0-9.e+]+ an hour" out && sg log -n 1 >out && ! grep -q "^     training" out
'
t '-n counts, and asks for at least one' '
	is "$(sg log --oneline -n 3 | wc -l)" 3 && fails_with 129 sg log -n 0
'
t 'a revision to begin at; what is none is said in one line' '
	sg log --oneline HEAD~1 >a && sg log --oneline | tail -n +2 | sed "s/ (HEAD -> main)//" >b && same a b &&
	fails_with 128 sg log nothing 2>err && is "$(wc -l <err)" 1 && fails_with 129 sg log HEAD main
'
t '--graph draws candidates; every commit once, as stock git has them' '
	sg log --graph --oneline >out && grep -q "^|\\\\" out && grep -q "^| \* .* candidate" out &&
	sed -n "s/^[|/_ \\\\]*\* [|/_ \\\\]*\([0-9a-f]\{10\}\).*/\1/p" out | sort >got && git_ log --format=%h --abbrev=10 main | sort >want && same want got &&
	sg log --graph >out && grep -q "^\* commit" out && ! grep -q "[[:blank:]]$" out
'
t '--all shows the candidate that waits' '
	! sg log --oneline | grep -q "candidate" && sg log --oneline --all >out && grep -q "candidate [0-9a-f]* wait: lora" out
'
t 'refs beside their commits' '
	git_ tag -a v1 -m one main~1 && git_ branch dev main~1 && sg log --oneline >out && rc=0
	grep -q "^[0-9a-f]* (tag: v1, dev) accept" out && grep -q "(HEAD -> main)" out || rc=1
	git_ tag -d v1 && git_ branch -D dev && return $rc
'
t 'a merged line is shown, its candidates are not; --first-parent leaves it out; ranges' '
	was=$(git_ rev-parse main) && sg branch side main~1 && sg checkout -q side && sg train --type layer --name aside $fast -q && sg policy set gate.quality.enabled false -q && sg accept -q aside &&
	sg checkout -q main && sg merge --force -q side && sg log --oneline >out && grep -q "accept [0-9a-f]* aside" out && grep -q "accept [0-9a-f]* tune" out && ! grep -q " candidate" out &&
	is "$(wc -l <out)" $(($(sg log --oneline --first-parent | wc -l) + 2)) && sg log --oneline --first-parent | head -1 | grep -q "merge side" && ! sg log --oneline --first-parent | grep -q aside &&
	is "$(sg log --oneline main~1..side | wc -l)" 2 && is "$(sg log --oneline side..main | wc -l)" 2 && is "$(sg log --oneline ..side | wc -l)" 0 &&
	sg log --graph --oneline >out && sed -n "s/^[|/_ \\\\]*\* [|/_ \\\\]*\([0-9a-f]\{10\}\).*/\1/p" out | sort >got && git_ log --format=%h --abbrev=10 main | sort >want && same want got &&
	fails_with 128 sg log nothing..main && git_ update-ref refs/heads/main $was
'
if have python3; then
t '--json: numbers, ids, sizes' '
	sg log --json --stat -n 1 >out && is "$(json 0 op <out)" accept && is "$(json 0 grafts 0 name <out)" tune &&
	is "$(json 0 commit <out)" "$(git_ rev-parse main)" && is "$(json 0 parents 1 <out)" "$(git_ rev-parse main^2)" &&
	is "$(json 0 metrics 0 gate <out)" quality && is "$(json 0 metrics 0 docs <out)" 210 && is "$(json 0 refs 0 <out)" "HEAD -> main" &&
	python3 -c "
import json
s = json.load(open(\"out\"))[0]
m = s[\"metrics\"][0]
assert abs(m[\"parent\"] - m[\"candidate\"] - m[\"gain\"]) < 1e-12 and m[\"gain_lower\"] <= m[\"gain\"] <= m[\"gain_upper\"]
for k, n in ((\"second\", \"seconds\"), (\"token\", \"tokens\"), (\"byte\", \"payload\")):
    assert abs(s[\"gain_per_\" + k] * s[n] - m[\"gain\"]) < 1e-9, (k, s)
assert abs(s[\"tokens_per_second\"] * s[\"seconds\"] - s[\"tokens\"]) < 1e-3
assert s[\"gain_per_parameter\"] == m[\"gain\"] / s[\"parameters\"] and s[\"payload\"] == 4 * s[\"parameters\"]"
'
else
skip python3 '--json: numbers, ids, sizes'
fi
t 'a revert shows what it changed' '
	sg revert tune --force -q; sg log -n 1 >out && grep -q "revert" out && grep -q "^     graft .* tune (lora)" out && grep -qE "quality +held .* n=210" out
'
t 'a consolidation shows what it took the place of' '
	sg consolidate --structural -q && sg log -n 1 >out && grep -q "consolidate" out && grep -q "^     replaces .* first (layer)" out && grep -q "^     state" out &&
	sg log -n 1 --oneline | grep -q "consolidate 1 graft"
'
# What follows writes commits by hand: a message may hold anything.
msg () {
	{ git_ cat-file commit main | sed '/^$/q'; cat; } >raw &&
		git_ update-ref refs/heads/odd "$(git_ hash-object -t commit -w --stdin <raw)"
}
t 'a message cannot act on the terminal, nor a trailer pretend' '
	printf "accept \033[31mred\n\nbody \033]0;x\007 \302\233\n\nSg-Op: acc\033[1mept\nSg-Graft: sha256:zz\nSg-Metric: quality held nan\nSg-Metric: a b 1 2 [3, 4] n=5x\nSg-Gate: \033[2J\n" | msg &&
	for o in "" --oneline --stat --graph --json; do
		sg log $o -n 1 odd >out && ! LC_ALL=C grep -q "$(printf "[\033\007]")" out || return 1
	done && sg log -n 1 odd >out && grep -qF "\\x1b[31mred" out && ! grep -q "gain" out
'
t 'bytes that are no UTF-8, no trailers, no body' '
	printf "\377\376 bad\n\nSg-Op: \377\n" | msg && sg log -n 1 odd >out && grep -qF "\\xff" out && sg log --json -n 1 odd >out &&
	{ ! have python3 || json 0 subject <out; } && printf "plain" | msg && sg log -n 1 --oneline odd | grep -q "plain$"
'
t 'very many trailers end' '
	{ echo subject; echo; i=0; while [ $i -lt 3000 ]; do echo "Sg-Metric: quality held 1.0 0.5 [-0.6, -0.4] n=$i"; i=$((i + 1)); done; } | msg && sg log -n 1 --json odd >out && test -s out
'
done_
