# An ssh server of a test's own: . "$SG_TOP/tests/servers/ssh.sh"; ssh_start || skip.
# It runs as whoever runs the test, on 127.0.0.1, with everything in $here/ssh:
#
#	$ssh_port $ssh_user	where; any path of the test can be asked for
#	$here/ssh/key		a key it lets in; known: a known_hosts that knows it
#	ssh_opts		options that make ssh use these two and ask nobody
#	ssh_start [<host key>]	ssh_stop
ssh_dir=$here/ssh
ssh_why=
ssh_opts="-F /dev/null -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=$ssh_dir/known"

ssh_program () { for p in /usr/sbin/sshd /usr/local/sbin/sshd; do [ -x $p ] && echo $p && return; done; return 1; }

ssh_stop () {
	[ "$ssh_pid" ] && kill "$ssh_pid" 2>/dev/null && wait "$ssh_pid" 2>/dev/null
	ssh_pid=
}

ssh_keys () {
	mkdir -p "$ssh_dir" && chmod 700 "$ssh_dir" &&
	for k in key other host host2; do
		[ -e "$ssh_dir/$k" ] || ssh-keygen -q -t ed25519 -N '' -C "$k" -f "$ssh_dir/$k" || return 1
	done && cp "$ssh_dir/key.pub" "$ssh_dir/authorized"
}

ssh_config () { # <host key>
	cat <<-END
		ListenAddress 127.0.0.1:$ssh_port
		HostKey $ssh_dir/$1
		PidFile none
		AuthorizedKeysFile $ssh_dir/authorized
		StrictModes no
		UsePAM no
		PasswordAuthentication no
		KbdInteractiveAuthentication no
		PermitRootLogin yes
		PermitUserRC no
		PrintMotd no
	END
}

ssh_start () { # [<host key>]
	sshd=$(ssh_program) && have ssh && have ssh-keygen || { ssh_why=openssh-server; return 1; }
	ssh_keys || return 1
	[ "$(id -u)" != 0 ] || mkdir -p /run/sshd	# it wants this when it is root
	ssh_user=$(id -un)
	for ssh_try in 1 2 3 4 5 6 7 8; do
		ssh_port=${ssh_keep:-$((20000 + ($$ * 7 + ssh_try * 1009) % 20000))}
		ssh_config "${1:-host}" >"$ssh_dir/config"
		: >"$ssh_dir/log"
		"$sshd" -D -e -f "$ssh_dir/config" >>"$ssh_dir/log" 2>&1 </dev/null &
		ssh_pid=$!
		for ssh_wait in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
			grep -q 'listening on' "$ssh_dir/log" && break 2
			kill -0 $ssh_pid 2>/dev/null || break
			sleep 0.1
		done
		ssh_stop
	done
	[ "$ssh_pid" ] || { ssh_why='sshd does not start'; return 1; }
	echo "[127.0.0.1]:$ssh_port $(cat "$ssh_dir/${1:-host}.pub")" >"$ssh_dir/known"
	ssh $ssh_opts -i "$ssh_dir/key" -p "$ssh_port" "$ssh_user@127.0.0.1" true ||
		{ ssh_why='sshd lets this user not in'; ssh_stop; return 1; }
}
