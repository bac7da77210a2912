. "${0%/*}/lib.sh"
. "$SG_TOP/tests/servers/https.sh"
at_exit_ () { https_stop; }
https_start || { skip "$https_why" 'a registry behind https'; done_; }
git_ () { git --git-dir=.sg/registry.git "$@"; }
there () { git --git-dir="$https_dir/git/shared.git" "$@"; }
GIT_SSL_CAINFO=$https_dir/ca.pem GIT_TERMINAL_PROMPT=0
export GIT_SSL_CAINFO GIT_TERMINAL_PROMPT
url=$https_url/git/shared.git in_url=$(echo "$https_url/git/shared.git" | sed 's|//|//a%20grower:p%40ss%3aword@|')
https_repo shared.git && mkdir a && cd a && grow_registry && sg train -q --type layer --name first $fast && sg accept -q first &&
	sg train -q --type lora --name second $fast && sg validate -q second && sg remote add origin "$url" -q || exit 1
store () { # name and password as git keeps them
	printf '%s\n' "$(echo "$https_url" | sed "s|//|//a%20grower:$1@|")" >"$HOME/.git-credentials" && git config --global credential.helper store
}
forget () { rm -f "$HOME/.git-credentials" && git config --global --unset credential.helper; }
refs () { git_ for-each-ref; there for-each-ref; }
# nothing on either side moved, one line says why, and no password is in it
refused () { # <what the error says> <command ...>
	why=$1
	shift
	refs >../was && fails_with 128 "$@" 2>../err && cat ../err && is "$(grep -c . ../err)" 1 && grep -q "$why" ../err && refs >../now && same ../was ../now &&
	! grep -q "secret\|ss:word\|ss%3a" ../err
}

t 'no name and no password' '
	refused "could not read Username" sg push && refused "could not read Username" sg fetch && refused "could not read Username" sg clone "$url" ../d && [ ! -e ../d ]
'
t 'a credential helper: push, clone, fetch, pull' '
	store p%40ss%3aword && sg push >out && grep -q "^  new .* main$" out && is "$(there rev-parse main)" "$(git_ rev-parse main)" && there fsck --strict &&
	sg push >out && grep -q "^up to date" out && sg clone -q "$url" ../b && cd ../b && git_ fsck --strict && sg verify -q &&
	is "$(git_ rev-parse main)" "$(there rev-parse main)" && cd ../a && sg data add more -q --role select book.txt --split file && sg push -q &&
	cd ../b && sg fetch >out && grep -q "^  moved .* main -> origin/main" out && sg pull >out && grep -q "^  moved" out &&
	is "$(git_ rev-parse main)" "$(there rev-parse main)"
	rc=$?; cd "$here/work/a"; [ $rc = 0 ]
'
. "$SG_TOP/tests/servers/exchange.sh"

t 'a password that is wrong' '
	store secret && sg data add other -q --role select book.txt --split file && refused "Authentication failed" sg push
	rc=$?; store secret; refused "Authentication failed" sg fetch && store secret && refused "Authentication failed" sg clone "$url" ../d && [ ! -e ../d ] && [ $rc = 0 ]
'
t 'a name and a password in the URL are used, and shown nowhere' '
	forget; sg remote add -q named "$in_url" && sg push named --json >out 2>err && sg push named -v >>out && sg fetch named --json >>out 2>>err && sg remote >>out && sg remote --json >>out &&
	sg remote add --json again "$in_url" >>out && sg config --list >>out && sg config remote.named.url >>out && sg config --list --json >>out && sg status >>out 2>&1 && sg doctor >>out 2>&1; sg log >>out && sg clone "$in_url" ../d >>out &&
	sg -C ../d pull >>out && is "$(git_ config remote.named.url)" "$in_url" && grep -q "https://\*\*\*@127.0.0.1" out && cat out && ! grep -q "ss%3a\|ss:word\|grower:" out err &&
	is "$(there rev-parse main)" "$(git_ rev-parse main)" && ! grep -rq "ss%3a\|ss:word" ../d/.sg --include=logs --include=FETCH_HEAD --include="*.mp"
	rc=$?; rm -rf ../d; [ $rc = 0 ]
