# What `make install` puts where, that it works from there, and that uninstall
# takes it all away again.
top=$(cd "${0%/*}/../.." && pwd)
. "$top/tests/t/lib.sh"

# The build's own settings, so that nothing is built again under the tests.
mk () { eval "env -u MAKEFLAGS make -s -C \"\$SG_TOP\" $SG_MAKE DESTDIR=\"\$here/inst\" \"\$@\""; }
if [ "${SG_MAKE+set}" ] && mk -q "${SG#"$SG_TOP"/}" >/dev/null 2>&1; then
t 'install puts program, pages and completions in place' '
	mk install &&
	cd "$(dirname "$(dirname "$(find "$here/inst" -type f -name sg -path "*/bin/sg")")")" &&
	bin/sg version &&
	cmp bin/sg "$SG" &&
	for p in "$SG_TOP"/man/*.1; do test -f "share/man/man1/${p##*/}" || return 1; done &&
	for p in "$SG_TOP"/man/*.5; do test -f "share/man/man5/${p##*/}" || return 1; done &&
	bash -n share/bash-completion/completions/sg &&
	grep -q "^#compdef sg" share/zsh/site-functions/_sg &&
	cd "$here/work"
'
t 'uninstall leaves no file' '
	mk uninstall &&
	is "$(find "$here/inst" -type f)" ""
'
else
skip make 'install and uninstall: only under make check'
fi
done_
