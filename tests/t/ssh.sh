. "${0%/*}/lib.sh"
. "$SG_TOP/tests/servers/ssh.sh"
at_exit_ () { ssh_stop; [ ! "$SSH_AGENT_PID" ] || kill "$SSH_AGENT_PID"; }
ssh_start || { skip "$ssh_why" 'a registry behind ssh'; done_; }
git_ () { git --git-dir=.sg/registry.git "$@"; }
there () { git --git-dir="$here/work/shared.git" "$@"; }
url=ssh://$ssh_user@127.0.0.1:$ssh_port$here/work/shared.git
GIT_SSH_COMMAND="ssh $ssh_opts -i $ssh_dir/key"
export GIT_SSH_COMMAND
git init -q --bare shared.git && mkdir a && cd a && grow_registry && sg train -q --type layer --name first $fast &&
	sg accept -q first && sg train -q --type lora --name second $fast && sg validate -q second && sg remote add origin "$url" -q || exit 1
refs () { git_ for-each-ref; there for-each-ref; }
# nothing on either side moved, and there is one line that says why
refused () { # <what the error says> <command ...>
	why=$1
	shift
	refs >../was && fails_with 128 "$@" 2>../err && cat ../err && is "$(grep -c . ../err)" 1 && grep -q "$why" ../err && refs >../now && same ../was ../now
}

t 'push, clone, fetch, pull' '
	sg push >out && grep -q "^  new .* main$" out && is "$(there rev-parse main)" "$(git_ rev-parse main)" && there fsck --strict &&
	sg push >out && grep -q "^up to date" out && sg clone -q "$url" ../b && cd ../b && git_ fsck --strict && sg verify -q &&
	is "$(git_ rev-parse main)" "$(there rev-parse main)" && cd ../a && sg data add more -q --role select book.txt --split file && sg push -q &&
	cd ../b && sg fetch >out && grep -q "^  moved .* main -> origin/main" out && sg pull >out && grep -q "^  moved" out &&
	is "$(git_ rev-parse main)" "$(there rev-parse main)" && sg pull >out && ! grep -q moved out
	rc=$?; cd "$here/work/a"; [ $rc = 0 ]
'
. "$SG_TOP/tests/servers/exchange.sh"

t 'host:path, and what the ssh configuration says of a host' '
	mkdir -p "$HOME/.ssh" && printf "Host models\n  HostName 127.0.0.1\n  Port %s\n  User %s\n  IdentityFile %s\n" $ssh_port "$ssh_user" "$ssh_dir/key" >"$HOME/.ssh/config" &&
	GIT_SSH_COMMAND="ssh $(echo "$ssh_opts" | sed "s|-F /dev/null|-F $HOME/.ssh/config|")" && sg clone -q "models:$here/work/shared.git" ../c &&
	is "$(git --git-dir=../c/.sg/registry.git rev-parse main)" "$(there rev-parse main)"
	rc=$?; GIT_SSH_COMMAND="ssh $ssh_opts -i $ssh_dir/key"; [ $rc = 0 ]
'
t 'core.sshCommand, GIT_SSH, and which goes first' '
	cmd=$GIT_SSH_COMMAND && unset GIT_SSH_COMMAND && sg config core.sshCommand "$cmd" && sg fetch -q && sg config core.sshCommand false && ! sg fetch -q 2>err &&
	GIT_SSH_COMMAND=$cmd && export GIT_SSH_COMMAND && sg fetch -q && sg config --unset core.sshCommand && git config --global core.sshCommand "$cmd" &&
	unset GIT_SSH_COMMAND && sg fetch -q && git config --global --unset core.sshCommand &&
	printf "#!/bin/sh\nexec %s \"\$@\"\n" "$cmd" >../prog && chmod +x ../prog && GIT_SSH=$here/work/prog sg fetch -q
	rc=$?; GIT_SSH_COMMAND="ssh $ssh_opts -i $ssh_dir/key"; export GIT_SSH_COMMAND; git config --global --unset core.sshCommand; [ $rc = 0 ]
'
t 'a key in the agent' '
	eval "$(ssh-agent -s)" && ssh-add -q "$ssh_dir/key" && keyless=$(echo "$ssh_opts" | sed "s/-o IdentitiesOnly=yes//") &&
	GIT_SSH_COMMAND="ssh $keyless -i /nonexistent" && sg fetch -q && ssh-add -q -D && refused "Permission denied" sg fetch -q
	rc=$?; GIT_SSH_COMMAND="ssh $ssh_opts -i $ssh_dir/key"; kill "$SSH_AGENT_PID"; unset SSH_AUTH_SOCK SSH_AGENT_PID; [ $rc = 0 ]
'
t 'a key that is not let in' '
	sg data add other -q --role select book.txt --split file && GIT_SSH_COMMAND="ssh $ssh_opts -i $ssh_dir/other" &&
	refused "Permission denied" sg push && refused "Permission denied" sg fetch && refused "Permission denied" sg clone "$url" ../d && [ ! -e ../d ]
	rc=$?; GIT_SSH_COMMAND="ssh $ssh_opts -i $ssh_dir/key"; [ $rc = 0 ]
'
t 'a host that nobody has seen' '
	mv "$ssh_dir/known" ../known && refused "Host key verification failed" sg push && refused "Host key verification failed" sg fetch &&
	refused "Host key verification failed" sg clone "$url" ../d && [ ! -e ../d ]
	rc=$?; mv ../known "$ssh_dir/known"; [ $rc = 0 ]
'
t 'a host that has another key than it had' '
	cp "$ssh_dir/known" ../known && ssh_stop && ssh_keep=$ssh_port && ssh_start host2 && cp ../known "$ssh_dir/known" &&
	refused "REMOTE HOST IDENTIFICATION HAS CHANGED" sg push && refused "HAS CHANGED" sg fetch && ssh_stop && ssh_start host && sg push -q &&
	is "$(there rev-parse main)" "$(git_ rev-parse main)"
'
t 'a repository that is not there, a server that is not there' '
	refused "does not appear to be a git repository\|not a git repository" sg clone "ssh://$ssh_user@127.0.0.1:$ssh_port$here/work/none.git" ../d && [ ! -e ../d ] &&
	refused "Connection refused" sg clone "ssh://$ssh_user@127.0.0.1:1$here/work/shared.git" ../d && [ ! -e ../d ]
'
t 'a URL that would be an option or a command' '
	for u in "ssh://-oProxyCommand=touch\${IFS}$here/hit/x" "ssh://-oProxyCommand=touch $here/hit/x" "-oProxyCommand=touch $here/hit:x" \
		"ssh://me@-oProxyCommand=x/y" "ssh://a\`touch $here/hit\`/x" "ssh://a;touch $here/hit/x" "ssh://h:-oProxyCommand=x/y" "git+ssh://-F/x" \
		"ssh://me:secret@127.0.0.1/x" "ext::touch $here/hit" "fd::3" "h ost:x" "-h:x"; do
		fails_with 128 sg clone -- "$u" ../d 2>err && ! grep -q secret err && [ ! -e ../d ] && [ ! -e "$here/hit" ] || return 1
	done && fails_with 128 sg clone "ssh://$ssh_user@127.0.0.1:$ssh_port/x'"'"';touch $here/hit;'"'"'" ../d && [ ! -e "$here/hit" ]
'
done_
