"""Rows of tests/bench/store.sh: store, push, clone and checkout of tensor files by sg and
its peers, in turn, in fresh repositories. Prints medians of seconds, bytes and peak
memory (the largest process of the operation, the other side's included).

store.py WORK SG HELPER ROUNDS LIMIT CASE... ; CASE is kind:count:megabytes
"""
import os, shutil, statistics, subprocess, sys, time

work, sg, helper, rounds, limit = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5])
env = dict(os.environ, HOME=work + "/home", GIT_CONFIG_NOSYSTEM="1", GIT_LFS_SKIP_SMUDGE="0",
           GIT_AUTHOR_NAME="b", GIT_AUTHOR_EMAIL="b@x", GIT_COMMITTER_NAME="b", GIT_COMMITTER_EMAIL="b@x",
           GIT_LFS_FORCE_PROGRESS="0")
TUNED = dict([("core.compression", "0"), ("core.looseCompression", "0"), ("pack.compression", "0"),
              ("core.bigFileThreshold", "1m"), ("pack.window", "0"), ("gc.auto", "0")])
WIDTH = {"random": 1, "f32": 4, "bf16": 2, "smollm2": 1}


def data(kind, count, mb):
    d = f"{work}/data-{kind}-{count}-{mb}"
    if os.path.isdir(d):
        return d
    os.makedirs(d)
    for i in range(count):
        with open(f"{d}/{i}.bin", "wb") as f:
            for j in range(max(mb // 4, 1)):
                f.write(block(kind, i * 1000 + j, min(mb, 4) << 20))
    return d


def block(kind, seed, n):
    if kind == "random":
        return os.urandom(n)
    import numpy as np
    g = np.random.default_rng(seed)
    if kind == "f32":
        return (g.standard_normal(n // 4) * 0.02).astype("<f4").tobytes()
    x = (g.standard_normal(n // 2) * 0.02).astype("<f4").view("<u4")
    return ((x + 0x7fff + (x >> 16 & 1)) >> 16).astype("<u2").tobytes()


class TooLong(Exception):
    pass


def run(cwd, *steps):
    """Seconds, and the peak of the largest process below, in MB."""
    code = ("import resource,subprocess,sys,time\nt=time.time()\n"
            "for a in %r:\n subprocess.run(a, cwd=%r, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)\n"
            "print(time.time()-t, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss/1024)" % (steps, cwd))
    os.sync()
    p = subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         start_new_session=True)
    try:
        out, err = p.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, 9)
        p.wait()
        raise TooLong
    if p.returncode:
        raise SystemExit(f"{steps}: {err}")
    return [float(x) for x in out.split()]


def call(cwd, *args):
    subprocess.run(args, cwd=cwd, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def size(path):
    seen, total = set(), 0
    for base, _, files in os.walk(path):
        for f in files:
            s = os.lstat(os.path.join(base, f))
            if s.st_ino not in seen:
                seen.add(s.st_ino)
                total += s.st_size
    return total / 1e6


def bare(path, tuned):
    call(work, "git", "init", "-q", "--bare", "-b", "main", path)
    for k, v in {**(TUNED if tuned else {}), **({"receive.unpackLimit": "1"} if tuned else {})}.items():
        call(path, "git", "config", k, v)


def by_sg(src, width, link, tuned_remote):
    a, b = work + "/a", work + "/b.git"
    os.makedirs(a)
    call(a, sg, "init", "-q", "--width", "16")
    bare(b, tuned_remote)
    files = [f"{src}/{f}" for f in sorted(os.listdir(src))]
    extra = ["--link"] if link else []
    yield run(a, [helper, "put", a, str(width), *files])
    yield run(a, [sg, "push", "-q", *extra, b, "main"])
    yield run(work, [sg, "clone", "-q", *extra, b, "c"])
    os.makedirs(work + "/out")
    yield run(work, [helper, "get", work + "/c", work + "/out"])
    for i, f in enumerate(files):
        if subprocess.run(["cmp", "-s", f, f"{work}/out/{files.index(f)}"]).returncode:
            raise SystemExit("what came back differs")
    yield size(b)


def by_git(src, how):
    a, b, c = work + "/a", work + "/b.git", work + "/c"
    bare(b, how == "tuned")
    call(work, "git", "init", "-q", "-b", "main", a)
    if how == "tuned":
        for k, v in TUNED.items():
            call(a, "git", "config", k, v)
        open(a + "/.gitattributes", "w").write("*.bin -delta -diff -text\n")
    if how == "lfs":
        call(a, "git", "lfs", "install", "--local", "--force")
        open(a + "/.gitattributes", "w").write("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    call(a, "git", "remote", "add", "origin", "file://" + b)
    for f in os.listdir(src):
        shutil.copy(f"{src}/{f}", a)
    yield run(a, ["git", "add", "."], ["git", "commit", "-qm", "x"])
    yield run(a, ["git", "push", "-q", "origin", "main"])
    tune = [x for k, v in TUNED.items() for x in ("-c", f"{k}={v}")] if how == "tuned" else []
    lfs = ["-c", "filter.lfs.process=git-lfs filter-process", "-c", "filter.lfs.smudge=git-lfs smudge -- %f",
           "-c", "filter.lfs.required=true"] if how == "lfs" else []
    yield run(work, ["git", *tune, *lfs, "clone", "-q", "--no-checkout", "file://" + b, c])
    yield run(c, ["git", *tune, *lfs, "checkout", "-q", "main"])
    yield size(b)


def clean():
    for n in ("a", "b.git", "c", "out"):
        shutil.rmtree(f"{work}/{n}", ignore_errors=True)


def one(make):
    """store push clone checkout, each (seconds, MB), then bytes; what took too long is None."""
    got = []
    clean()
    try:
        for x in make():
            got.append(x)
    except TooLong:
        pass
    clean()
    return got


WAYS = {
    "sg": lambda s, w: by_sg(s, w, False, False),
    "sg to tuned": lambda s, w: by_sg(s, w, False, True),
    "sg --link": lambda s, w: by_sg(s, w, True, False),
    "git-lfs": lambda s, w: by_git(s, "lfs"),
    "git tuned": lambda s, w: by_git(s, "tuned"),
    "git default": lambda s, w: by_git(s, "default"),
}
only = os.environ.get("ONLY", "").split(",") if os.environ.get("ONLY") else list(WAYS)
os.makedirs(work + "/home", exist_ok=True)
for case in sys.argv[6:]:
    kind, count, mb = case.split(":")
    src = kind == "smollm2" and f"{work}/data-smollm2" or data(kind, int(count), int(mb))
    total = sum(os.path.getsize(f"{src}/{f}") for f in os.listdir(src)) / 1e6
    print(f"\n{kind}, {len(os.listdir(src))} x {total / len(os.listdir(src)):.0f} MB ({rounds} rounds in turn)")
    print(f"{'':14}{'store':>8}{'push':>8}{'clone':>8}{'chkout':>8}{'all':>8}  {'stored':>9}  {'peak MB: store push clone chkout'}")
    seen = {w: [] for w in only}
    for _ in range(rounds):
        for w in only:
            seen[w].append(one(lambda: WAYS[w](src, WIDTH[kind])))
    for w in only:
        def med(i, j):
            v = [r[i][j] for r in seen[w] if len(r) > i]
            return statistics.median(v) if v else None
        cells = [med(i, 0) for i in range(4)]
        done = [c for c in cells if c is not None]
        text = "".join(f"{c:8.2f}" if c is not None else f"{'>%.0f' % limit:>8}" for c in cells)
        stored = [r[4] for r in seen[w] if len(r) > 4]
        peak = " ".join(f"{med(i, 1):.0f}" if med(i, 1) is not None else "-" for i in range(4))
        print(f"{w:14}{text}{sum(done):8.2f}{'+' if len(done) < 4 else ' '} {statistics.median(stored) if stored else 0:8.1f}M  {peak}")
        sys.stdout.flush()
