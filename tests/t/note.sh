. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }

grow_registry && sg train --type layer --name first $fast -q && sg accept first -q && accept=$(git_ rev-parse main) &&
	sg train --type lora --name wait $fast -q && cand=$(git_ for-each-ref --format='%(objectname)' refs/sg/cand) || exit 1

t 'none at first' '
	sg note >out && ! [ -s out ] && sg note list --json >out && sg note show first >out && ! [ -s out ]
'
t 'a note of a graft is on the commit that let it in; stock git reads it' '
	sg note add first -m "Reads \"well\"; 90 % of the gain is here." >out && grep -q "^noted of first, commit $(echo $accept | cut -c1-10)" out &&
	git_ notes --ref=sg show $accept >out && grep -q "\"text\":\"Reads" out && is "$(git_ notes --ref=sg list | wc -l)" 1 &&
	sg note show first >out && grep -q "^note 1, A Grower <grower@example.com>, .*: Reads \"well\"; 90 % of the gain is here.$" out && git_ fsck --strict &&
	git_ log -1 --format=%N --notes=refs/notes/sg main | grep -q "90 %"
'
t 'of a candidate, of a revision; several of one' '
	sg note add wait -m "Try it again." && git_ notes --ref=sg show $cand | grep -q again && sg note add main~1 -m "About data." -q && sg note add HEAD -m second -q &&
	is "$(sg note show first | wc -l)" 2 && sg note show first | tail -1 | grep -q "^note 2, .*: second$" && sg note >out && is "$(grep -c "note" out)" 4 && grep -q "first$" out && grep -q "wait$" out
'
t 'show and log show them, verify is not moved by them' '
	sg show first | grep -q "^note 2, .* second" && sg show HEAD | grep -q "note 1, .*Reads" && sg log --notes -n 1 | grep -q "^    note 1, .*Reads" && ! sg log -n 1 | grep -q Reads && sg verify -q
'
t 'what stock git notes is shown too, in its folders' '
	git_ notes --ref=sg add -m "by stock git" main~2 && sg note show main~2 | grep -q "^note 1: by stock git$" && sg note add main~2 -m more -q && is "$(git_ notes --ref=sg show main~2 | wc -l)" 2 &&
	p=$(git_ rev-parse main~2) && blob=$(git_ rev-parse refs/notes/sg:$p) && sub=$(printf "100644 blob $blob\t$(echo $p | cut -c3-)\n" | git_ mktree) &&
	{ git_ ls-tree refs/notes/sg | grep -v $p; printf "040000 tree $sub\t$(echo $p | cut -c1-2)\n"; } | git_ mktree >tree && git_ update-ref refs/notes/sg $(git_ commit-tree -p refs/notes/sg -m fan <tree $(cat tree)) &&
	sg note show main~2 | grep -q "by stock git" && sg note add main~2 -m third -q && is "$(git_ notes --ref=sg show main~2 | wc -l)" 3 && is "$(sg note | grep -c "note [0-9]")" 7 && git_ fsck --strict
'
t 'a note goes, or all of them' '
	sg note remove first 1 >out && grep -q "^removed 1 note of first" out && sg note show first | grep -q "^note 1, .*second" && fails_with 128 sg note remove first 5 2>err && grep -q "no note 5, only 1" err &&
	sg note remove first && fails_with 1 git_ notes --ref=sg show $accept && fails_with 128 sg note remove first 2>err && fails_with 129 sg note remove first x
'
t 'eight at once lose nothing' '
	for i in 1 2 3 4 5 6 7 8; do
		(for k in 1 2 3 4 5; do "$SG" note add first -m "n$i-$k" -q || echo failed >>../work/lost; done) &
	done; wait
	[ ! -f lost ] && is "$(git_ notes --ref=sg show $accept | wc -l)" 40 && is "$(sg note show first | grep -o "n[0-9]-[0-9]$" | sort -u | wc -l)" 40 && git_ fsck --strict
'
t 'control characters of others are shown, not sent' '
	printf "evil \033[31m\n" | git_ notes --ref=sg add -f -F - main~1 && sg note show main~1 >out && ! grep -q "$(printf "\033")" out
'
t 'wrong usage' '
	fails_with 129 sg note add first && fails_with 129 sg note add -m x && fails_with 129 sg note add first -m "" && fails_with 128 sg note add nothing -m x && fails_with 129 sg note nope && fails_with 129 sg note show
'
if have python3; then
t 'note --json' '
	sg note remove first -q && sg note add first -m "é \"q\"" --json >out && is "$(json noted <out)" first && is "$(json commit <out)" $accept &&
	sg note show first --json >out && is "$(json notes 0 text <out)" "é \"q\"" && is "$(json notes 0 name <out)" first && is "$(json notes 0 commit <out)" $accept &&
	sg show first --json >out && is "$(json notes 0 text <out)" "é \"q\"" && sg log --notes --json -n 1 >out && is "$(json 0 notes 0 text <out)" "é \"q\""
'
else
skip python3 'note --json'
fi
done_
