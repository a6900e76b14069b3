#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Attacks, in every sandbox and environment: whatever they try, the sentinel and the builder's secrets are unharmed.

Each file in rows/ is an attack: a Dockerfile, or with the ending .sh a script that uses $BUILD. OUT in it is a folder
outside of every root, with a file `sentinel` and a socket; ABSTRACT the name of an abstract one. It never may take longer
than a minute, print or store what is in the sentinel or in the builder's environment, say LEAK, or change anything in OUT.
Comments in it say more:

    # expect: builds|fails|any      how the build must end
    # flags: --pids=64              more for the command line
    # each: A | B C | D             one attack for each, which stands for EACH
    # context: ln -s OUT x          a shell command that fills the build context
    # reports: mount ptrace         what must be reported as blocked (docs/events.md); "nothing": no attempt at all
    # reports in chroot emulated: signal      in these sandboxes or environments only
    # not in restricted: why        where it cannot be tried
"""
import argparse
import concurrent.futures
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "../..")
sys.path.insert(0, os.path.join(HERE, "../env"))
import environments  # noqa: E402
from environments import Environment  # noqa: E402

CANARY = b"CANARY-3f9a"
# the name of the sentinel's user must not appear, nor its text
SENTINEL = b"token:x:0:0:SENTINEL-77c1:/:/bin/sh\n"
ENVIRONMENTS = ["root", "docker", "restricted", "root-chroot", "root-emulated", "range", "single"]
# one for each sandbox: the others have the first case of each attack only
THOROUGH = ["root", "docker", "restricted"]


def leaks(archive):
    """Does the secret or the sentinel lie in a layer?"""
    found = []
    if not os.path.exists(archive):
        return found
    with tarfile.open(archive) as image:
        for member in image:
            if not member.isfile() or not member.name.startswith("blobs/"):
                continue
            data = image.extractfile(member).read()
            if data[:2] == b"\x1f\x8b":
                data = subprocess.run(["gzip", "-dc"], input=data, capture_output=True, check=False).stdout
            found += [w.decode() for w in (CANARY, b"SENTINEL-77c1") if w in data]
    return found


class Attack:
    """One attack: a file of rows/, for one value of EACH."""

    def __init__(self, row, text, number=None):
        self.number = number
        self.name = row if number is None else "%s.%d" % (row, number)
        self.script = row.endswith(".sh")
        self.text = text
        self.expect = self.comment("expect") or ["builds" if self.script else "any"]
        self.flags = self.comment("flags")
        self.context = self.comment("context")

    def comment(self, key):
        return re.findall(r"(?m)^# %s: (.*)$" % key, self.text)

    def absent(self, env):
        return any(env.name in names.split() for names, _ in re.findall(r"(?m)^# not in ([^:]+): (.*)$", self.text))

    def reports(self, env):
        """What must be reported there."""
        out = set(" ".join(self.comment("reports")).split())
        for places, what in re.findall(r"(?m)^# reports in ([^:]+): (.*)$", self.text):
            if {env.sandbox, env.name} & set(places.split()):
                out |= set(what.split())
        return out

    def write(self, folder, outside, abstract):
        text = self.text.replace("OUT", outside).replace("ABSTRACT", abstract)
        folder = os.path.join(folder, self.name)
        context = os.path.join(folder, "context")
        os.makedirs(context)
        with open(os.path.join(folder, "flags"), "w", encoding="utf-8") as f:
            f.write(" ".join(self.flags))
        with open(os.path.join(folder, "run.sh") if self.script else os.path.join(context, "Dockerfile"), "w",
                  encoding="utf-8") as f:
            f.write(text)
        for command in self.context:
            subprocess.run(["sh", "-c", command.replace("OUT", outside)], cwd=context, check=True)

    def judge(self, env, out):
        """What is wrong, and the end of the log."""
        base = os.path.join(out, self.name)
        try:
            with open(base + ".log", "rb") as f:
                log = f.read()
            with open(base + ".status", encoding="ascii") as f:
                status, seconds = [int(n) for n in f.read().split()]
            with open(base + ".outside", "rb") as f:
                outside = f.read()
        except (FileNotFoundError, ValueError):
            return ["was not carried out"]
        wrong = []
        # what the Dockerfile itself says is echoed in step names, errors and command lines
        said = re.sub(rb"(?m)^(#\d+ \[.*|#\d+ blocked: .*|.*error: .*| +\d+ \| .*)$", b"", log)
        if seconds >= (120 if self.script else 60):
            wrong.append("did not end")
        elif status >= 126 and status != 130:
            wrong.append("the builder died: %d" % status)
        if self.expect[0] != "any" and (status == 0) != (self.expect[0] == "builds"):
            wrong.append("ended with %d, expected: %s" % (status, self.expect[0]))
        wrong += ["the output has " + w.decode() for w in (CANARY, b"SENTINEL-77c1", b"LEAK") if w in said]
        if not self.script and (re.search(rb"[\x00-\x08\x0b-\x0c\x0e-\x1f]", said) or re.search(rb"(?m)^(::|##vso)", said)):
            wrong.append("the output has control characters or commands")
        wrong += ["the image has " + w for w in leaks(base + ".tar")]
        if outside != b"sentinel\nsocket\n" + SENTINEL:
            wrong.append("OUT was changed: %r" % outside[:300])
        told = set(re.findall(r"(?m)^#\d+ blocked: (?:\d+ )?(\w[\w-]*)", log.decode(errors="replace")))
        wanted = self.reports(env)
        if "nothing" in wanted:
            wrong += ["reported: " + w for w in sorted(told)]
        else:
            wrong += ["not reported: " + w for w in sorted(wanted - told)]
        return wrong + [log.decode(errors="replace")[-1500:]] if wrong else []


def attacks(names):
    out = []
    for row in names or sorted(os.listdir(os.path.join(HERE, "rows"))):
        with open(os.path.join(HERE, "rows", row), encoding="utf-8") as f:
            text = f.read()
        each = re.search(r"(?m)^# each: (.*)$", text)
        if not each:
            out.append(Attack(row, text))
            continue
        for i, value in enumerate(each.group(1).split("|")):
            out.append(Attack(row, text.replace(each.group(0), "").replace("EACH", value.strip()), i))
    return out


class Suite:
    def __init__(self, o):
        self.o = o
        self.work = tempfile.mkdtemp(prefix="cooper-attack-", dir="/var/tmp")
        os.chmod(self.work, 0o755)
        self.abstract = "cooper-attack-%d" % os.getpid()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind("\0" + self.abstract)
        self.listener.listen(64)

    def prepare(self):
        base = os.path.join(self.work, "base")
        os.mkdir(base)
        shutil.copy(self.o.cooper, self.work)
        shutil.copy(shutil.which("busybox"), base)
        subprocess.run(["cc", "-O2", "-static", "-o", os.path.join(base, "try"), os.path.join(HERE, "try.c")], check=True)
        shutil.copy(os.path.join(HERE, "attack.sh"), self.work)
        with open(os.path.join(TOP, "testdata/base/Dockerfile"), encoding="ascii") as f:
            text = f.read()
        with open(os.path.join(self.work, "base.Dockerfile"), "w", encoding="ascii") as f:
            f.write(text.replace("CMD ", "COPY --chmod=755 try /bin/try\nCMD "))
        with open(os.path.join(self.work, "sentinel"), "wb") as f:
            f.write(SENTINEL)

    def carry_out(self, name):
        """All attacks in one environment: (environment, attacks, where the results are, seconds)."""
        env = Environment(name)
        every = self.o.every or self.o.rows or name in THOROUGH
        todo = [a for a in attacks(self.o.rows) if not a.absent(env) and (every or not a.number)]
        into, out = os.path.join(self.work, "in-" + name), os.path.join(self.work, name)
        outside = os.path.join(out, "outside")
        shutil.copytree(self.work, into, ignore=lambda d, names: [n for n in names if n.startswith("in-") or n in ENVIRONMENTS])
        os.makedirs(outside)
        for a in todo:
            a.write(os.path.join(into, "rows"), outside, self.abstract)
        with socket.socket(socket.AF_UNIX) as trap:
            trap.bind(os.path.join(outside, "socket"))
            trap.listen(64)
            for path in (out, outside, os.path.join(outside, "socket")):
                os.chown(path, *env.owner())
                os.chmod(path, 0o777)
            start = time.time()
            argv = env.command(os.path.join(self.o.cache, "rootfs"), [(into, False), (out, True)], {},
                               ["sh", os.path.join(into, "attack.sh"), into, out] + [a.name for a in todo])
            with open(os.path.join(out, "job.log"), "wb") as log:
                try:
                    subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=self.o.timeout, check=False)
                except subprocess.TimeoutExpired:
                    log.write(b"the environment did not end in time\n")
        return env, todo, out, time.time() - start

    def run(self):
        failures = 0
        self.prepare()
        with open(self.o.cooper, "rb") as f:
            program = f.read()
        with concurrent.futures.ThreadPoolExecutor(self.o.jobs) as pool:
            for env, todo, out, seconds in pool.map(self.carry_out, self.o.environments):
                bad = 0
                for a in todo:
                    wrong = a.judge(env, out)
                    bad += bool(wrong)
                    if wrong:
                        print("FAIL %s in %s: %s" % (a.name, env.name, "\n     ".join(wrong)), flush=True)
                with open(os.path.join(self.work, "in-" + env.name, "cooper"), "rb") as f:
                    if f.read() != program:
                        print("FAIL in %s: the builder's program was changed" % env.name)
                        bad += 1
                if bad == len(todo):
                    with open(os.path.join(out, "job.log"), encoding="utf-8", errors="replace") as f:
                        print(f.read()[-2000:])
                print("%-14s %-9s %3d attacks, %d came through (%.0f s)" % (env.name, env.sandbox, len(todo), bad, seconds), flush=True)
                failures += bad
        return failures


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--cooper", default=os.path.join(TOP, "build/cooper"))
    p.add_argument("--cache", default=os.environ.get("COOPER_MATRIX_CACHE", "/var/tmp/cooper-matrix-cache"))
    p.add_argument("-e", "--environment", action="append", dest="environments", help="default: " + " ".join(ENVIRONMENTS))
    p.add_argument("-j", "--jobs", type=int, default=2)
    p.add_argument("--timeout", type=int, default=900, help="seconds per environment")
    p.add_argument("--every", action="store_true", help="every case of every attack in every environment")
    p.add_argument("--keep", action="store_true", help="leave the results")
    p.add_argument("rows", nargs="*")
    o = p.parse_args()
    o.environments = o.environments or ENVIRONMENTS
    environments.users_make()
    subprocess.run(["bash", "-c", ". tests/env/cache.sh && make_cache"], cwd=TOP, env=dict(os.environ, COOPER_MATRIX_CACHE=o.cache), check=True)
    suite = Suite(o)
    try:
        failures = suite.run()
    finally:
        if not o.keep:
            shutil.rmtree(suite.work, ignore_errors=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
