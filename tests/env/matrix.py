#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Build the same Dockerfiles in every environment and compare what comes out.

The first environment is the measure. Manifest digests must be equal; where a Dockerfile's own commands
write something else each time, the trees are compared, and only paths that also differ between two runs
in the first environment may differ: they are listed.
"""
import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import environments
import tree
from environments import Environment

HERE = os.path.dirname(os.path.abspath(__file__))
SMALL = ["owners", "user", "nodes", "links", "files", "whiteouts", "shell"]
DISTRIBUTION = ["debian", "apt", "sudo"]
HEAVY = ["full/" + n for n in ("postgres", "go", "node", "python", "gcc")]
LACKING = [e + "+" + m for m in environments.MISSING for e in ("root", "docker", "restricted")
           if m != "no-mount-api" or e == "root"]

# what an environment cannot hold, and why (docs/sandbox.md)
LIMITS = {(e, "sudo"): "set-id programs need no_new_privs off, which takes SYS_ADMIN" for e in ("docker", "docker-ro", "root-chroot")}


class Matrix:
    def __init__(self, o):
        self.o = o
        self.work = o.work or tempfile.mkdtemp(prefix="cooper-matrix-", dir="/var/tmp")
        os.makedirs(self.work, exist_ok=True)
        os.chmod(self.work, 0o755)
        self.input = os.path.join(self.work, "in")
        self.failures = []
        self.varying = {}

    def prepare(self):
        shutil.rmtree(self.input, ignore_errors=True)
        os.makedirs(os.path.join(self.input, "busybox"))
        os.makedirs(os.path.join(self.input, "debian"))
        shutil.copy(self.o.cooper, os.path.join(self.input, "cooper"))
        shutil.copy(shutil.which("busybox"), os.path.join(self.input, "busybox", "busybox"))
        shutil.copy(os.path.join(HERE, "../../testdata/base/Dockerfile"), os.path.join(self.input, "busybox.Dockerfile"))
        shutil.copy(os.path.join(HERE, "inside.sh"), self.input)
        shutil.copytree(os.path.join(HERE, "dockerfiles"), os.path.join(self.input, "dockerfiles"))
        os.link(os.path.join(self.o.cache, "debian.tar"), os.path.join(self.input, "debian", "debian.tar"))
        with open(os.path.join(self.input, "debian.Dockerfile"), "w", encoding="ascii") as f:
            f.write('FROM scratch\nADD debian.tar /\nCMD ["bash"]\n')
        for top, dirs, files in os.walk(self.input):
            for n in dirs + files:
                path = os.path.join(top, n)
                os.chmod(path, 0o755 if os.path.isdir(path) or os.access(path, os.X_OK) else 0o644)

    def build(self, env, names, again=""):
        """Builds names in env; the folder with the results."""
        out = os.path.join(self.work, env.name + again)
        shutil.rmtree(out, ignore_errors=True)
        os.makedirs(out)
        os.chown(out, *env.owner())
        variables = {"BUILD_FLAGS": "--no-cache" if again else ""}
        argv = env.command(os.path.join(self.o.cache, "rootfs"), [(self.input, False), (out, True)], variables,
                           ["sh", os.path.join(self.input, "inside.sh"), self.input, out] + names)
        start = time.time()
        with open(os.path.join(out, "job.log"), "wb") as log:
            try:
                subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=self.o.timeout, check=False)
            except subprocess.TimeoutExpired:
                log.write(b"the environment did not end in time\n")
        return out, time.time() - start

    def result(self, out, name):
        """(digest or None, last lines of the log)"""
        short = os.path.basename(name)

        def text(suffix):
            try:
                with open(os.path.join(out, short + suffix), encoding="utf-8", errors="replace") as f:
                    return f.read()
            except FileNotFoundError:
                return ""
        if text(".status").strip() == "0" and text(".digest"):
            return text(".digest").strip(), ""
        log = text(".log") or "not built; see %s/*.log\n" % out
        return None, "".join("        " + line + "\n" for line in log.splitlines()[-12:])

    def fail(self, env, name, text):
        self.failures.append((env.name, name))
        print("FAIL %s: %s\n%s" % (env.name, name, text), end="", flush=True)

    def native_differences(self, name, first):
        """Paths that two runs in the first environment write differently."""
        if name not in self.varying:
            base = Environment(self.o.environments[0])
            out, _ = self.build(base, [name], "-again-" + os.path.basename(name))
            if self.result(out, name)[0] is None:
                return set()
            short = os.path.basename(name) + ".tar"
            self.varying[name] = set(tree.differing(tree.read(os.path.join(first, short)), tree.read(os.path.join(out, short))))
        return self.varying[name]

    def compare(self, env, out, first, name):
        mine, log = self.result(out, name)
        wanted, _ = self.result(first, name)
        if mine is None and (env.plain_name, name) in LIMITS:
            return "limit (%s)" % LIMITS[env.plain_name, name]
        if mine is None:
            self.fail(env, name, log)
            return "FAILED"
        if mine == wanted or wanted is None:
            return "same" if wanted else "alone"
        allowed = self.native_differences(name, first)
        short = os.path.basename(name) + ".tar"
        a, b = tree.read(os.path.join(first, short)), tree.read(os.path.join(out, short))
        wrong = [p for p in tree.differing(a, b) if p not in allowed]
        if not wrong and allowed:
            return "tree"
        lines = ["        %s\n          %s\n          %s\n" % (p, a.get(p), b.get(p)) for p in wrong[:10]]
        self.fail(env, name, "".join(lines) or "        the trees are equal, the digests are not\n")
        return "DIFFERS"

    def names_of(self, env):
        if self.o.dockerfiles:
            return self.o.dockerfiles
        if env.without:
            return ["owners", "user", "links", "whiteouts"]
        names = list(SMALL)
        if env.name in self.o.distribution:
            names += DISTRIBUTION + (HEAVY if self.o.full else [])
        return names

    def doctor(self, env):
        """The sandbox a build chooses must be the one this environment is meant to show."""
        if env.flags or env.without:
            return
        argv = env.command(os.path.join(self.o.cache, "rootfs"), [(self.input, False)], {"COOPER_ROOT": "/nowhere"},
                           [os.path.join(self.input, "cooper"), "doctor", "--json"])
        said = subprocess.run(argv, capture_output=True, check=False)
        try:
            chosen = json.loads(said.stdout)["sandbox"]
        except ValueError:
            chosen = said.stdout + said.stderr
        if chosen != env.sandbox:
            self.fail(env, "doctor", "        chose %s, not %s\n" % (chosen, env.sandbox))

    def run_one(self, name):
        env = Environment(name)
        self.doctor(env)
        names = self.names_of(env)
        return env, names, self.build(env, names)

    def run(self):
        self.prepare()
        print("%-22s %6s  %s" % ("environment", "time", "Dockerfiles"), flush=True)
        first = None
        with concurrent.futures.ThreadPoolExecutor(self.o.jobs) as pool:
            for env, names, (out, seconds) in pool.map(self.run_one, self.o.environments):
                first = first or out
                said = ["%s %s" % (os.path.basename(n), self.compare(env, out, first, n)) for n in names]
                print("%-22s %5.0fs  %s" % (env.name, seconds, ", ".join(said)), flush=True)
        for name, paths in self.varying.items():
            print("%s: %d paths differ from run to run: %s" % (name, len(paths), " ".join(sorted(paths)[:60])))


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--cooper", default=os.path.join(HERE, "../../build/cooper"))
    p.add_argument("--cache", default=os.environ.get("COOPER_MATRIX_CACHE", "/var/tmp/cooper-matrix-cache"))
    p.add_argument("--work", help="keep results here")
    p.add_argument("--full", action="store_true", help="the heavy workloads too (an hour)")
    p.add_argument("-j", "--jobs", type=int, default=2)
    p.add_argument("--timeout", type=int, default=600, help="seconds per environment")
    p.add_argument("-d", "--dockerfiles", nargs="+")
    p.add_argument("environments", nargs="*")
    o = p.parse_args()
    o.distribution = ["root", "range", "single", "docker", "restricted"]
    if not o.environments:
        o.environments = list(environments.PLAIN) + list(environments.FORCED) + LACKING
    if o.full:
        o.timeout *= 12
    m = Matrix(o)
    environments.users_make()
    try:
        m.run()
    finally:
        if not o.work:
            shutil.rmtree(m.work, ignore_errors=True)
            environments.users_remove()
    print("%d failures%s" % (len(m.failures), "".join("\n  %s: %s" % f for f in m.failures)))
    return 1 if m.failures else 0


if __name__ == "__main__":
    sys.exit(main())
