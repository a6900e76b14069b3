#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds the cases with cooper and with another builder, and compares what came out.

  differential.py [--cooper FILE] [--oracle docker|buildah] [--docker-host URL] [-v] [NAME-PART...]

The oracle is the BuildKit in dockerd (a private one is started unless --docker-host is given; that needs root), or
buildah, which knows nothing of BuildKit's history and config defaults: of its images only the files are compared.
Compared are path, type, mode, owner, size, content, link target, device number and extended attributes of the
flattened tree, and of the config everything but times, digests and what a `known` rule below names. A case whose
`expect` says `no-oracle WHY` (or `no-docker WHY`, `no-buildah WHY`), or that uses what the oracle says it does not
know (an option, a flag, here-documents), is skipped; one that must fail has to fail in both. Exit status 1 when
something differs.

Of dockerd's images extended attributes other than security.capability are not compared: `docker save` drops them."""
import argparse, concurrent.futures, json, os, re, shlex, shutil, signal, subprocess, sys, tarfile, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "..", "..")
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from ociimage import Image  # noqa: E402
from webserver import serve  # noqa: E402

TAKES_VALUE = {"docker": {"--build-arg", "--target", "--label", "-f", "--file", "--secret", "--ssh", "--platform"}}
OF_COOPER = {"--user-policy", "--jobs", "-j"}  # changes nothing of the image: not given to the oracle
TAKES_VALUE["buildah"] = TAKES_VALUE["docker"] | {"--build-context"}

# Known differences. Those of files: the oracle leaves mount points of its sandbox and of RUN --mount in the layer.
MOUNT_POINTS = {"/dev", "/proc", "/sys", "/etc/hosts", "/etc/resolv.conf", "/etc", "/run", "/dev/shm",
                "/etc/hostname"}


def is_mount_point(path, tree, ours, dockerfile):
    """An empty file, or a directory that holds nothing but such ones, and that cooper does not have."""
    empty = all(t.kind == "dir" or t.kind == "file" and not t.data for p, t in tree.items()
                if (p == path or p.startswith(path + "/")) and p not in ours)
    return path in MOUNT_POINTS or (empty and "--mount" in dockerfile)


def unknown_to_oracle(text, dockerfile):
    """What the oracle says it has never heard of."""
    found = re.search(r"(?i)unknown flag: -*(\w+)|Unsupported flag|invalid value for --(chmod)|unknown instruction: (\S+)",
                      text)
    if found and re.search(r"unknown flag", found[0], re.I):
        return "--" + found[1] if "--" + found[1] in dockerfile else None
    if "invalid response status" in text and re.search(r"(?m)^ADD .*\.git\b", dockerfile):
        return "git repositories in ADD"
    flag = re.search(r"(ADD|COPY|RUN) only supports the (.*) flag", text)
    if flag:
        return "flags of %s but %s" % (flag[1], flag[2])
    if re.search("invalid mount option|secret should have syntax|must be an absolute path|must set volume destination", text):
        return "this form of --mount"
    key = re.search(r"unexpected key '(env|size)' in", text)
    if key:
        return "the key %s of --mount" % key[1]
    if re.search(r"<<-?[\"']?\w", dockerfile):
        return "here-documents"
    return None


def old_history(text):
    """created_by as the frontend of Docker 20.10 writes it: ARG without the value that was given or taken over, COPY
    without flags, the ports of EXPOSE as a sorted map, HEALTHCHECK without start interval, RUN without the ARGs of the
    parent stage."""
    word, _, rest = text.partition(" ")
    if word == "ARG":
        rest = " ".join(w.split("=")[0] for w in rest.split(" "))
    elif word in ("COPY", "ADD"):
        rest = re.sub(r"--(chown|chmod)=\S+ |--parents ", "", rest)
    elif word == "EXPOSE":
        rest = " ".join(sorted(re.sub(r"map|[][]|:\{\}", "", rest).split(" ")))
    elif word == "HEALTHCHECK":
        rest = re.sub(r'( "[^"]*s")+ ', " ", rest)
    elif word == "RUN":
        rest = re.sub(r"^\|\d+ .*?(?=\S+ -\S*c )", "", rest)
    return word + " " + rest


def statements(path):
    text = ""
    for line in open(path, encoding="utf-8"):
        text += line
        try:
            words = shlex.split(text, comments=True)
        except ValueError:  # an open quotation goes on in the next line
            continue
        if words:
            yield words
        text = ""


class DockerArchive(Image):
    """What `docker save` writes."""

    def __init__(self, path):
        self.tar = tarfile.open(path)
        self.manifest = json.load(self.tar.extractfile("manifest.json"))[0]
        self.config = json.load(self.tar.extractfile(self.manifest["Config"]))

    def tree(self):
        tree = {}
        for name in self.manifest["Layers"]:
            self.apply(tree, tarfile.open(fileobj=self.tar.extractfile(name)))
        return tree


