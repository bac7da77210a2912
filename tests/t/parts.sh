. "${0%/*}/lib.sh"
G="git --git-dir=.sg/registry.git"
git_ () { $G "$@"; }
there () { git --git-dir="$here/work/r.git" "$@"; }
parts () { there for-each-ref --format='%(refname)' refs/sg-part; }
# An ssh that counts what goes up, and cuts one connection of a push after some bytes. (Not
# by head, which keeps what it has until there is more.)
cat >ssh <<END
#!/bin/sh
for last; do :; done
i=\$((\$(cat $here/work/count) + 1))
echo \$i >$here/work/count
limit=1000000000
[ "\$i" != "\$(cat $here/work/cut)" ] || limit=\$(cat $here/work/after)
dd bs=64k iflag=count_bytes count=\$limit status=none | tee -a $here/work/sent | sh -c "\$last"
END
chmod +x ssh && echo 0 | tee cut after >count
GIT_SSH=$here/work/ssh
export GIT_SSH
# counted <connection to cut, or 0> <command ...>: bytes are then in sent
after=100000
counted () {
	echo 0 >"$here/work/count" && echo "$1" >"$here/work/cut" && echo $after >"$here/work/after" && : >"$here/work/sent" && shift && "$@"
}
sent () { wc -c <"$here/work/sent"; }
# 8 files of 200000 bytes of noise, in a commit on top of main: three parts of two each, the
# rest with the commit, and the removal of the parts are five connections
grown () { # <seed>
	GIT_INDEX_FILE=$here/work/index && export GIT_INDEX_FILE && git_ read-tree main && for i in 1 2 3 4 5 6 7 8; do
		seq "$1$i" 1000 4000000 | openssl dgst -sha512 -binary >seed && openssl enc -aes-128-ctr -K "$(od -An -tx1 -N16 seed | tr -d " \n")" \
			-iv 00000000000000000000000000000000 -in /dev/zero 2>/dev/null | head -c 200000 >noise
		git_ update-index --add --cacheinfo "100644,$(git_ hash-object -w noise),data/$1$i" || return 1
	done
	grown=$(echo grown | git_ commit-tree "$(git_ write-tree)" -p main) && unset GIT_INDEX_FILE && git_ update-ref refs/heads/main "$grown"
}
have openssl || { skip openssl 'a push in parts'; done_; }
git init -q --bare -b main r.git && git --git-dir=r.git config receive.fsckObjects true && mkdir a && cd a && sg init -q --width 32 &&
	sg config sg.partSize 450000 && sg remote add -q origin "host:$here/work/r.git" && sg push -q && grown 1 || exit 1

t 'more than a part goes in parts, of which nothing stays' '
	was=$(there rev-parse main) && counted 0 sg push >out && grep -q "^  moved" out && is "$(there rev-parse main)" "$(git_ rev-parse main)" &&
	is "$(parts)" "" && there fsck --strict && is "$(cat ../count)" 5 && [ "$(sent)" -lt 1640000 ]
'
t 'cut half way: the old state there, and a restart sends only what is missing' '
	grown 2 && was=$(there rev-parse main) && counted 3 fails_with 128 sg push 2>err && cat err && is "$(grep -c . err)" 1 &&
	first=$(sent) && is "$(there rev-parse main)" "$was" && is "$(parts | wc -l)" 2 && there fsck --strict &&
	counted 0 sg push -q && second=$(sent) && echo "$first + $second" && [ "$second" -lt 830000 ] && [ "$second" -gt 800000 ] && [ "$first" -gt 800000 ] &&
	is "$(there rev-parse main)" "$(git_ rev-parse main)" && is "$(parts)" "" && there fsck --strict
'
t 'cut as the refs move, refused as they move' '
	grown 3 && was=$(there rev-parse main) && counted 4 fails_with 128 sg push 2>err && is "$(there rev-parse main)" "$was" &&
	is "$(parts | wc -l)" 3 && printf "#!/bin/sh\nexit 1\n" >../r.git/hooks/pre-receive && chmod +x ../r.git/hooks/pre-receive &&
	fails_with 1 sg push >out && grep -q "refused" out && is "$(there rev-parse main)" "$was" && is "$(parts | wc -l)" 3 &&
	rm ../r.git/hooks/pre-receive && counted 0 sg push -q && [ "$(sent)" -lt 450000 ] && is "$(parts)" "" &&
	is "$(there rev-parse main)" "$(git_ rev-parse main)" && git_ update-ref refs/heads/old main~1
'
t 'parts that were left are taken away when there is nothing more to send' '
	grown 4 && counted 3 fails_with 128 sg push 2>err && [ "$(parts)" ] && git_ update-ref refs/heads/main main~1 && sg push >out &&
	grep -q "^up to date" out && is "$(parts)" "" && git_ update-ref refs/heads/main $grown && after=50 && counted 5 sg push -q && after=100000 &&
	is "$(there rev-parse main)" $grown && [ "$(parts)" ] && sg push -q && is "$(parts)" ""
'
t 'a side that wants no such refs gets one pack' '
	printf "#!/bin/sh\ncase \$1 in refs/sg-part/*) echo no parts >&2; exit 1; esac\n" >../r.git/hooks/update && chmod +x ../r.git/hooks/update &&
	grown 5 && counted 0 sg push >out && grep -q "^  moved" out && is "$(cat ../count)" 2 && [ "$(sent)" -lt 2100000 ] &&
	is "$(there rev-parse main)" "$(git_ rev-parse main)" && rm ../r.git/hooks/update && there config transfer.hideRefs refs/sg-part && grown 6 &&
	counted 0 sg push -q && is "$(cat ../count)" 2 && is "$(there rev-parse main)" "$(git_ rev-parse main)" && is "$(parts)" "" &&
	there config --unset transfer.hideRefs
'
t 'sg.partSize' '
	sg config sg.partSize 0 && grown 7 && counted 0 sg push -q && is "$(cat ../count)" 1 && sg config sg.partSize 1m && grown 8 && counted 0 sg push -q &&
	is "$(cat ../count)" 3 && sg config sg.partSize 2x && grown 9 && fails_with 129 sg push 2>err && grep -q "sg.partSize is .2x." err
'
done_
