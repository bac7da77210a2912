#!/bin/sh
# A graft of noise to a path, over ssh and over https, the servers on this machine:
#	sh tests/bench/transfer.sh [megabytes]
# Whole, and cut half-way and begun again, as it comes and with sg.partSize 0 (one pack, as
# git does); then a clone. MB are 10^6 bytes that a relay before the server counted. Needs
# python3, sshd, nginx and fcgiwrap; a server that is not there is named and left out.
top=$(cd "${0%/*}/../.." && pwd) && make -s -C "$top" CUDA=0 build/cpu/libsg.a build/cpu/sg || exit 1
store=$top/build/cpu/bench-store
(cd "$top" && ${CC:-cc} -std=c11 -O2 -I. -Isrc -D_GNU_SOURCE -rdynamic -o "$store" tests/bench/store.c build/cpu/libsg.a \
	$(pkg-config --libs libgit2 openssl libzstd) \
	$(pkg-config --libs msgpack-c 2>/dev/null || pkg-config --libs msgpack) -lm -lpthread -ldl) || exit 1
TMPDIR=${TMPDIR:-/var/tmp} SG=$top/build/cpu/sg SG_TOP=$top
export TMPDIR
. "$top/tests/t/lib.sh"
. "$top/tests/servers/ssh.sh"
. "$top/tests/servers/https.sh"
at_exit_ () { ssh_stop; https_stop; for p in $relays; do kill "$p"; done 2>/dev/null; }
mb=${1:-300} relays=
git init -q --bare empty.git && mkdir a && cd a && sg init -q --width 32 && head -c "${mb}000000" /dev/urandom >../noise &&
	"$store" put .sg 1 ../noise && rm ../noise || exit 1
tip=$(git --git-dir=.sg/registry.git rev-parse main)

now () { date +%s.%N; }
calc () { awk "BEGIN { printf \"$1\", $2 }"; }
# start <folder> <port>: a relay, whose port is then in $port
start () {
	mkdir "$here/$1" && { python3 "$top/tests/bench/relay.py" "$2" "$here/$1" & } && relays="$relays $!" &&
	while [ ! -s "$here/$1/port" ]; do sleep 0.05; done
	port=$(cat "$here/$1/port")
}
# timed <what> <command ...>: a line with seconds and bytes
timed () {
	what=$1 && shift && { [ ! "$relay" ] || { : >"$here/$relay/reset"; }; }
	t0=$(now)
	"$@" >"$here/out" 2>&1
	status=$?
	t1=$(now)
	printf '%-6s %-34s %7.2f s' "$route" "$what" "$(calc %f "$t1 - $t0")"
	[ ! "$relay" ] || for way in up down; do printf '  %8.1f MB %s' "$(calc %f "$(cat "$here/$relay/$way") / 1e6")" $way; done
	[ $status = 0 ] && echo || { echo "  exit $status"; sed 's/^/	/' "$here/out"; }
}
arrived () { [ "$(git --git-dir="$1" rev-parse main)" = "$tip" ] && git --git-dir="$1" fsck --strict >"$here/out" 2>&1 || { echo "$route: not all arrived"; exit 1; }; }
# all <url up to the name> <folder>: every case on one route
all () {
	for how in "" "one pack"; do
		sg config sg.partSize "$([ "$how" ] && echo 0 || echo 64m)" && for what in whole cut; do
			name=$route-$what-$(echo "$how" | tr -d " ").git && cp -r "$here/work/empty.git" "$2/$name" &&
			git --git-dir="$2/$name" config http.receivepack true
			[ $what = cut ] && [ ! "$relay" ] && continue
			if [ $what = cut ]; then
				echo $((mb * 500000)) >"$here/$relay/limit"
				timed "push, cut half-way ${how:+($how)}" sg push "$1/$name" main
				timed "  begun again" sg push "$1/$name" main
			else
				timed "push ${how:+($how)}" sg push "$1/$name" main
			fi
			arrived "$2/$name"
		done
	done
	timed clone sg clone "$1/$route-whole-.git" "$here/work/c-$route"
}
route=path relay=
mkdir "$here/p" && all "$here/p" "$here/p"
route=ssh relay=r-ssh
if ssh_start; then
	start $relay "$ssh_port"
	echo "[127.0.0.1]:$port $(cat "$ssh_dir/host.pub")" >>"$ssh_dir/known"
	GIT_SSH_COMMAND="ssh $ssh_opts -i $ssh_dir/key" && export GIT_SSH_COMMAND
	mkdir "$here/s" && all "ssh://$ssh_user@127.0.0.1:$port$here/s" "$here/s"
else
	echo "ssh: left out, no $ssh_why"
fi
route=https relay=r-https
if https_start; then
	start $relay "$https_port"
	GIT_SSL_CAINFO=$https_dir/ca.pem GIT_TERMINAL_PROMPT=0 && export GIT_SSL_CAINFO GIT_TERMINAL_PROMPT
	all "https://a%20grower:p%40ss%3aword@127.0.0.1:$port/git" "$https_dir/git"
else
	echo "https: left out, no $https_why"
fi