class NoLayers:
    """`docker save` refuses an image without layers; its config is in the daemon's folder."""

    def __init__(self, config):
        self.config = json.load(open(config))
        self.config.setdefault("rootfs", {}).setdefault("diff_ids", [])

    def tree(self):
        return {}


class Docker:
    def __init__(self, url):
        self.env = dict(os.environ, DOCKER_BUILDKIT="1", DOCKER_HOST=url, BUILDKIT_PROGRESS="plain")
        self.exe = "/usr/bin/docker"
        self.root = self.say("info", "-f", "{{.DockerRootDir}}")

    def say(self, *words):
        return subprocess.run([self.exe] + list(words), env=self.env, check=True, stdout=subprocess.PIPE).stdout.decode().strip()

    def load(self, archive):
        subprocess.run([self.exe, "load", "-q", "-i", archive], env=self.env, check=True, stdout=subprocess.DEVNULL)

    def build(self, run, args, out):
        iid = os.path.join(out, "docker.iid")
        failed, text = run([self.exe, "build", "--network=host", "--iidfile", iid] + args, self.env)
        if failed:
            return None, text
        image = open(iid).read()
        config = self.root + "/image/overlay2/imagedb/content/sha256/" + image.split(":")[1]
        if os.path.exists(config) and not json.load(open(config))["rootfs"].get("diff_ids"):
            return NoLayers(config), ""
        archive = os.path.join(out, "docker.tar")
        subprocess.run([self.exe, "save", "-o", archive, image], env=self.env, check=True)
        return DockerArchive(archive), text


class Buildah:
    def __init__(self, root):
        self.env = {"TMPDIR": root}  # there it keeps the caches of --mount
        self.cmd = [shutil.which("buildah"), "--storage-driver", "vfs", "--root", root + "/root", "--runroot", root + "/run"]

    def load(self, archive):
        subprocess.run(self.cmd + ["pull", "-q", "docker-archive:" + archive], check=True, stdout=subprocess.DEVNULL)

    def build(self, run, args, out):
        name = "case-" + os.urandom(8).hex()
        failed, text = run(self.cmd + ["bud", "--isolation", "chroot", "--layers=false", "-t", name] + args, self.env)
        if failed:
            return None, text
        subprocess.run(self.cmd + ["push", "-q", "--disable-compression", name, "oci:" + out + "/buildah"], check=True)
        return Image(out + "/buildah"), text


def oracle_args(oracle, words):
    """The arguments in the oracle's terms, or why there are none."""
    out, i = [], 0
    while i < len(words):
        name, eq, value = words[i].partition("=")
        option = words[i:i + 1] if eq or name == "--no-cache" else words[i:i + 2]
        if name == "--platform" and "," in option[-1]:
            return None, "several platforms"
        if name not in TAKES_VALUE[oracle] | OF_COOPER | {"--no-cache"}:
            return None, "option " + name
        if name not in OF_COOPER:
            out += option
        i += len(option)
    return out, None


def clean(value):
    """Without what is absent: null, empty lists and empty strings mean the same to a runtime."""
    if isinstance(value, dict):
        return {k: v for k, v in ((k, clean(v)) for k, v in value.items()) if v not in (None, "", [], {})}
    return value


def config_view(config, history_form):
    inner = dict(config.get("config") or {})
    for key in ("Image", "Hostname", "Domainname", "AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin",
                "StdinOnce", "ArgsEscaped", "MacAddress"):
        inner.pop(key, None)
    history = [(history_form(h.get("created_by", "")), h.get("comment", ""), bool(h.get("empty_layer")))
               for h in config.get("history") or []]
    return {"architecture": config.get("architecture"), "os": config.get("os"), "variant": config.get("variant") or "",
            "author": config.get("author") or "", "config": clean(inner), "history": history,
            "layers": len(config["rootfs"]["diff_ids"] or [])}


def tree_differences(a, b, saved, dockerfile, known):
    for e in b.values():
        e.mode &= 0o7777  # other builders write the type into the mode as well
    for path in sorted(set(a) | set(b)):
        if path not in a and is_mount_point(path, b, a, dockerfile):
            known.add("mount points in the layer")
            continue
        if path in a and path in b and saved:
            kept = {k: v for k, v in a[path].xattrs.items() if k == "security.capability"}
            if kept != a[path].xattrs:
                known.add("extended attributes that docker save drops")
            a[path].xattrs = kept
        left, right = (t[path].row() if path in t else "absent" for t in (a, b))
        if left != right:
            yield "%s: %s, oracle %s" % (path, left, right)


