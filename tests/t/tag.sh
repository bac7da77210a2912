. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }

sg init --width 32 -q || exit 1
state=$(git_ log -1 --format='%(trailers:key=Sg-State,valueonly)' main | head -1)
t 'annotated: message, and the composition as trailers' '
	sg tag v1 -m "The base alone." && is "$(git_ cat-file -t v1)" tag && is "$(git_ rev-parse v1^{commit})" "$(git_ rev-parse main)" &&
	git_ cat-file tag v1 >out && grep -q "^tagger A Grower <grower@example.com> 1700000000" out && grep -q "^The base alone.$" out &&
	grep -q "^Sg-State: $state$" out && git_ fsck --strict && git_ tag -n v1 | grep -q "The base alone"
'
t 'the name is the message when there is none; light has no object' '
	sg tag v2 HEAD && git_ cat-file tag v2 | grep -q "^v2$" && sg tag --light v3 && is "$(git_ cat-file -t v3)" commit
'
t 'list' '
	sg tag >out && is "$(wc -l <out)" 3 && grep -qE "^v1 +$(git_ rev-parse main | cut -c1-10) +2023-11-14 22:13 \+0000 +The base alone.$" out
'
t 'a name that is taken, or none: nothing changes' '
	git_ for-each-ref >was && fails_with 128 sg tag v1 2>err && grep -q "already" err && fails_with 129 sg tag "a b" && fails_with 129 sg tag -- -x &&
	fails_with 128 sg tag v9 nothing && fails_with 129 sg tag --light -m x v9 && fails_with 129 sg tag -m x && fails_with 129 sg tag a b c &&
	git_ for-each-ref >now && same was now
'
t 'delete' '
	sg tag -d v2 >out && grep -q "^deleted tag v2 (was " out && ! git_ rev-parse -q --verify v2 && fails_with 128 sg tag -d v2 && fails_with 129 sg tag -d
'
t 'tags of others: of a tree, signed, with escapes' '
	git_ tag tree "main^{tree}" &&
	{ printf "object %s\ntype commit\ntag odd\ntagger X\033[1m <x> 5 +0000\n\nhello \033[31m\n-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n" $(git_ rev-parse main); } |
		git_ hash-object -t tag -w --stdin --literally >id && git_ update-ref refs/tags/odd $(cat id) && sg tag >out &&
	grep -q "^tree  *no commit" out && grep -qF "hello \\x1b[31m" out && sg tag --json >json && ! LC_ALL=C grep -q "$(printf "\033")" out json
'
if have python3; then
t '--json' '
	sg tag --json >out && is "$(json 0 name <out)" odd && is "$(json 0 signature <out)" true && is "$(json 2 name <out)" v1 &&
	is "$(json 2 tagger <out)" "A Grower" && is "$(json 2 annotated <out)" true && is "$(json 3 annotated <out)" false &&
	sg tag --json v7 >out && is "$(json made <out)" v7
'
else
skip python3 '--json'
fi
t 'a write that fails leaves the refs as they were' '
	git_ for-each-ref >was
	for i in 1 2 3 4 5 6 7 8; do
		SG_FAIL_WRITE=$i sg tag late 2>err && break
		git_ for-each-ref >now && same was now || return 1
	done; git_ fsck --strict
'
done_
