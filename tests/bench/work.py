# SPDX-License-Identifier: MIT
"""What commands take in a step of each sandbox: beside the same commands in namespaces, and under proot. All
run on the same tree in turn, so that what the machine does meanwhile is spread over all of them."""
import os
import shutil
import statistics
import subprocess
import sys

import tools

PACKAGES = 'gcc,make,libc6-dev,python3-minimal,xz-utils,bzip2'
ENVIRONMENT = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': '/root', 'LC_ALL': 'C.UTF-8'}
SOURCES = ('zlib', 'lua5.4')
# (name, prepared once, measured): the first five are builds, the others what is hardest to do without namespaces
WORK = (
    ('gcc -c, 100 times', '', 'i=0; while [ $i -lt 100 ]; do gcc -O0 -c /src/a.c -o /tmp/a.o || exit 1; i=$((i+1)); done'),
    ('zlib, configure and make', '', 'rm -rf /tmp/z; cp -r /src/zlib /tmp/z; cd /tmp/z && ./configure && make -s'),
    ('lua, make', '', 'rm -rf /tmp/l; cp -r /src/lua5.4 /tmp/l; cd /tmp/l && make -s posix'),
    ('python3, 50 starts', '', 'i=0; while [ $i -lt 50 ]; do python3 -c "import os, re" || exit 1; i=$((i+1)); done'),
    ('apt-get install, purge', 'apt-get install -y -d --no-install-recommends man-db sudo',
     'export DEBIAN_FRONTEND=noninteractive SUDO_FORCE_REMOVE=yes; apt-get install -y --no-download --no-install-recommends man-db sudo && '
     'apt-get purge -y man-db sudo && apt-get autoremove -y --purge'),
    ('tar x, 5,000 files', 'tar -cf /src/t.tar -C / usr/share usr/lib/python3.11 && tar -tf /src/t.tar | head -n 5000 >/src/t.list && '
     'tar -cf /src/t.tar -C / --no-recursion -T /src/t.list', 'rm -rf /tmp/t; mkdir /tmp/t; tar -xf /src/t.tar -C /tmp/t'),
    ('/bin/true, 500 times', '', 'i=0; while [ $i -lt 500 ]; do /bin/true; i=$((i+1)); done'),
)


def make_root(root):
    """A distribution with a compiler, and sources of it below /src."""
    subprocess.run(['mmdebstrap', '--variant=apt', f'--include={PACKAGES}', 'bookworm', root], check=True, capture_output=True)
    os.makedirs(root + '/src')
    with open(root + '/src/a.c', 'w', encoding='utf-8') as f:
        f.write('#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nint main(void) { puts("a"); return 0; }\n')
    fetch = "sed 's/^deb /deb-src /' /etc/apt/sources.list >/etc/apt/sources.list.d/source.list && apt-get update -qq && cd /src"
    for name in SOURCES:
        fetch += (f' && mkdir .{name} {name} && (cd .{name} && apt-get source -qq --download-only {name}) && '
                  f'tar -xf .{name}/*.orig.tar.[gbx]z* --strip-components=1 -C {name}')
    subprocess.run([*native(root), '/bin/sh', '-c', fetch], env=ENVIRONMENT, check=True, capture_output=True)


def native(root):
    """The bare command: the kernel's namespaces, nothing in between."""
    script = 'mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && exec chroot "$@"'
    return ['unshare', '-m', '-p', '-f', 'sh', '-c', script, '-', root]


def places(root, step_run):
    table = root + '.owners'
    out = {'native': native(root)}
    for sandbox in ('userns', 'chroot', 'emulated'):
        out[sandbox] = [step_run, '-s', sandbox, '-t', table, root]
    if shutil.which('proot'):
        out['proot'] = ['proot', '-0', '-r', root, '-b', '/dev', '-b', '/proc', '-w', '/']
    return out


def measure(p, argv):
    r, code = tools.launch(argv, p.work + '/usage', p.log, ENVIRONMENT, 1200)
    if code:
        p.log.flush()
        with open(p.log.name, 'rb') as f:
            sys.stderr.buffer.write(f.read()[-2000:])
        print(f'{" ".join(argv[:4])}…: exit code {code}', file=sys.stderr)
    return None if code else r.cpu


def row(p, runs, where, work):
    """The ratio of each place's CPU time to the native one's: the median over the rounds."""
    name, before, command = work
    if before and measure(p, [*where['native'], '/bin/sh', '-c', before]) is None:
        return
    seen = {k: [] for k in where}
    for _ in range(runs):
        for k, argv in where.items():
            cpu = measure(p, [*argv, '/bin/sh', '-c', command])
            if cpu is not None:
                seen[k].append(cpu)
    base = seen['native']
    if not base:
        return
    ratios = {k: [b / a for a, b in zip(base, v)] if len(v) == len(base) else [] for k, v in seen.items()}
    text = ''.join(f'{statistics.median(v):10.2f}' if v else f'{"–":>10}' for k, v in ratios.items() if k != 'native')
    print(f'{name:26}{statistics.median(base):10.2f}{text}', flush=True)


def work(p):
    root = p.args.root or p.work + '/work-root'
    if not os.path.exists(root + '/src'):
        make_root(root)
    where = places(root, os.path.join(os.path.dirname(p.args.cooper), 'tests', 'tools', 'step-run'))
    print(f'{"":26}{"native, s":>10}' + ''.join(f'{k:>10}' for k in where if k != 'native') +
          f'   CPU time; ratio to native, median of {p.args.runs}')
    for w in WORK:
        if not p.args.only or any(x in w[0] for x in p.args.only):
            row(p, p.args.runs, where, w)
    return True
