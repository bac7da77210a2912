. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
sg init -q --width 32 && git init -q --bare other.git || exit 1

t 'add, list, remove' '
	sg remote >out && [ ! -s out ] &&
	sg remote add origin other.git && sg remote list >out && grep -q "^origin *$PWD/other.git$" out &&
	is "$(git_ remote get-url origin)" "$PWD/other.git" &&
	sg remote add backup ssh://host.invalid/x.git -q >out && [ ! -s out ] && is "$(sg remote | wc -l)" 2 &&
	sg remote remove backup && is "$(sg remote | wc -l)" 1
'
t 'a name that is taken, unknown or no name' '
	sg remote >was &&
	fails_with 128 sg remote add origin elsewhere 2>err && grep -q "already" err && is "$(wc -l <err)" 1 &&
	fails_with 128 sg remote remove nobody 2>err && grep -q "no remote .nobody." err &&
	fails_with 128 sg remote add ../up x && fails_with 128 sg remote add -- -x y && fails_with 128 sg remote add a/b x &&
	fails_with 128 sg remote add evil -- --upload-pack=x && fails_with 129 sg remote add alone &&
	sg remote >now && same was now
'
t 'what was last seen goes with the remote' '
	sg push -q && git_ rev-parse -q --verify refs/remotes/origin/main && sg remote remove origin &&
	is "$(git_ for-each-ref refs/remotes)" "" && sg remote add origin other.git
'
if have python3; then
t '--json' '
	sg remote --json >out && is "$(json 0 name <out)" origin && is "$(json 0 url <out)" "$PWD/other.git" &&
	sg remote add --json x y >out && is "$(json name <out)" x && sg remote remove x
'
else
skip python3 '--json'
fi
t 'a URL with escape sequences is shown harmless' '
	sg remote add odd "$(printf "/x\033[2J")" && sg remote >out && ! grep -q "$(printf "\033")" out && sg remote remove odd
'
done_