def config_differences(ours, theirs, known):
    as_written = lambda text: text
    a, b = config_view(ours, as_written), config_view(theirs, as_written)
    if a["config"].get("WorkingDir") == "/" and "WorkingDir" not in b["config"]:
        known.add("WorkingDir / written down")
        del a["config"]["WorkingDir"]
    if a["history"] != b["history"]:
        known.add("older form of the history")
        a["history"], b["history"] = (config_view(c, old_history)["history"] for c in (ours, theirs))
    for key in a:
        if a[key] != b[key]:
            left, right = a[key], b[key]
            if key == "history":  # what follows the base
                left, right = ([h for h in x if h not in y] for x, y in ((left, right), (right, left)))
            yield "%s: %s\n      oracle %s" % (key, json.dumps(left), json.dumps(right))


def differences(ours, theirs, only_files, dockerfile, known):
    yield from tree_differences(ours.tree(), theirs.tree(), not only_files, dockerfile, known)
    if not only_files:
        yield from config_differences(ours.config, theirs.config, known)


class Runner:
    """Starts builders in the folder of a case, with its environment, standard input and context."""

    def __init__(self, case, find, expand):
        last = lambda word: expand(find(word)[-1][0]) if find(word) else None
        self.case, self.context, self.stdin = case, last("context") or ".", last("stdin")
        self.env = dict(expand(l[0]).partition("=")[::2] for l in find("env"))

    def __call__(self, command, env, file_is_context=False):
        """Exit status and output. file_is_context: a context that is a file (a tar) can be given by its name."""
        context, given = self.context, self.stdin
        if os.path.isfile(os.path.join(self.case, context)) and not file_is_context:
            context, given = "-", context
        stdin = open(os.path.join(self.case, given), "rb") if given else subprocess.DEVNULL
        p = subprocess.Popen(command + [context], cwd=self.case, env={**os.environ, **env, **self.env}, stdin=stdin,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            text = p.communicate(timeout=300)[0]
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)  # what it started as well
            p.wait()
            raise
        return p.returncode, text.decode(errors="replace")


def build_cooper(opts, run, args, out):
    layout = os.path.join(out, "cooper")
    failed, text = run([opts.cooper, "build", "--progress=plain", "--user-policy=off", "-o",
                        "type=oci,tar=false,dest=" + layout] + args, {}, file_is_context=True)
    return None if failed else Image(layout), text


def dockerfile_of(run, args):
    names = [args[i + 1] for i, a in enumerate(args) if a in ("-f", "--file")]
    paths = [os.path.join(run.case, d, n) for n in names + ["Dockerfile", "dockerfile"] for d in ("", run.context)]
    return open(next(filter(os.path.isfile, paths), "/dev/null"), errors="replace").read()


