. "${0%/*}/lib.sh"
base=$SG_TOP/../shared/models/stories260K

t 'init makes a registry that stock git reads' '
	sg init --width 32 a >out &&
	grep -q "made a registry in .*/a/.sg, base [0-9a-f]\{16\}" out &&
	git --git-dir=a/.sg/registry.git fsck --strict &&
	is "$(git --git-dir=a/.sg/registry.git log --format=%s main)" "init: substrate base $(cd a && sg base | sed -n "s/^base *\(.\{16\}\).*/\1/p")" &&
	git --git-dir=a/.sg/registry.git cat-file -e main:policy
'
t 'the same seed and width are the same base, others are not' '
	sg init --width 32 b1 >/dev/null && sg init --width 32 b2 >/dev/null &&
	sg init --width 32 --seed 7 b3 >/dev/null && sg init --width 64 b4 >/dev/null &&
	for i in 1 2 3 4; do sg -C b$i base | sed -n 1p; done >ids &&
	is "$(sort -u ids | wc -l)" 3 &&
	is "$(sed -n 1p ids)" "$(sed -n 2p ids)"
'
t 'a second init changes nothing' '
	sg init --width 32 c >/dev/null &&
	git --git-dir=c/.sg/registry.git rev-parse main >was &&
	fails_with 128 sg init --width 64 c 2>err &&
	grep -q "history" err &&
	is "$(wc -l <err)" 1 &&
	git --git-dir=c/.sg/registry.git rev-parse main >now &&
	same was now
'
t 'a failed init leaves nothing' '
	mkdir d && echo "{" >d/config.json &&
	fails_with 128 sg init --base d new 2>err &&
	is "$(wc -l <err)" 1 &&
	[ ! -e new ] &&
	fails_with 128 sg init --base nowhere 2>err &&
	[ ! -e .sg ]
'
t 'wrong usage is said' '
	fails_with 129 sg init --base d --seed 1 2>err &&
	grep -q "do not go with" err &&
	fails_with 129 sg init a b &&
	fails_with 129 sg init --width 0 &&
	fails_with 129 sg init --width none &&
	[ ! -e .sg ]
'
t 'a folder with a hostile name is shown safely' '
	name=$(printf "x\033[31my") &&
	sg init --width 32 "$name" >out &&
	grep -q "x.x1b\[31my" out
'
if have python3; then
t 'init --json' '
	sg init --width 32 --json j >out &&
	is "$(json folder <out)" "$(pwd -P)/j" &&
	is "$(json base <out)" "$(sg -C j base --json | json base)"
'
else
skip python3 'init --json'
fi
if [ -d "$base" ]; then
t 'a checkpoint as the base, bound and embedded' '
	sg init --base "$base" e >/dev/null &&
	sg init --base "$base" --embed f >/dev/null &&
	is "$(sg -C e base | sed -n 1p)" "$(sg -C f base | sed -n 1p)" &&
	sg -C e base | grep -q "^weights  *.*stories260K" &&
	sg -C f base | grep -q "^weights  *in the registry" &&
	sg -C f base verify
'
else
skip shared 'a checkpoint as the base, bound and embedded'
fi
done_
