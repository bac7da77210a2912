. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }
grow () { sg train -q --name "$@" $fast --accept; }
# The losses of an evaluation, without the state that they belong to.
losses () { sg eval --json "$@" | sed 's/"state":"[0-9a-f]*",\{0,1\}//'; }

grow_registry && grow first --type layer || exit 1
t 'a grown layer becomes a layer of the base: the same bits' '
	losses >before && git_ rev-parse main >was && first=$(git_ ls-tree --name-only main:grafts) &&
	sg consolidate --structural -m "One layer." >out && grep -q "bit by bit" out &&
	losses >now && same before now && is "$(git_ ls-tree main grafts)" "" &&
	git_ show -s --format=%B main >msg && grep -q "^consolidate 1 graft into base [0-9a-f]\{16\}$" msg && grep -q "^One layer" msg &&
	grep -q "^Sg-Op: consolidate" msg && grep -q "^Sg-Replaces: sha256:$first" msg && grep -q "^Sg-Metric: retention held" msg &&
	is "$(git_ rev-parse main~)" "$(cat was)" && git_ fsck --strict &&
	id=$(git_ show main:sg.json | sed "s/^{\"base\":\(.*\),\"format\":\"sg-1\"}$/\1/" | tr -d "\n" | sha256sum | cut -c1-64) &&
	grep -q "^Sg-Base: sha256:$id" msg && ls .sg/tmp >tmp && same /dev/null tmp
'
t 'the old composition is in the history' '
	losses --rev main~ >now && same before now
'
t 'growth goes on: a change is folded, a block goes on under a new id' '
	grow low --type lora --rank 2 && grow behind --type block --set width=8 && losses >before &&
	sg consolidate --fold >out && grep -q "goes on as" out && ! grep -q "bit by bit" out &&
	is "$(git_ ls-tree --name-only main:grafts | wc -l)" 1 && id=$(git_ ls-tree --name-only main:grafts) &&
	git_ show main:grafts/$id/graft.json >m.json && sha256sum <m.json | grep -q "^$id" &&
	old=$(git_ ls-tree --name-only main~:grafts >all; sed -n "s/.*\"replaces\":\[\"\(.\{16\}\).*/\1/p" m.json) && grep -qx "$old" all &&
	git_ diff --quiet main~:grafts/$old/data main:grafts/$id/data &&
	sg revert behind -q && git_ fsck --strict && sg accept behind -q
'
t 'a block behind a grown layer goes on behind a layer of the base' '
	grow deep --type layer && grow inner --type lora --rank 2 --sites "grown.*.mlp.*" &&
	grow tail --type block --set width=8 --sites "grown.*.out" && losses >before &&
	fails_with 1 sg revert deep 2>err && sg consolidate --structural >out && grep -q "consolidated 2 grafts" out &&
	for g in $(git_ ls-tree --name-only main:grafts); do git_ show main:grafts/$g/graft.json; echo; done >all &&
	is "$(wc -l <all)" 2 && grep -q "layers.1.out" all && ! grep -q grown all && sg eval -q >/dev/null && git_ fsck --strict
'
t 'nothing that can be folded: refused' '
	git_ rev-parse main >was && fails_with 1 sg consolidate --structural 2>err && grep -q "no active graft" err &&
	git_ rev-parse main >now && same was now && fails_with 129 sg consolidate 2>err && grep -q -- --fold err
'
t 'a new base in a folder, and another type' '
	grow again --type lora --rank 2 && mkdir there && fails_with 128 sg consolidate --fold --out there 2>err && grep -q "there already" err &&
	sg consolidate --fold --dtype F16 --out new/ >out && grep -q " F16 " out && ls new >files && grep -qx model.safetensors files &&
	is "$(git_ ls-tree main:base | grep -c data)" 0 && sg base verify >/dev/null && sg eval >/dev/null &&
	sed -i "s/\"num_hidden_layers\":2/\"num_hidden_layers\":1/" new/config.json && fails_with 128 sg eval 2>err &&
	sed -i "s/\"num_hidden_layers\":1/\"num_hidden_layers\":2/" new/config.json && sg eval >/dev/null
