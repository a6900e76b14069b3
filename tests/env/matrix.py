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
import time

import bases
import environments
import tree
from environments import Environment

HERE = os.path.dirname(os.path.abspath(__file__))
SMALL = ["owners", "far", "user", "nodes", "links", "files", "whiteouts", "shell"]
DISTRIBUTION = ["debian", "apt", "sudo"]
HEAVY = ["full/" + n for n in ("postgres", "go", "node", "python", "gcc")]
DISTRIBUTION_IN = ["root", "range", "single", "docker", "restricted", "remapped"]
HEAVY_IN = ["root", "range", "single", "docker", "restricted", "random"]
LACKING = [e + "+" + m for m in environments.MISSING for e in ("root", "docker", "restricted")
           if m != "no-mount-api" or e == "root"]

# what an environment cannot hold, and why (docs/sandbox.md)
LIMITS = {(e, "sudo"): "set-id programs need no_new_privs off, which takes SYS_ADMIN" for e in ("docker", "docker-ro", "remapped", "root-chroot")}


class Matrix:
    def __init__(self, o):
        self.o = o
        self.work = bases.work_folder(o.work, "matrix")
        self.input = os.path.join(self.work, "in")
        self.failures = []
        self.varying = {}

    def prepare(self):
        wanted = {n for e in self.o.environments for n in self.names_of(Environment(e))}
        workloads = sorted(os.path.basename(n) for n in wanted if n.startswith("full/") and not self.o.install)
        bases.prepare(self.input, self.o.cooper, self.o.cache, workloads)

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

    def tree(self, out, name):
        """What the image of a build unpacks to."""
        short = os.path.basename(name)
        archive = os.path.join(out, short + ".tar")
        if not os.path.exists(archive):
            subprocess.run([os.path.join(self.input, "cooper"), "save", "--root", os.path.join(out, "store"), "--format", "oci", "-q",
                            "-o", archive, "matrix/out/" + short], check=True, stdout=subprocess.DEVNULL)
        found = tree.read(archive)
        os.unlink(archive)
        return found

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
            self.varying[name] = set(tree.differing(self.tree(first, name), self.tree(out, name)))
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
        a, b = self.tree(first, name), self.tree(out, name)
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
        if env.name in DISTRIBUTION_IN:
            names += DISTRIBUTION
        if env.name in HEAVY_IN and self.o.heavy:
            names += HEAVY
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
    p.add_argument("--no-heavy", dest="heavy", action="store_false", help="without the workloads of dockerfiles/full")
    p.add_argument("--install", action="store_true",
                   help="each environment installs the packages of the workloads itself, instead of all taking what root installed")
    p.add_argument("-j", "--jobs", type=int, default=2)
    p.add_argument("--timeout", type=int, default=1800, help="seconds per environment")
    p.add_argument("-d", "--dockerfiles", nargs="+")
    p.add_argument("environments", nargs="*")
    o = p.parse_args()
    if not o.environments:
        o.environments = list(environments.PLAIN) + list(environments.FORCED) + LACKING
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
