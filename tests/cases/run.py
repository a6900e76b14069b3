#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the file-based cases through the real binary.

  run.py [--cooper FILE] [--sandbox NAME] [--jobs N] [NAME-PART...]

It runs as root, as a user with subordinate ids or as any user; with --sandbox every build has that flag.

A case is a folder with a Dockerfile, its context, and a file `expect`; nothing else is needed to add one.
`expect` holds one statement a line (words as in a shell, quotations may span lines; # starts a comment):

  args WORD...              more arguments for `cooper build` ($CASE is the case's folder, $OUT a new folder)
  env K=V                   for the build process
  context PATH              the CONTEXT argument, relative to the case (default: .)
  stdin FILE                file given on standard input
  setup COMMAND             shell command run in a copy of the case before the build
  serve DIR                 an HTTP server for that folder of the copied case (git repositories too, see
                            tests/lib/webserver.py); $URL is its address ($HOSTPORT without http://), $OUT.requests
                            what was asked of it
  exit N                    the exit status (default 0)
  cpu SECONDS               the build's processor time is at most that; memory MB: its resident memory too
  output TEXT               stdout or stderr contains TEXT         no-output TEXT
  file PATH [MODE [UID:GID [CONTENT]]]      dir PATH [MODE [UID:GID]]     link PATH TARGET
  char|block PATH MAJOR,MINOR               fifo PATH                     absent PATH
  same PATH PATH            hard links to one file
  mtime PATH SECONDS        xattr PATH NAME HEX
  config PATH JSON          a value of the image config, e.g. config config.User '"app"'
  no-config PATH            the value is absent
  history N JSON-PATH TEXT  entry N (from 0, negative from the end) contains TEXT
  layers N                  number of layers       members N NAME...  exactly these names in layer N
  check COMMAND             shell command in the copied case; $COOPER, $OUT, $LAYOUT; must exit 0
  no-oracle WHY             not comparable with another builder; no-docker WHY, no-buildah WHY: with that one
  no-sanitizer WHY          not run with a binary built with AddressSanitizer
  needs-root WHY            run as root only
  no-sandbox NAME WHY       not in that sandbox, forced or found; emulated: nor in chroot; single: not in a user
                            namespace with one id

Without `exit N` a case must build; MODE, UID:GID may be - for any. $OUTSIDE is a folder that no build may touch: it
holds one file, `sentinel`, and every case fails that changes anything there.
"""
import argparse, concurrent.futures, glob, json, os, re, shlex, shutil, subprocess, sys, tempfile, threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from ociimage import Image  # noqa: E402
from webserver import serve  # noqa: E402


# seconds and megabytes of a program; by a process of its own, for a child begins with its parent's memory
MEASURE = """import resource, subprocess, sys
status = subprocess.run(sys.argv[2:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, file=open(sys.argv[1], "w"))
sys.exit(status)"""


class Failed(Exception):
    pass


def statements(path):
    text, first = "", 0
    for n, line in enumerate(open(path, encoding="utf-8"), 1):
        text, first = text + line, first or n
        try:
            words = shlex.split(text, comments=True)
        except ValueError:  # an open quotation goes on in the next line
            continue
        if words:
            yield first, words
        text, first = "", 0
    if text:
        raise ValueError("%s:%d: open quotation" % (path, first))


def need(ok, why):
    if not ok:
        raise Failed(why)


def unescape(text):
    return text.encode("utf-8").decode("unicode_escape").encode("latin-1") if "\\" in text else text.encode()


def dig(doc, path):
    for key in path.split("."):
        if isinstance(doc, list):
            doc = doc[int(key)] if int(key) < len(doc) else None
        elif isinstance(doc, dict):
            doc = doc.get(key)
        else:
            return None
    return doc


class Case:
    def __init__(self, folder, opts):
        self.folder, self.opts = folder, opts
        self.name = os.path.relpath(folder, HERE)
        self.lines = list(statements(os.path.join(folder, "expect")))

    def all(self, word):
        return [w[1:] for _, w in self.lines if w[0] == word]

    def one(self, word, default=None):
        found = self.all(word)
        return found[-1][0] if found else default

    def run(self):
        with tempfile.TemporaryDirectory(prefix="cooper-case-") as tmp:
            self.dir = os.path.join(tmp, "case")
            self.out = os.path.join(tmp, "out")
            self.layout = os.path.join(tmp, "layout")
            shutil.copytree(self.folder, self.dir, symlinks=True)
            os.mkdir(self.out)
            self.outside = os.path.join(tmp, "outside")
            os.mkdir(self.outside)
            with open(os.path.join(self.outside, "sentinel"), "w", encoding="utf-8") as f:
                f.write("safe")
            self.environ = dict(os.environ, CASE=self.dir, OUT=self.out, LAYOUT=self.layout, COOPER=self.opts.cooper,
                                OUTSIDE=self.outside, PYTHONPATH=os.path.join(HERE, "..", "lib"))
            servers = [serve(os.path.join(self.dir, d), self.out + ".requests") for d, in self.all("serve")]
            if servers:
                self.environ["URL"] = servers[0].url
                self.environ["HOSTPORT"] = servers[0].url[len("http://"):]
            reports = os.path.join(tmp, "sanitizer")
            self.environ["ASAN_OPTIONS"] = self.environ["UBSAN_OPTIONS"] = "log_path=" + reports
            try:
                self.run_all()
                for report in glob.glob(reports + ".*"):  # of programs that checks start, too
                    raise Failed(open(report, encoding="utf-8", errors="replace").read())
            finally:
                for server in servers:
                    server.shutdown()
                    server.server_close()

    def run_all(self):
        for setup in self.all("setup"):
            self.shell(" ".join(setup))
        before = self.outside_state()
        self.build()
        for n, words in self.lines:
            try:
                self.check(words)
            except Failed as e:
                raise Failed("expect:%d: %s\n%s" % (n, e, self.text))
        need(self.outside_state() == before, "something outside was changed\n%s" % self.text)

    def outside_state(self):
        state = {}
        for where, dirs, files in os.walk(self.outside):
            for name in [""] + dirs + files:
                path = os.path.join(where, name)
                st = os.lstat(path)
                data = open(path, "rb").read() if os.path.isfile(path) else b""
                state[path] = (st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns, data)
        return state

    def expand(self, text):
        return re.sub(r"\$(\w+)|\$\{(\w+)\}", lambda m: self.environ.get(m[1] or m[2], ""), text)

    def shell(self, command):
        r = subprocess.run(["bash", "-ec", command], cwd=self.dir, env=self.environ, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=120)
        need(r.returncode == 0, "%s: exit %d\n%s" % (command, r.returncode, r.stdout.decode(errors="replace")))

    def build(self):
        args = [self.expand(a) for l in self.all("args") for a in l]
        command = [self.opts.cooper, "build", "--progress=plain", "--user-policy=off"] + args
        if not any(a.startswith("--check") or a.startswith("--call") for a in args):
            command += ["-o", "type=oci,tar=false,dest=" + self.layout]
        context = self.expand(self.one("context", "."))
        environ = dict(self.environ)
        for kv in self.all("env"):
            key, _, value = kv[0].partition("=")
            environ[key] = self.expand(value)
        stdin = self.one("stdin")
        if self.all("cpu") or self.all("memory"):
            command = [sys.executable, "-S", "-c", MEASURE, self.out + ".used"] + command
        p = subprocess.Popen(command + [context], cwd=self.dir, env=environ, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT,
                             stdin=open(os.path.join(self.dir, stdin), "rb") if stdin else subprocess.DEVNULL)
        timer = threading.Timer(60, p.kill)
        timer.start()
        self.text = p.stdout.read().decode(errors="replace")
        p.wait()
        timer.cancel()
        want = int(self.one("exit", "0"))
        need(p.returncode == want, "exit status %d, not %d\n%s" % (p.returncode, want, self.text[-3000:]))
        self.image = Image(self.layout) if os.path.exists(os.path.join(self.layout, "index.json")) else None
        if self.image:
            self.image.validate()
        self.tree = self.image.tree() if self.image else {}

    def entry(self, kind, path, mode="-", owner="-"):
        e = self.tree.get(path)
        need(e, "%s: not in the image" % path)
        need(e.kind == kind, "%s: is a %s, not a %s" % (path, e.kind, kind))
        need(mode == "-" or e.mode == int(mode, 8), "%s: mode %04o, not %s" % (path, e.mode, mode))
        need(owner == "-" or owner == "%d:%d" % (e.uid, e.gid), "%s: owner %d:%d, not %s" % (path, e.uid, e.gid, owner))
        return e

    def check(self, words):
        check = getattr(self, "check_" + words[0].replace("-", "_"), None)
        if check:
            check(*words[1:])
        else:
            need(words[0] in ("args", "env", "context", "stdin", "setup", "serve", "exit", "no-oracle", "no-docker",
                              "no-buildah", "no-sanitizer", "needs-root",
                              "no-sandbox"),
                 "unknown statement %s" % words[0])

    def used(self):
        return [float(x) for x in open(self.out + ".used", encoding="utf-8").read().split()]

    def check_cpu(self, seconds):
        used = self.used()[0]
        need(used <= float(seconds), "%.2f s of processor time" % used)

    def check_memory(self, megabytes):
        used = self.used()[1]
        need(used <= float(megabytes), "%.0f MB of memory" % used)

    def check_output(self, text):
        need(text in self.text, "output lacks %r" % text)

    def check_no_output(self, text):
        need(text not in self.text, "output has %r" % text)

    def check_file(self, path, mode="-", owner="-", content=None):
        e = self.entry("file", path, mode, owner)
        need(content is None or e.data == unescape(content), "%s: content is %r" % (path, e.data[:300]))

    def check_dir(self, path, mode="-", owner="-"):
        self.entry("dir", path, mode, owner)

    def check_link(self, path, target):
        e = self.entry("link", path)
        need(e.target == target, "%s: leads to %s" % (path, e.target))

    def check_char(self, path, dev):
        need("%d,%d" % self.entry("char", path).dev == dev, "%s: other device" % path)

    def check_block(self, path, dev):
        need("%d,%d" % self.entry("block", path).dev == dev, "%s: other device" % path)

    def check_fifo(self, path):
        self.entry("fifo", path)

    def check_absent(self, path):
        need(path not in self.tree, "%s: is in the image" % path)

    def check_same(self, a, b):
        need(a in self.tree and b in self.tree, "%s or %s is missing" % (a, b))
        need(self.tree[a].inode is self.tree[b].inode, "%s and %s are not hard links" % (a, b))

    def check_mtime(self, path, seconds):
        need(path in self.tree, "%s: not in the image" % path)
        need(self.tree[path].mtime == int(seconds), "%s: mtime %d" % (path, self.tree[path].mtime))

    def check_xattr(self, path, name, value):
        need(path in self.tree, "%s: not in the image" % path)
        got = self.tree[path].xattrs.get(name)
        need(got is not None and got.hex() == value, "%s: %s is %s" % (path, name, got and got.hex()))

    def check_config(self, path, value):
        got = dig(self.image.config, path)
        need(got == json.loads(value), "%s is %s" % (path, json.dumps(got)))

    def check_no_config(self, path):
        got = dig(self.image.config, path)
        need(got is None, "%s is %s" % (path, json.dumps(got)))

    def check_history(self, number, path, text):
        history = self.image.config.get("history") or []
        got = dig(history[int(number)], path)
        need(text in (got if isinstance(got, str) else json.dumps(got)), "history %s %s is %r" % (number, path, got))

    def check_layers(self, n):
        have = len(self.image.manifest["layers"])
        need(have == int(n), "%d layers" % have)

    def check_members(self, n, *names):
        have = self.image.members(int(n))
        need(have == list(names), "layer %s holds %s" % (n, have))

    def check_check(self, *command):
        self.shell(" ".join(command))


def guarded(case):
    try:
        case.run()
        return None
    except Failed as e:
        return str(e)
    except Exception as e:  # a broken image or case is a failure of that case only
        return "%s: %s\n%s" % (type(e).__name__, e, getattr(case, "text", ""))


def sandbox_of(opts):
    """What builds of this user have; "single" is a user namespace with one id."""
    if opts.sandbox:
        return opts.sandbox
    found = subprocess.run([opts.cooper, "doctor", "--json"], stdout=subprocess.PIPE, check=False)
    doctor = json.loads(found.stdout)
    answer = {row["name"]: row.get("answer", "") for row in doctor["rows"]}[doctor["sandbox"]]
    return "single" if "with one id" in answer else doctor["sandbox"]


def base_image(opts):
    """The image that cases build on: one static program, in the store of this run."""
    busybox = shutil.which("busybox")
    with tempfile.TemporaryDirectory() as tmp:
        shutil.copy(os.path.join(HERE, "..", "..", "testdata", "base", "Dockerfile"), tmp)
        shutil.copy(busybox, os.path.join(tmp, "busybox"))
        subprocess.run([opts.cooper, "build", "-q", "--user-policy=off", "-t", "base", tmp], check=True,
                       stdout=subprocess.DEVNULL)


def with_sandbox(tmp, opts):
    """A program that gives each build the flag, those that cases start themselves too."""
    path = os.path.join(tmp, "cooper")
    with open(path, "w", encoding="utf-8") as f:
        f.write('#!/bin/sh\n[ "$1" != build ] || { shift; set -- build --sandbox=%s "$@"; }\nexec %s "$@"\n'
                % (opts.sandbox, shlex.quote(opts.cooper)))
    os.chmod(path, 0o755)
    return path


def main():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("--cooper", default=os.path.join(HERE, "..", "..", "build", "cooper"))
    p.add_argument("--sandbox")
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    p.add_argument("parts", nargs="*")
    opts = p.parse_args()
    opts.cooper = os.path.abspath(opts.cooper)
    folders = sorted(d for d, _, files in os.walk(HERE) if "expect" in files)
    sanitized = b"__asan_init" in open(opts.cooper, "rb").read()
    cases = [Case(f, opts) for f in folders if not opts.parts or any(part in f for part in opts.parts)]
    if sanitized:
        cases = [c for c in cases if not c.all("no-sanitizer")]
    chosen = len(cases)
    if os.geteuid() != 0:
        cases = [c for c in cases if not c.all("needs-root")]
    sandbox = sandbox_of(opts)
    without = {sandbox, "emulated"} if sandbox == "chroot" else {sandbox}  # the interposer is in both
    cases = [c for c in cases if not without & {w[0] for w in c.all("no-sandbox")}]
    failed = 0
    with tempfile.TemporaryDirectory(prefix="cooper-cases-", ignore_cleanup_errors=True) as store:
        os.environ["COOPER_ROOT"] = os.path.join(store, "store")
        if opts.sandbox:
            opts.cooper = with_sandbox(store, opts)
        base_image(opts)
        with concurrent.futures.ThreadPoolExecutor(opts.jobs) as pool:
            for case, why in zip(cases, pool.map(guarded, cases)):
                if why:
                    failed += 1
                    print("not ok %s\n    %s" % (case.name, why.rstrip().replace("\n", "\n    ")), flush=True)
        subprocess.run(["chmod", "-R", "u+rwx", store], stderr=subprocess.DEVNULL)
        if os.geteuid() != 0:  # what belongs to subordinate ids
            subprocess.run(["unshare", "--user", "--map-root-user", "--map-auto", "rm", "-rf",
                            os.path.join(store, "store")], stderr=subprocess.DEVNULL)
    print("%d passed, %d failed, %d not for this user or sandbox (%s)"
          % (len(cases) - failed, failed, chosen - len(cases), sandbox))
    return 1 if failed or not cases else 0


sys.exit(main())
