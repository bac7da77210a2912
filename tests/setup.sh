# What building and testing needs, from the system's package manager. Silent and
# quick when nothing is missing; as root it installs; else it prints the one
# command. Debian 12 and Ubuntu 24.04 (and their relatives) are known.
#
#	sh tests/setup.sh [demo]	demo: only what building and the demo need
missing=
need () { # <package> <test ...>
	package=$1
	shift
	"$@" >/dev/null 2>&1 || missing="$missing $package"
}
tool () { command -v "$1"; }
lib () { for l; do pkg-config --exists "$l" && return 0; done; return 1; }

need gcc tool gcc
need libc6-dev test -e /usr/include/stdio.h
need make tool make
need pkg-config tool pkg-config
need git tool git
need libgit2-dev lib libgit2
need libssl-dev lib openssl
need libzstd-dev lib libzstd
need msgpack lib msgpack-c msgpack	# its package goes by two names, see below
need xz-utils tool xz			# what the demo is measured against
if [ "$1" != demo ]; then
	need g++ tool g++			# the kernels of CUDA run on the host, in tests
	need openssh-client tool ssh-keygen	# git checks signatures with it
	need python3 python3 -c 'import json'	# second readers of the formats
	need zstd tool zstd			# and they need it to read what is packed
	need mandoc tool mandoc			# checks the manual pages
	need openssh-server test -x /usr/sbin/sshd	# remotes are tried against real servers
	need nginx-light test -x /usr/sbin/nginx
	need fcgiwrap test -x /usr/sbin/fcgiwrap
	need openssl tool openssl
fi
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	echo "setup: this system has no apt-get; please install what gives:$missing" >&2
	exit 1
fi

# Debian 12 and Ubuntu 24.04 say libmsgpack-dev; later ones libmsgpack-c-dev.
msgpack_name () {
	if apt-cache show libmsgpack-c-dev >/dev/null 2>&1; then
		echo libmsgpack-c-dev
	else
		echo libmsgpack-dev
	fi
}
fill () { missing=$(echo "$missing" | sed "s/ msgpack/ $(msgpack_name)/"); }

if [ "$(id -u)" != 0 ]; then
	fill
	echo "setup: packages are missing; as root, run:" >&2
	echo "  apt-get update && apt-get install -y --no-install-recommends$missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
echo "setup: installing$missing" >&2
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
try () { "$@" </dev/null >"$log" 2>&1 || { cat "$log" >&2; return 1; }; }
try apt-get update -qq || exit 1
fill
# The servers are started by the tests, for the tests: not by their packages.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
	trap 'rm -f "$log" $policy' EXIT
fi
try apt-get install -y -qq --no-install-recommends $missing || exit 1
if command -v systemctl >/dev/null 2>&1; then
	for unit in openssh-server:ssh nginx-light:nginx fcgiwrap:fcgiwrap.socket fcgiwrap:fcgiwrap; do
		case " $missing " in *" ${unit%%:*} "*) systemctl disable "${unit#*:}" >/dev/null 2>&1 ;; esac
	done
fi
exit 0