'
t 'a wrong password in the URL is not shown either, nor is a token' '
	oddly=$(echo "$url" | sed "s|//|//me:secretword@|") && refused "Authentication failed" sg push "$oddly" && refused "Authentication failed" sg clone "$oddly" ../d &&
	oddly=$(echo "$url" | sed "s|//|//secrettoken@|") && refused "could not read Password" sg clone "$oddly" ../d &&
	oddly="$(echo "$url" | sed "s|//|//me:secret/word@|")" && refused "" sg clone "$oddly" ../d &&
	refused "https://" sg clone "https://me:secret@127.0.0.1:1/x.git" ../d && refused "" sg clone "ftp://me:secret@127.0.0.1/x.git" ../d && [ ! -e ../d ]
'
t 'a password is on no command line' '
	mkdir ../bin && printf "#!/bin/sh\necho \"\$@\" >>%s/args\nexec %s \"\$@\"\n" "$here/work" "$(command -v git)" >../bin/git && chmod +x ../bin/git &&
	PATH=$here/work/bin:$PATH sg fetch -q named && grep -q "ls-remote" ../args && ! grep -q "ss%3a\|ss:word\|grower" ../args
'
t 'the helper of a URL is asked for its own host only' '
	moved=$(echo "$https_moved/shared.git" | sed "s|//|//a%20grower:p%40ss%3aword@|") && : >"$https_dir/seen" &&
	refused "" sg clone "$moved" ../d && [ ! -e ../d ] && cat "$https_dir/seen" && grep -q "^${https_url##*:} 401" "$https_dir/seen" && ! grep -q Basic "$https_dir/seen"
'
t 'an authority that nobody has heard of' '
	store p%40ss%3aword && GIT_SSL_CAINFO=$https_dir/other.pem && refused "certificate" sg push && refused "certificate" sg fetch && refused "certificate" sg clone "$url" ../d && [ ! -e ../d ] &&
	unset GIT_SSL_CAINFO && refused "certificate" sg fetch && git config --global http.sslCAInfo "$https_dir/ca.pem" && sg fetch -q
	rc=$?; GIT_SSL_CAINFO=$https_dir/ca.pem; export GIT_SSL_CAINFO; git config --global --unset http.sslCAInfo; [ $rc = 0 ]
'
t 'a host that the certificate is not for' '
	refused "certificate" sg clone "https://127.0.0.2:${https_url##*:}/git/shared.git" ../d && [ ! -e ../d ]
'
t 'a big push goes in parts, and what is there is not sent again' '
	forget; store p%40ss%3aword && sg fetch -q && sg push -q && head -c 1000000 /dev/urandom >big && sg config sg.partSize 300000 && parts=0 &&
	GIT_INDEX_FILE=$here/work/index && export GIT_INDEX_FILE && git_ read-tree main && for i in 1 2 3 4 5; do
		tail -c +${i}00000 big | head -c 100000 >piece && git_ update-index --add --cacheinfo "100644,$(git_ hash-object -w piece),data/$i"
	done && grown=$(echo grown | git_ commit-tree "$(git_ write-tree)" -p main) && unset GIT_INDEX_FILE && git_ update-ref refs/heads/main "$grown" &&
	was=$(there rev-parse main) && there config receive.unpackLimit 1 && hook=$https_dir/git/shared.git/hooks/update &&
	printf "#!/bin/sh\ncase \$1 in refs/heads/*) exit 1; esac\n" >"$hook" && chmod +x "$hook" && fails_with 1 sg push >out && is "$(there rev-parse main)" "$was" &&
	[ "$(there for-each-ref refs/sg-part | wc -l)" -ge 1 ] && rm "$hook" && there for-each-ref refs/sg-part && touch ../before && sleep 0.1 &&
	sg push -q && is "$(there rev-parse main)" "$grown" && is "$(there for-each-ref refs/sg-part)" "" && there fsck --strict &&
	find "$https_dir/git/shared.git/objects/pack" -name "*.pack" -newer ../before -size +250k >big && is "$(cat big)" ""
'
t 'a repository that is not there, a server that is gone' '
	refused "not found" sg clone "$https_url/git/none.git" ../d && https_stop && refused "Connection refused\|connect" sg fetch
'
done_
