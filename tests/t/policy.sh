. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }

sg init --width 32 -q
t 'show is the file, and stock git reads it' '
	sg policy >a && git_ show main:policy >b && same a b && sg policy show >c && same a c &&
	is "$(git_ config --blob=main:policy gate.quality.alpha)" "$(sg policy get gate.quality.alpha)"
'
t 'set and unset are commits' '
	sg policy set gate.quality.min-docs 100 && is "$(sg policy get gate.quality.min-docs)" 100 &&
	is "$(git_ show -s --format=%s main)" "policy: gate.quality.min-docs = 100" &&
	is "$(git_ show -s --format="%(trailers:key=Sg-Policy,valueonly)" main)" "sha256:$(sg policy | sha256sum | cut -c1-64)" &&
	git_ rev-parse main >was && sg policy set gate.quality.min-docs 100 && git_ rev-parse main >now && same was now &&
	sg policy unset gate.quality.min-docs && is "$(sg policy get gate.quality.min-docs)" 200 &&
	sg policy list | grep -q "^gate.quality.min-docs=200$"
'
t 'edit' '
	EDITOR="sed -i s/0.05/0.04/" sg policy edit && is "$(sg policy get gate.quality.alpha)" 0.04 &&
	git_ rev-parse main >was && EDITOR=true sg policy edit >out && grep -q unchanged out &&
	fails_with 128 env EDITOR=false "$SG" policy edit 2>err && is "$(grep -c . err)" 1 && [ ! -e .sg/POLICY_EDIT ] &&
	fails_with 128 env EDITOR="echo no policy >" "$SG" policy edit 2>err && grep -q "POLICY_EDIT" err && is "$(cat .sg/POLICY_EDIT)" "no policy" &&
	git_ rev-parse main >now && same was now
'
t 'what is no policy changes nothing' '
	git_ rev-parse main >was &&
	fails_with 128 sg policy set gate.quality.alpha 7 2>err && is "$(grep -c . err)" 1 &&
	fails_with 128 sg policy set gate.qualiti.alpha 0.1 && fails_with 129 sg policy set nothing 1 &&
	fails_with 128 sg policy get nothing && fails_with 129 sg policy set gate.quality.alpha && fails_with 129 sg policy sets &&
	git_ rev-parse main >now && same was now
'
if have python3; then
t 'policy --json' '
	is "$(sg policy list --json | json gate.artefact.finite)" true && is "$(sg policy get gate.quality.alpha --json | json gate.quality.alpha)" 0.04 &&
	sg policy --json | json text >a && sg policy | sed "\$ { /^\$/d }" >b && is "$(cat a)" "$(cat b)"
'
else
skip python3 'policy --json'
fi
done_
