#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""CPython's own tests inside a RUN step: what fails there and not in a container.

The same modules run natively, in a container with Docker's capabilities on the same tree, as root and as a user,
and in a step in each environment. A test that fails in a step and not natively is a failure, unless KNOWN has it
with the reason.
"""
import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time

import bases
import environments
from environments import Environment

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = ["test_" + n for n in ("os", "posix", "posixpath", "shutil", "pathlib", "tempfile", "stat", "glob", "signal", "threading",
                                 "pty", "select", "tarfile", "subprocess", "socket")]
# one for each sandbox; --all adds the other places of userns and the random uid
SOME, MORE = ["root", "docker", "restricted"], ["range", "single", "random"]
ACCOUNTS = {"root": 0, "app": 1000}
# (environment, account or None, test): the reason, see docs/sandbox.md
KNOWN = {}


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except FileNotFoundError:
        return ""


class Run:
    """What one run of the modules said: {(module, test): "passed"|"failed"|"skipped"}, {module: why it did not end}."""

    def __init__(self, folder, modules):
        self.tests, self.text, self.dead = {}, {}, {}
        for module in modules:
            log = read(os.path.join(folder, module + ".log"))
            for line in read(os.path.join(folder, module + ".json")).splitlines():
                state, test, text = json.loads(line)
                test = test.replace("test.%s." % module, "")
                # a test with subtests is listed more than once
                if self.tests.get((module, test)) != "failed":
                    self.tests[module, test] = state
                if state == "failed":
                    self.text[test] = text
            if "Tests result:" not in log:
                self.dead[module] = "\n".join(log.splitlines()[-15:]) or "did not run"

    def count(self, module, state):
        return sum(1 for (m, _), s in self.tests.items() if m == module and s == state)

    def failed(self):
        return {t for t, s in self.tests.items() if s == "failed"}


class Runner:
    def __init__(self, o):
        self.o = o
        self.work = bases.work_folder(o.work, "cpython")
        self.input = os.path.join(self.work, "in")

    def results(self, name, account):
        folder = os.path.join(self.work, "results", "%s-%s" % (name, account))
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        return folder

    def native(self, account):
        """On the same tree, in a container."""
        before = os.path.join(self.work, "results", "native-" + account)
        if self.o.keep and os.path.isdir(before):
            return before
        root = os.path.join(self.work, "native-" + account)
        shutil.rmtree(root, ignore_errors=True)
        os.makedirs(root)
        export = subprocess.Popen([os.path.join(self.input, "cooper"), "export", "--root", os.path.join(self.work, "store"),
                                   "matrix/cpython"], stdout=subprocess.PIPE)
        subprocess.run(["tar", "x", "-C", root, "--numeric-owner", "--xattrs", "--xattrs-include=*"], stdin=export.stdout, check=True)
        export.wait()
        shutil.copy(os.path.join(self.input, "dockerfiles/full/cpython/run.py"), root)
        with open(os.path.join(root, "etc/hosts"), "w", encoding="ascii") as f:
            f.write("127.0.0.1 localhost job\n::1 localhost ip6-localhost\n")
        uid = ACCOUNTS[account]
        home = "HOME=/root" if uid == 0 else "HOME=/home/" + account
        argv = [environments.CONTAINER, "docker" if uid == 0 else "restricted", "--root", root, "--uid", str(uid), "--env", home, "--",
                "python3", "/run.py", ",".join(self.o.modules)]
        folder = self.results("native", account)
        with open(os.path.join(folder, "job.log"), "wb") as log:
            subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, check=False)
        for name in os.listdir(os.path.join(root, "results")):
            shutil.copy(os.path.join(root, "results", name), folder)
        shutil.rmtree(root)
        return folder

    def step(self, env, account):
        """In a step of a build there."""
        out = os.path.join(self.work, env.name)
        os.makedirs(out, exist_ok=True)
        os.chown(out, *env.owner())
        flags = "--no-cache --build-arg ACCOUNT=%s --build-arg MODULES=%s -o type=tar,dest=%s/results.tar" % (
            account, ",".join(self.o.modules), out)
        argv = env.command(os.path.join(self.o.cache, "rootfs"), [(self.input, False), (out, True)],
                           {"BUILD_FLAGS": flags, "STEP_TIMEOUT": "20m"},
                           ["sh", os.path.join(self.input, "inside.sh"), self.input, out, "full/cpython"])
        folder = self.results(env.name, account)
        with open(os.path.join(folder, "job.log"), "wb") as log:
            subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)
        shutil.copy(os.path.join(out, "cpython.log"), folder)
        try:
            with tarfile.open(os.path.join(out, "results.tar")) as t:
                for m in t:
                    if m.isfile():
                        with open(os.path.join(folder, os.path.basename(m.name)), "wb") as f:
                            f.write(t.extractfile(m).read())
            os.unlink(os.path.join(out, "results.tar"))
        except (OSError, tarfile.TarError) as e:
            print("%s: %s" % (env.name, e), file=sys.stderr)
        return folder

    def prepare(self):
        bases.prepare(self.input, self.o.cooper, self.o.cache, ["cpython"])
        subprocess.run([os.path.join(self.input, "cooper"), "load", "--root", os.path.join(self.work, "store"), "-q", "-i",
                        os.path.join(self.input, "installed", "cpython")], check=True, stdout=subprocess.DEVNULL)


def report(name, account, seconds, run, native, modules):
    """Prints a row per module; the names of what failed here only and is not known."""
    print("\n%s, %s (%.0f s)" % (name, account, seconds))
    wrong = []
    for module in modules:
        row = [run.count(module, s) for s in ("passed", "failed", "skipped")]
        print("  %-16s %4d passed %3d failed %4d skipped" % (module, *row), end="")
        if module in run.dead:
            print("  did not end", end="")
            if not native or module not in native.dead:
                wrong.append((module, run.dead[module]))
        print()
        for m, test in sorted(run.failed()):
            if m != module:
                continue
            known = KNOWN.get((name, account, test)) or KNOWN.get((name, None, test))
            if native and native.tests.get((m, test)) == "failed":
                print("      %s: natively too" % test)
            elif native and known:
                print("      %s: %s" % (test, known))
            else:
                print("      %s" % test)
                wrong += [(test, run.text[test])] if native else []
        if native:
            fewer = [t for (m, t), s in run.tests.items() if m == module and s == "skipped" and native.tests.get((m, t)) == "passed"]
            for test in sorted(fewer):
                print("      %s: skipped here only" % test)
    return [(name, account, test, text) for test, text in wrong]


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--cooper", default=os.path.join(HERE, "../../build/cooper"))
    p.add_argument("--cache", default=os.environ.get("COOPER_MATRIX_CACHE", "/var/tmp/cooper-matrix-cache"))
    p.add_argument("--work", help="keep results here")
    p.add_argument("--keep", action="store_true", help="do not run natively again what has results in --work")
    p.add_argument("-m", "--modules", nargs="+", default=MODULES)
    p.add_argument("-a", "--accounts", nargs="+", default=list(ACCOUNTS))
    p.add_argument("-j", "--jobs", type=int, default=2)
    p.add_argument("--all", action="store_true", help="in every environment, not only one for each sandbox")
    p.add_argument("environments", nargs="*")
    o = p.parse_args()
    o.environments = o.environments or SOME + (MORE if o.all else [])
    r = Runner(o)
    environments.users_make()
    wrong = []
    try:
        r.prepare()
        native = {}

        def timed(f, *a):
            start = time.time()
            folder = f(*a)
            return time.time() - start, Run(folder, o.modules)

        with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
            runs = {("native", a): pool.submit(timed, r.native, a) for a in o.accounts}

            def all_accounts(name):
                return [timed(r.step, Environment(name), a) for a in o.accounts]
            steps = {name: pool.submit(all_accounts, name) for name in o.environments}
            for (_, account), future in runs.items():
                seconds, native[account] = future.result()
                report("native", account, seconds, native[account], None, o.modules)
            for name, future in steps.items():
                for account, (seconds, run) in zip(o.accounts, future.result()):
                    wrong += report(name, account, seconds, run, native[account], o.modules)
    finally:
        if not o.work:
            shutil.rmtree(r.work, ignore_errors=True)
            environments.users_remove()
    print("\n%d tests fail in a step only" % len(wrong))
    for name, account, test, text in wrong:
        print("\n%s, %s: %s\n%s" % (name, account, test, "\n".join("    " + line for line in text.splitlines()[-12:])))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
