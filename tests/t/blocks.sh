# 24 residual blocks on a base of 5 million parameters: trained, some of them accepted, and
# read again by other processes to the same bits. Of the others nothing is kept where growth
# is shared; a graft that was not accepted took its room nowhere else.
. "${0%/*}/lib.sh"
have python3 || { skip python3 '24 blocks'; done_; }
git_ () { git --git-dir=.sg/registry.git "$@"; }
losses () { sg eval held --window 32 --json "$@"; }

awk 'BEGIN { for (i = 1; i <= 340; i++) print "line " i " tells " i * i % 89 }' >book.txt
random_llama base 256 720 6 && sg init -q --base base && sg data add book -q --role train --split line --to 40 book.txt &&
	sg data add held -q --role accept --split line --from 40 book.txt && sg policy set gate.quality.min-docs 100 -q &&
	sg policy set gate.quality.correct-uses false -q && losses >l0 || exit 1
run='--type block --steps 4 --batch 4 --seq 32 --lr 0.003 --warmup 0'

t 'a base of 5 million parameters' '
	is "$(sg base --json | json parameters | cut -c1-2)" 50 && is "$(sg base --json | json parameters | wc -c)" 8
'
t '24 blocks in four grafts of six, each trained on those before; two of the four are accepted' '
	for g in 1 2 3 4; do
		sg train $run --set width=$((8 + g)) --seed $g --name g$g -q && sg show g$g --json >g$g.json && is "$(json sites <g$g.json | grep -o "layers" | wc -l)" 6 &&
		case $g in
		1 | 3) sg accept g$g -q ;;
		*) sg reject g$g -q ;;
		esac && losses >l$g || return 1
	done && same l1 l2 && same l3 l4 && ! cmp -s l0 l1 && ! cmp -s l1 l3
'
t 'read again by another process, on one thread, on a clone: no loss differs in a bit' '
	losses --threads 1 >again && same l4 again && sg clone -q .sg/registry.git copy && sg -C copy base bind "$PWD/base" -q &&
	sg -C copy data add held -q --role accept --split line --from 40 "$PWD/book.txt" && (cd copy && losses >../again) && same l4 again && sg -C copy verify --replay >log && grep -q "same bits" log
'
t 'what was accepted is all that is stored: 12 of 24 blocks' '
	cd copy && git_ for-each-ref >refs && ! grep -q "refs/sg/\(cand\|rejected\)" refs && python3 -c "
import json, os, subprocess
def git(*a): return subprocess.run([\"git\", \"--git-dir=.sg/registry.git\", *a], stdout=subprocess.PIPE, check=True).stdout.decode()
g = {n: json.load(open(\"../g%d.json\" % n)) for n in (1, 2, 3, 4)}
sizes = {}
for line in git(\"ls-tree\", \"-r\", \"-l\", \"main\", \"grafts/\").splitlines():
    head, path = line.split(\"\t\")
    if \"/data/\" in path:
        k = path.split(\"/\")[1]
        sizes[k] = sizes.get(k, 0) + int(head.split()[3])
assert set(sizes) == {g[n][\"id\"][:16] for n in (1, 3)}, sizes
for n in (1, 3):
    raw, width = g[n][\"payload\"], 8 + n
    assert raw == 4 * 6 * 2 * 256 * width, raw
    assert sizes[g[n][\"id\"][:16]] <= raw * 1.01 + 4096, (sizes, raw)
pack = sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(\".sg/registry.git/objects\") for f in fs)
accepted, all = sum(g[n][\"payload\"] for n in (1, 3)), sum(g[n][\"payload\"] for n in g)
assert pack < accepted * 1.01 + 80000 < all, (pack, accepted, all)
print(pack, accepted, all)
"; rc=$?; cd .. && return $rc
'
t 'one block is taken out again: the losses before it, to the bit' '
	sg revert g3 -q --force && losses >now && same l1 now && sg revert g1 -q --force && losses >now && same l0 now
'
done_
