. "${0%/*}/lib.sh"

t 'version names itself and its libraries' '
	sg version >out &&
	grep -qE "^sg [0-9]+\.[0-9]+\.[0-9]+" out &&
	for l in libgit2 openssl libzstd msgpack; do grep -q "^$l" out || return 1; done
'
t '--version before any command is the same' '
	sg version >a &&
	sg --version >b &&
	sg -V >c &&
	same a b &&
	same a c
'
if have python3; then
t 'version --json is one JSON object' '
	sg version --json >out &&
	is "$(json version <out)" "$(sg version | sed -n "s/^sg //p")" &&
	json libraries libgit2 <out
'
else
skip python3 'version --json is one JSON object'
fi
t 'version takes no words' '
	fails_with 129 sg version now 2>err &&
	grep -q "too many arguments" err
'
done_