def compare(opts, oracle, folder):
    lines = list(statements(os.path.join(folder, "expect")))
    find = lambda word: [w[1:] for w in lines if w[0] == word]
    for word in ("no-oracle", "no-" + opts.oracle):
        if find(word):
            return "skip", " ".join(find(word)[0])
    with tempfile.TemporaryDirectory() as tmp:
        case = os.path.join(tmp, "case")
        shutil.copytree(folder, case, symlinks=True)
        given = [a for l in find("args") for a in l]
        args, why = oracle_args(opts.oracle, given)
        if why:
            return "skip", why
        outside = os.path.join(tmp, "outside")
        os.mkdir(outside)
        open(os.path.join(outside, "sentinel"), "w").write("safe")
        environ = dict(os.environ, CASE=case, COOPER=opts.cooper, OUT=tmp, OUTSIDE=outside,
                       PYTHONPATH=os.path.join(HERE, "..", "lib"))
        servers = [serve(os.path.join(case, d[0]), tmp + ".requests") for d in find("serve")]
        if servers:
            environ.update(URL=servers[0].url, HOSTPORT=servers[0].url[len("http://"):])
        expand = lambda text: re.sub(r"\$(URL|HOSTPORT|OUTSIDE|OUT|CASE)\b", lambda m: environ.get(m[1], ""), text)
        for setup in find("setup"):
            subprocess.run(["bash", "-ec", " ".join(setup)], cwd=case, env=environ, check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        run = Runner(case, find, expand)
        given, args = (list(map(expand, l)) for l in (given, args))
        ours, our_text = build_cooper(opts, run, given, tmp)
        theirs, their_text = oracle.build(run, args, tmp)
        dockerfile = dockerfile_of(run, args)
        unknown = unknown_to_oracle(their_text, dockerfile) if ours and not theirs else None
        if unknown:
            return "skip", "the oracle does not know " + unknown
        if bool(ours) != bool(theirs):
            return "differ", "cooper %s, oracle %s\n%s\n----\n%s" % (
                "builds" if ours else "fails", "builds" if theirs else "fails", our_text[-500:], their_text[-900:])
        if not ours:
            return "equal", "both fail"
        known = set()
        found = list(differences(ours, theirs, opts.oracle == "buildah", dockerfile, known))
        return ("differ", "\n".join(found)) if found else ("known", "; ".join(sorted(known))) if known else ("equal", "")


def start_dockerd(tmp):
    sock = "unix://" + tmp + "/sock"
    log = open(tmp + "/log", "wb")
    daemon = subprocess.Popen(["dockerd", "--data-root", tmp + "/data", "--exec-root", tmp + "/exec", "-H", sock,
                               "--pidfile", tmp + "/pid", "--iptables=false", "--ip6tables=false", "--bridge=none"],
                              stdout=log, stderr=log)
    for _ in range(150):
        if subprocess.run(["/usr/bin/docker", "-H", sock, "version"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0:
            return daemon, sock
        time.sleep(0.2)
    daemon.terminate()
    raise SystemExit("dockerd does not start: " + open(tmp + "/log", errors="replace").read()[-500:])


def base_archive(opts, tmp):
    context = os.path.join(tmp, "base")
    os.mkdir(context)
    shutil.copy(os.path.join(TOP, "testdata", "base", "Dockerfile"), context)
    shutil.copy(shutil.which("busybox"), os.path.join(context, "busybox"))
    archive = os.path.join(tmp, "base.tar")
    subprocess.run([opts.cooper, "build", "-q", "--user-policy=off", "-t", "base", "-o", "type=docker,dest=" + archive,
                    context], check=True, stdout=subprocess.DEVNULL)
    return archive


def guarded(opts, oracle, folder):
    start = time.monotonic()
    try:
        what, why = compare(opts, oracle, folder)
    except Exception as e:  # one broken case must not hide the others
        what, why = "differ", "%s: %s" % (type(e).__name__, e)
    return what, why, time.monotonic() - start


def report(results):
    """What was found, by kind, and the summary line."""
    kinds = {}
    for what, why in results:
        if what in ("known", "skip"):
            for kind in why.split("; ") if what == "known" else [why]:
                kinds[what, kind] = kinds.get((what, kind), 0) + 1
    for (what, kind), n in sorted(kinds.items(), key=lambda k: (k[0][0], -k[1], k[0][1])):
        print("%4d %s: %s" % (n, {"known": "known", "skip": "skipped"}[what], kind))
    count = lambda what: sum(w == what for w, _ in results)
    print("%d equal, %d equal but for known differences, %d skipped with a reason, %d differ"
          % tuple(map(count, ("equal", "known", "skip", "differ"))))


def run_all(opts, oracle):
    results = []
    folders = sorted(d for d, _, files in os.walk(HERE) if "expect" in files)
    folders = [f for f in folders if not opts.parts or any(p in f for p in opts.parts)]
    with concurrent.futures.ThreadPoolExecutor(opts.jobs) as pool:
        for folder, (what, why, took) in zip(folders, pool.map(lambda f: guarded(opts, oracle, f), folders)):
            name = os.path.relpath(folder, HERE)
            results.append((what, why))
            if what == "differ" or opts.v:
                print("%s %s (%.1f s)%s" % (what, name, took, re.sub("(?m)^", "    ", "\n" + why) if why else ""), flush=True)
    report(results)
    return 1 if not results or any(what == "differ" for what, _ in results) else 0


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("--cooper", default=os.path.join(TOP, "build", "cooper"))
    p.add_argument("--oracle", choices=("docker", "buildah"), default="docker")
    p.add_argument("--docker-host")
    p.add_argument("--jobs", type=int, default=2 * os.cpu_count())
    p.add_argument("-v", action="store_true")
    p.add_argument("parts", nargs="*")
    opts = p.parse_args()
    opts.cooper = os.path.abspath(opts.cooper)
    daemon = None
    with tempfile.TemporaryDirectory(prefix="cooper-oracle-") as tmp:
        os.environ["COOPER_ROOT"] = os.path.join(tmp, "store")
        opts.cooper = shutil.copy(opts.cooper, os.path.join(tmp, "cooper"))  # it may be built anew meanwhile
        try:
            if opts.oracle == "buildah":
                oracle = Buildah(tmp)
            elif opts.docker_host:
                oracle = Docker(opts.docker_host)
            else:
                daemon, url = start_dockerd(tmp)
                oracle = Docker(url)
            oracle.load(base_archive(opts, tmp))
            return run_all(opts, oracle)
        finally:
            if daemon:
                daemon.terminate()
                daemon.wait()


sys.exit(main())
