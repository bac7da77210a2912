# Does a fresh system need nothing but git and make? Builds a minimal system with
# only those two, clones this repository's HEAD into it and runs `make check` and
# `make demo` there. Needs root, mmdebstrap and a mirror; not a part of the check.
#
#	sh tests/chroot.sh [debian|ubuntu] [<goal> ...]
#
#	MIRROR=...	a mirror, or a file of apt sources, instead of the known one
#	KEYRING=...	who may have signed it, when this machine does not know (Ubuntu's keys
#			on Debian: usr/share/keyrings in the package ubuntu-keyring)
#	KEEP=1		leave the system there, and say where
cd "${0%/*}/.." || exit 1
top=$(pwd)
which=${1:-debian}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- check demo
fail () { echo "chroot: $*" >&2; exit 1; }

case $which in
debian)
	suite=bookworm more=apt parts=main
	# this machine's own sources when they are of that suite: its mirror is near
	here=/etc/apt/sources.list.d/debian.sources
	grep -qs "Suites:.*$suite" $here || here=http://deb.debian.org/debian
	;;
ubuntu)
	suite=noble more=apt,ubuntu-keyring parts=main,universe
	here=http://archive.ubuntu.com/ubuntu
	;;
*) fail "'$which' is not debian or ubuntu" ;;
esac
MIRROR=${MIRROR:-$here}
[ "$(id -u)" = 0 ] || fail "must be root"
command -v mmdebstrap >/dev/null || fail "needs mmdebstrap"

dir=$(mktemp -d "${TMPDIR:-/tmp}/sg-chroot.XXXXXX") || exit 1
root=$dir/root
cleanup () {
	# what is run inside has its own mount namespace, so nothing is mounted here
	if [ "$KEEP" ]; then echo "chroot: kept in $root"; else rm -rf --one-file-system "$dir"; fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The machine's apt settings (proxy, lists) must hold inside as well.
settings () {
	mkdir -p "$1/etc/apt/apt.conf.d"
	cp -r /etc/apt/apt.conf.d/. "$1/etc/apt/apt.conf.d/"
	for f in resolv.conf hosts; do cp -L "/etc/$f" "$1/etc/$f"; done 2>/dev/null
	[ ! -d /etc/apt/auth.conf.d ] || cp -r /etc/apt/auth.conf.d "$1/etc/apt/"
	return 0
}
echo "chroot: making $which $suite with git and make"
mmdebstrap --quiet --variant=minbase --include=git,make,$more --components=$parts \
	${KEYRING:+--keyring="$KEYRING"} "$suite" "$root" "$MIRROR" >"$dir/log" 2>&1 ||
	{ tail -n 20 "$dir/log" >&2; fail "cannot make a system from $MIRROR"; }
settings "$root"

mkdir -p "$root/src"
git clone -q --no-local "$top" "$root/src/sg" || exit 1

# One command inside, with its own processes and mounts, which end with it.
inside () {
	unshare --mount --pid --fork --kill-child -- sh -c '
		mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && mount -t tmpfs tmp "$0/tmp" && chmod 1777 "$0/tmp" &&
		exec chroot "$0" env -i HOME=/root TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin \
			http_proxy="$http_proxy" https_proxy="$https_proxy" sh -c "cd /src/sg && $1"' "$root" "$1"
}

# Who is not root is told one command.
chmod -R a+rX "$root/src"
if inside 'su nobody -s /bin/sh -c "make check"' >"$dir/log" 2>&1; then
	fail "make check as nobody did not ask for packages"
fi
grep -q 'apt-get install -y' "$dir/log" || { cat "$dir/log"; fail "nobody is not told what to install"; }
echo "chroot: who is not root is told: $(sed -n 's/^ *apt-get/apt-get/p' "$dir/log")"

for goal; do
	began=$(date +%s)
	inside "make $goal </dev/null" || fail "make $goal failed on $which"
	echo "chroot: make $goal: $(($(date +%s) - began)) s on $which"
done
