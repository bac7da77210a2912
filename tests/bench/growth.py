"""The table of growth.sh, from what it left in this folder: paired gains computed here from the
losses in the receipts. usage: growth.py tests/readers/receipt.py SEED..."""
import json, math, os, struct, subprocess, sys

namespace = {"__name__": "reader"}
exec(compile(open(sys.argv[1]).read().rsplit("\nmain(", 1)[0], sys.argv[1], "exec"), namespace)
Reader, t_quantile, reach = (namespace[k] for k in ("Reader", "t_quantile", "reach"))
GOAL = 20 * 0.0017


def load(name):
    with open(name) as f:
        return json.load(f)


def git(dir, *args):
    return subprocess.run(["git", "--git-dir=%s/.sg/registry.git" % dir, *args], stdout=subprocess.PIPE, check=True).stdout


def losses(blob, name):
    s, = [s for s in Reader(blob).value()["sets"] if s["name"] == name]
    return {k: [x for x, in struct.iter_unpack(f, s[k])] for k, f in (("parent", "<d"), ("cand", "<d"), ("tokens", "<I"))}


def paired(before, after, tokens):
    """Mean and one-sided bounds, each at 95 %, of what was gained, nats a token."""
    d = [(a - b) / t for a, b, t in zip(before, after, tokens) if t]
    n, mean = len(d), math.fsum(d) / len(d)
    m2, m3 = (math.fsum((x - mean) ** e for x in d) / n for e in (2, 3))
    se, k = math.sqrt(m2 / (n - 1)), (m3 / m2 ** 1.5 if m2 else 0) / math.sqrt(n)
    t = t_quantile(0.05, n - 1)
    return mean, mean - se * reach(t, -k), mean + se * reach(t, k), n


def receipts(kind, seed):
    dir = "%s.%s" % (kind, seed)
    if kind in ("block", "phi"):
        return [git(dir, "show", "main:grafts/%s/receipt.mp" % g["id"][:16]) for g in load(dir + ".status")["stack"]]
    ref = git(dir, "for-each-ref", "--format=%(refname)", "refs/sg/report").decode().split()[0]
    return [git(dir, "show", ref + ":receipt.mp")]


def facts(kind, seed):
    dir = "%s.%s" % (kind, seed)
    if kind in ("block", "phi"):
        total, stack = load(dir + ".grow"), load(dir + ".status")["stack"]
        files = [json.loads(git(dir, "show", "main:grafts/%s/graft.json" % g["id"][:16])) for g in stack]
        return {"what": "%s, %d stages" % (kind, len(stack)), "verdict": "accept x%d" % len(stack),
                "parameters": sum(math.prod(t["shape"]) for f in files for t in f["tensors"] if not t["name"].endswith((".A", ".B"))),
                "payload": sum(g["payload"] for g in stack),
                "tokens": total["tokens"], "seconds": total["seconds"], "tried": total["tried"]}
    t = load(dir + ".train")
    return {"what": kind, "verdict": load(dir + ".verdict")["verdict"], "parameters": t["trained"],
            "payload": t["payload_bytes"], "tokens": t["tokens"], "seconds": t["seconds"], "tried": 1}


def main():
    print("base: %d parameters; %s" % (load("base.json")["parameters"], ", ".join(
        "%s %.4f nats a token on %d documents" % (l["set"], l["nats"] / l["tokens"], l["docs"]) for l in load("base.eval")["lines"])))
    print("%-4s %-16s %-9s %7s [%6s, %6s] %8s %9s %7s %6s %5s %8s %8s %8s %8s" % ("seed", "what", "verdict", "gain", "lower",
          "upper", "en", "trained", "KiB", "Mtok", "s", "/Mparam", "/MiB", "/s", "/Mtok"))
    good, all = 0, {}
    for seed in sys.argv[2:]:
        for kind in "block", "phi", "blocks", "lora", "sparse", "head", "full":
            if not any(os.path.exists("%s.%s.%s" % (kind, seed, end)) for end in ("grow", "verdict")):
                print("%-4s %-16s was not run" % (seed, kind))
                continue
            r, f = receipts(kind, seed), facts(kind, seed)
            if not r:
                print("%-4s %-16s nothing was accepted" % (seed, kind))
                continue
            fr, en = ((losses(r[0], s), losses(r[-1], s)) for s in ("fr-held", "en-held"))
            gain, lower, upper, n = paired(fr[0]["parent"], fr[1]["cand"], fr[0]["tokens"])
            kept = -paired(en[0]["parent"], en[1]["cand"], en[0]["tokens"])[0]
            print("%-4s %-16s %-9s %7.4f [%6.4f, %6.4f] %+8.4f %9d %7.1f %6.3f %5.0f %8.3f %8.3f %8.5f %8.4f" % (
                seed, f["what"], f["verdict"], gain, lower, upper, kept, f["parameters"], f["payload"] / 1024,
                f["tokens"] / 1e6, f["seconds"], gain / f["parameters"] * 1e6, gain / f["payload"] * 1048576,
                gain / f["seconds"], gain / f["tokens"] * 1e6))
            all.setdefault(kind, []).append(gain)
            if kind in ("block", "phi"):
                good += len(r) >= 3 and lower > GOAL and f["parameters"] <= 19882756
    for kind, g in all.items():
        print("mean %-6s %.4f" % (kind, sum(g) / len(g)))
    print("staged runs with three stages or more and a lower bound over %.4f: %d of %d" % (GOAL, good, 2 * len(sys.argv[2:])))


main()
