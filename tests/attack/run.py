#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hostile Dockerfiles, in every sandbox: whatever they try, the sentinel and the builder's secrets are unharmed.

Each file in rows/ is a Dockerfile; OUT in it is a folder outside of every root, with a file `sentinel`. A line
`# expect: builds|fails|any` says how the build must end. It never may take longer than a minute, print or store what is
in the sentinel or in the builder's environment, say LEAK, or change anything in OUT.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "../..")
CANARY = b"CANARY-3f9a"
# the name of the sentinel's user must not appear, nor its text
SENTINEL = b"token:x:0:0:SENTINEL-77c1:/:/bin/sh\n"


def leaks(archive):
    """Does the secret or the sentinel lie in a layer?"""
    if not os.path.exists(archive):
        return []
    found = []
    with tarfile.open(archive) as image:
        for member in image:
            if not member.isfile() or not member.name.startswith("blobs/"):
                continue
            data = image.extractfile(member).read()
            if data[:2] == b"\x1f\x8b":
                data = subprocess.run(["gzip", "-dc"], input=data, capture_output=True, check=False).stdout
            found += [w for w in (b"CANARY-3f9a", b"SENTINEL-77c1") if w in data]
    return found


class Attack:
    def __init__(self, cooper, work, row):
        self.cooper, self.work, self.row = cooper, work, row
        with open(os.path.join(HERE, "rows", row), encoding="utf-8") as f:
            self.text = f.read()
        with open(cooper, "rb") as f:
            self.program = f.read()
        self.expect = re.search(r"^# expect: (\w+)", self.text, re.M).group(1)

    def run(self, sandbox):
        out = os.path.join(self.work, "outside")
        context = os.path.join(self.work, "context")
        for d in (out, context):
            shutil.rmtree(d, ignore_errors=True)
            os.makedirs(d)
        os.chmod(out, 0o777)
        with open(os.path.join(out, "sentinel"), "wb") as f:
            f.write(SENTINEL)
        os.chmod(os.path.join(out, "sentinel"), 0o666)
        with open(os.path.join(context, "Dockerfile"), "w", encoding="utf-8") as f:
            f.write(self.text.replace("OUT", out))
        archive = os.path.join(self.work, "image.tar")
        if os.path.exists(archive):
            os.remove(archive)
        env = dict(os.environ, CANARY_TOKEN=CANARY.decode(), COOPER_ROOT=os.path.join(self.work, "store"))
        try:
            got = subprocess.run([self.cooper, "build", "--progress=plain", "--no-cache", "--user-policy=off",
                                  "--sandbox=" + sandbox, "--timeout=30s", "--secret", "id=canary,env=CANARY_TOKEN",
                                  "-o", "type=oci,dest=" + archive, context], env=env, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            return ["did not end"]
        return self.judge(got, out, archive)

    def judge(self, got, out, archive):
        wrong = []
        # what the Dockerfile itself says is echoed in errors
        said = re.sub(rb"(?m)^(#\d+ \[.*|.*error: .*| +\d+ \| .*)$", b"", got.stdout)
        if got.returncode < 0 or got.returncode >= 126 and got.returncode not in (130,):
            wrong.append("the builder died: %d" % got.returncode)
        if self.expect != "any" and (got.returncode == 0) != (self.expect == "builds"):
            wrong.append("ended with %d, expected: %s" % (got.returncode, self.expect))
        for word in (CANARY, b"SENTINEL-77c1", b"LEAK"):
            if word in said:
                wrong.append("the output has " + word.decode())
        if re.search(rb"[\x00-\x08\x0b-\x0c\x0e-\x1f]", said) or re.search(rb"(?m)^(::|##vso)", said):
            wrong.append("the output has control characters or commands")
        with open(self.cooper, "rb") as f:
            if f.read() != self.program:
                wrong.append("the builder's program was changed")
        wrong += ["the image has " + w.decode() for w in leaks(archive)]
        if os.listdir(out) != ["sentinel"] or open(os.path.join(out, "sentinel"), "rb").read() != SENTINEL:
            wrong.append("OUT was changed: %s" % os.listdir(out))
        return wrong + [got.stdout.decode(errors="replace")[-1500:]] if wrong else []


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--cooper", default=os.path.join(TOP, "build/cooper"))
    p.add_argument("--sandbox", action="append", choices=("userns", "chroot", "emulated"))
    p.add_argument("rows", nargs="*")
    o = p.parse_args()
    work = tempfile.mkdtemp(prefix="cooper-attack-", dir="/var/tmp")
    failures = 0
    try:
        base = os.path.join(work, "base")
        os.mkdir(base)
        shutil.copy(shutil.which("busybox"), os.path.join(base, "busybox"))
        subprocess.run([o.cooper, "build", "-q", "--user-policy=off", "-t", "matrix", "-f", os.path.join(TOP, "testdata/base/Dockerfile"),
                        base], env=dict(os.environ, COOPER_ROOT=os.path.join(work, "store")), check=True, stdout=subprocess.DEVNULL)
        rows = o.rows or sorted(os.listdir(os.path.join(HERE, "rows")))
        for row in rows:
            for sandbox in o.sandbox or ("userns", "chroot", "emulated"):
                wrong = Attack(o.cooper, work, row).run(sandbox)
                failures += bool(wrong)
                if wrong:
                    print("FAIL %s in %s: %s" % (row, sandbox, "\n     ".join(wrong)), flush=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print("%d attacks, %d came through" % (len(rows), failures))
    return 1 if failures else 0


sys.exit(main())