'
t 'a gate that does not accept refuses, --force does it' '
	grow more --type lora --rank 2 --seed 3 &&
	awk "BEGIN { for (i = 1; i <= 20; i++) print \"another line \" i \" that has to be kept \" i * i % 97 }" >kept.txt &&
	sg data add kept -q --role retain --split line kept.txt && git_ rev-parse main >was &&
	fails_with 1 sg consolidate --fold >out && grep -q "^retention *kept .* defer" out && tail -1 out | grep -q "^not consolidated" &&
	git_ rev-parse main >now && same was now && ls .sg/tmp >tmp && same /dev/null tmp &&
	sg consolidate --fold --force -q && git_ show -s --format=%B main | grep -q "^Sg-Gate: fail"
'
t 'a write that fails leaves registry and folders as they were' '
	mkdir other && cd other && grow_registry && grow first --type layer && git_ rev-parse main >was
	i=1
	while [ $i -lt 80 ]; do
		SG_FAIL_WRITE=$i sg consolidate --structural --out new -q 2>err && break
		is "$(grep -c . err)" 1 && [ ! -e new ] || return 1
		git_ rev-parse main >now && same was now && git_ fsck --strict || return 1
		i=$((i + 1))
	done
	[ $i -gt 1 ] && [ $i -lt 80 ] && is "$(ls -d new*)" new && sg eval >/dev/null && cd ..
'
if have python3; then
t 'consolidate --json' '
	mkdir third && cd third && grow_registry && grow first --type layer &&
	sg consolidate --structural --json >out && is "$(json identical <out)" true && is "$(json verdict <out)" accept &&
	is "$(json commit <out)" "$(git_ rev-parse main)" && s=$(json state <out | cut -c1-16) &&
	git_ show main:consolidated/$s.json >lineage && is "$(json replaces 0 <lineage)" "$(json replaces 0 <out)" &&
	is "$(json old_base <lineage)" "$(json old_base <out)" && cd ..
'
else
skip python3 'consolidate --json'
fi
# A registry of its own, where no gate judges: the laws are looked at, not the quality.
mkdir laws && cd laws && grow_registry && grow first --type layer && sg consolidate -q --structural &&
	sg policy set gate.quality.enabled false >/dev/null && sg policy set gate.retention.enabled false >/dev/null || exit 1
t 'every type with a merge law is folded' '
	for i in ia3 tt "dora --rank 2" "sparse --set count=50" full head; do
		sg train -q --name "${i%% *}-1" --type $i $fast && sg accept -q "${i%% *}-1" && sg eval --json | grep -o "\"nats\":[0-9.]*" >was && sg consolidate --fold --force >out && grep -q "^consolidated 1 graft" out &&
		sg eval --json | grep -o "\"nats\":[0-9.]*" >now && paste -d: was now | awk -F: "{ d = (\$2 - \$4) / \$2; if (d * d > 1e-10) exit 1 }" || { cat was now; return 1; }
	done
'
t 'units beside an MLP make it wider' '
	for i in 7 2; do sg train -q --name wide$i --type wide --set width=$i $fast && sg accept -q wide$i || return 1; done &&
	git_ ls-tree --name-only main:grafts >all && is "$(wc -l <all)" 2 && sg eval --json | grep -o "\"nats\":[0-9.]*" >was &&
	sg train -q --name low2 --type lora --rank 2 --sites "*.mlp.up" $fast && sg accept -q low2 && fails_with 1 sg consolidate --structural 2>err && grep -q "become wider, but graft .* stays at .layers.0.mlp.up" err &&
	sg revert low2 -q && sg consolidate --structural --force >out && grep -q "^consolidated 2 grafts" out && is "$(git_ ls-tree main grafts)" "" &&
	sg eval --json | grep -o "\"nats\":[0-9.]*" >now && paste -d: was now | awk -F: "{ d = (\$2 - \$4) / \$2; if (d * d > 1e-10) exit 1 }"
'
cd ..
done_
