. "${0%/*}/lib.sh"
git_ () { git --git-dir=.sg/registry.git "$@"; }

grow_registry && sg train --type layer --name first $fast -q && sg accept first -q &&
	sg train --type lora --name tune $fast -q && sg validate tune -q
git_ tag start main~1

t 'nothing differs' '
	sg diff HEAD HEAD >out && grep -q "^the same base, stack, data and policy" out && sg diff --exit-code HEAD HEAD
'
t 'a graft on one side, with what its gates said' '
	sg diff start >out && grep -q "^+ graft .* first (layer) on slot.0" out && grep -qE "quality +held .* gain \+" out &&
	sg diff HEAD start >out && grep -q "^- graft .* first (layer)" out && grep -q "measured from b to a" out
'
t 'exit status is 1 only when asked' '
	sg diff start && fails_with 1 sg diff --exit-code start && fails_with 1 sg diff --exit-code --json start
'
t 'a candidate against the line: numbers, and how far each weight moves' '
	sg diff HEAD tune >out && grep -q "^+ graft .* tune (lora)" out && grep -q "  1 graft in common" out && grep -q "measured from a to b" out &&
	grep -qE "^\+ .*attn\.q +[0-9.e-]+$" out && sg diff HEAD tune --no-norms >out && ! grep -q "^Norm" out
'
if have python3; then
t '--json: sides, states and a norm for each site' '
	sg diff HEAD tune --json >out && cat >check.py <<"END"
import json, math, subprocess, sys, struct
d = json.load(open("out"))
g = [g for g in d["grafts"] if g["side"] == "b"][0]
assert not d["same"] and not d["base_changed"] and d["no_norms"] is None
assert len(g["norms"]) == len(g["sites"]) and all(n["norm"] > 0 for n in g["norms"])
assert g["prev_state"] == d["a"]["state"] and g["state"] == d["b"]["state"]
END
	python3 check.py
'
else
skip python3 '--json: sides, states and a norm for each site'
fi
t 'two grafts at one site: principal angles of what they write and read' '
	sg train --type lora --name two --rank 2 --sites "layers.0.attn.*" --seed 8 $fast -q 2>/dev/null || sg train --type lora --name two --rank 2 --seed 8 $fast -q
	sg diff tune two >out && grep -q "^Angles in degrees" out && grep -qE "attn\.q +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+$" out && ! sg diff tune tune | grep -q Angles &&
	! sg diff --no-norms tune two | grep -q Angles &&
	sg accept tune -q && sg train --type lora --name three --rank 2 --seed 9 $fast -q && sg diff HEAD three | grep -q "^Angles" && git_ update-ref refs/sg/cand/$(git_ ls-tree --name-only main~ grafts/ >a; git_ ls-tree --name-only main grafts/ | grep -vxf a | cut -d/ -f2) main^2 && git_ update-ref refs/heads/main main~
'
if have python3; then
t 'angles in --json: as many as the smaller rank' '
	sg diff three two --json >out && python3 -c "
import json
d = json.load(open(\"out\"))
assert d[\"angles\"]
for a in d[\"angles\"]:
    for k in \"writes\", \"reads\":
        assert a[k] == sorted(a[k]) and 1 <= len(a[k]) <= 8 and all(0 <= x <= 90 for x in a[k]), a"
'
else
skip python3 'angles in --json: as many as the smaller rank'
fi
t 'data and policy' '
	sg diff start~2 start >out && grep -q "^+ data book train [0-9a-f]*" out && grep -q "^+ data held accept" out && ! grep -q "graft" out &&
	git_ read-tree main && blob=$(git_ show main:policy | sed "s/min-docs = 200/min-docs = 50/" | git_ hash-object -w --stdin) &&
	git_ update-index --cacheinfo 100644,$blob,policy && git_ update-ref refs/heads/other $(git_ commit-tree -p main -m p $(git_ write-tree)) &&
	sg diff main other >out && grep -q "^- policy gate.quality.min-docs = 200" out && grep -q "^+ policy gate.quality.min-docs = 50" out
'
t 'another base; norms say why they are missing' '
	mkdir other && sg -C other init --width 16 -q && git_ fetch -q other/.sg/registry.git main:refs/heads/elsewhere &&
	sg diff elsewhere main --no-norms >out && is "$(grep -c "^[-+] base " out)" 2 && fails_with 1 sg diff --exit-code elsewhere --no-norms
'
model=$SG_TOP/../shared/models/stories260K
if [ -d "$model" ] && have python3; then
t 'a norm is that of the difference of the weights' '
	mkdir real && cd real && sg init --base "$model" -q && for i in $(seq 60); do echo "line $i of a text"; done >a.txt &&
	sg data add a --role train --split line a.txt -q && sg train --type lora --name l --sites "layers.1.mlp.up" --steps 3 --batch 2 --seq 32 -q &&
	sg diff --json HEAD l >d.json && ref=$(git_ for-each-ref --format="%(refname)" refs/sg/cand) &&
	sg export --format hf --dtype F32 --rev $ref out -q && cat >check.py <<"END"
import array, glob, json, math, struct, sys
def load(folder, name):
    for path in glob.glob(folder + "/*.safetensors"):
        with open(path, "rb") as f:
            head = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
            at = f.tell()
            if name in head:
                assert head[name]["dtype"] == "F32"
                a, b = head[name]["data_offsets"]
                f.seek(at + a)
                return array.array("f", f.read(b - a))
w = "model.layers.1.mlp.up_proj.weight"
a, b = load(sys.argv[1], w), load("out", w)
norm = json.load(open("d.json"))["grafts"][-1]["norms"][0]
want = math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b)))
assert norm["site"] == "layers.1.mlp.up" and want > 0 and abs(norm["norm"] - want) < 1e-4 * want, (norm, want)
END
	python3 check.py "$model"; rc=$?; cd ..; return $rc
'
t 'without the weights all but the norms, and why' '
	cd real && git_ config --unset-all "$(git_ config -l | sed -n "s/^\(base\..*\.path\)=.*/\1/p")" && sg diff HEAD l >txt && sg status >st; rc=$?; cd ..
	[ $rc = 0 ] && grep -q "^+ graft" real/txt && grep -q "^No norms: .*sg base bind" real/txt && grep -q "^Base .* not bound" real/st
'
else
skip shared 'a norm is that of the difference of the weights'
skip shared 'without the weights all but the norms, and why'
fi
t 'what is no revision: one line, exit 128; usage' '
	fails_with 128 sg diff nothing 2>err && is "$(wc -l <err)" 1 && fails_with 128 sg diff HEAD first 2>err && grep -q "waits on no ref" err &&
	fails_with 129 sg diff && fails_with 129 sg diff a b c
'
done_
