#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Figures of cooper itself: memory for a layer of any size, the snapshot of an unchanged tree, the start of a step
beside other runtimes, work in a step. Each prints a table; `memory` and `snapshot` fail when a limit is passed."""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

import run
import tools
import work
import workloads

BUILD = os.path.join(run.HERE, '..', '..', 'build')
MEMORY_MIB = 64
SNAPSHOT_S = 1.0


class Place:
    """A working directory with a registry and the small base image."""

    def __init__(self, args):
        self.args = args
        self.work = tempfile.mkdtemp(prefix='cooper-figures-', dir=args.dir)
        self.log = open(os.path.join(self.work, 'log'), 'ab')  # pylint: disable=consider-using-with
        self.registry, port = run.start_registry(self.work, args.port)
        self.address = f'localhost:{port}'
        self.maker = workloads.Maker(self.work, self.address, args.scale)
        self.cooper('root', ['build', '-t', f'{self.address}/base:1', '--push', self.maker.base()])

    def close(self):
        self.registry.terminate()
        self.registry.wait()
        self.log.close()
        shutil.rmtree(self.work, ignore_errors=True)

    def cooper(self, store, argv):
        """Runs cooper with a store of that name; what it took."""
        argv = [self.args.cooper, argv[0], *(['--user-policy=off'] if argv[0] == 'build' else []), *argv[1:]]
        r, code = tools.launch(argv, os.path.join(self.work, 'usage'), self.log,
                               {'COOPER_ROOT': os.path.join(self.work, store)}, 3600)
        if code:
            self.log.flush()
            with open(self.log.name, 'rb') as f:
                sys.stderr.buffer.write(f.read()[-2000:])
            sys.exit(f'{" ".join(argv)}: exit code {code}')
        return r


# ---- memory ----

def layer_contexts(p):
    size = p.maker.n(1 << 30, 1 << 20)
    full = p.maker.w4().context
    sparse = p.maker.dir('sparse')
    with open(sparse + '/big', 'wb') as f:
        f.write(b'begin')
        f.truncate(size * 4)
    workloads.write(sparse + '/Dockerfile', f'FROM {p.address}/base:1\nCOPY big /big\n')
    step = p.maker.dir('step')
    workloads.write(step + '/Dockerfile', f'FROM {p.address}/base:1\n'
                    f'RUN dd if=/dev/zero of=/big bs=1M count={size >> 20} 2>/dev/null\n')
    return [(f'{size >> 20} MiB, COPY', full), (f'{size >> 18} MiB sparse, COPY', sparse),
            (f'{size >> 20} MiB, RUN', step)]


def memory(p):
    """Commit, push, pull and unpack of large layers, packed both ways: the peak of all of cooper's processes
    together, without page cache, and of the largest process with the files it has mapped."""
    print(f'{"layer":24}{"packed":8}{"":8}{"sum MiB":>9}{"largest MiB":>13}{"wall s":>9}{"cpu s":>9}')
    worst = 0.0
    for title, context in layer_contexts(p):
        for packed in ('gzip', 'zstd'):
            name = f'{p.address}/{os.path.basename(context)}-{packed}:1'
            again = p.maker.dir('again')
            workloads.write(again + '/Dockerfile', f'FROM {name}\nRUN : >/again\n')
            for what, store, argv in (
                    ('commit', 'a', ['build', '--no-cache', '--compression', packed, '-t', name, context]),
                    ('push', 'a', ['push', name]),
                    ('pull', 'b', ['pull', name]),
                    ('unpack', 'b', ['build', '--no-cache', again])):
                r = p.cooper(store, argv)
                worst = max(worst, r.own, r.rss)
                print(f'{title:24}{packed:8}{what:8}{r.own:9.1f}{r.rss:13.1f}{r.wall:9.2f}{r.cpu:9.2f}', flush=True)
            for store in ('a', 'b'):
                shutil.rmtree(os.path.join(p.work, store))
        shutil.rmtree(context)
    print(f'\nmost: {worst:.1f} MiB, limit {MEMORY_MIB} MiB')
    return worst < MEMORY_MIB


# ---- snapshots ----

def step_times(p, store, sandbox, context):
    """Seconds of each step, as the events tell."""
    argv = [p.args.cooper, 'build', '--user-policy=off', '--no-cache', '--progress=json', f'--sandbox={sandbox}', context]
    out = subprocess.run(argv, env={**os.environ, 'COOPER_ROOT': os.path.join(p.work, store)},
                         stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if out.returncode:
        sys.exit(out.stderr.decode(errors='replace')[-2000:])
    events = []
    for line in (out.stdout + out.stderr).splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:
            continue
    return [e['elapsed_ns'] / 1e9 for e in events if 'elapsed_ns' in e and 'step' in e and 'cached' in e]


def snapshot(p):
    """Steps that change nothing, or one file, on a tree of 100,000 files: start, command and snapshot."""
    files = p.maker.n(100000, 1000)
    tree = p.maker.dir('tree')
    for i in range(files):
        workloads.write(f'{tree}/t/d{i // 1000}/e{i // 50 % 20}/f{i}', b'%d' % i)
    workloads.write(tree + '/Dockerfile', f'FROM {p.address}/base:1\nCOPY t /t\n')
    image = f'{p.address}/tree:1'
    p.cooper('root', ['build', '-t', image, '--push', tree])
    n, ok = 8, True
    steps = p.maker.dir('steps')
    workloads.write(steps + '/Dockerfile', f'FROM {image}\n' + f'RUN :\n' +
                    ''.join(f'RUN : {i}\n' for i in range(n)) + ''.join(f'RUN echo {i} >>/t/d0/e0/f1\n' for i in range(n)))
    print(f'{files} files\n{"sandbox":12}{"root file system":18}{"first step s":>14}{"unchanged s":>13}{"one changed s":>15}')
    for sandbox, backend in (('userns', 'overlay'), ('chroot', 'overlay or plain'), ('emulated', 'plain')):
        times = step_times(p, 'snap', sandbox, steps)[-(2 * n + 1):]
        same, changed = statistics.median(times[1:n + 1]), statistics.median(times[n + 1:])
        ok &= same < SNAPSHOT_S
        print(f'{sandbox:12}{backend:18}{times[0]:14.3f}{same:13.3f}{changed:15.3f}', flush=True)
        shutil.rmtree(os.path.join(p.work, 'snap'), ignore_errors=True)
    return ok


# ---- the start of a step ----

def small_root(work):
    root = os.path.join(work, 'small-root')
    os.makedirs(root + '/bin')
    for d in ('proc', 'sys', 'dev', 'tmp', 'etc'):
        os.makedirs(f'{root}/{d}')
    shutil.copy(shutil.which('busybox'), root + '/bin/busybox')
    for name in ('sh', 'true'):
        os.symlink('busybox', f'{root}/bin/{name}')
    return root


def runc_bundle(work, root):
    bundle = os.path.join(work, 'bundle')
    os.makedirs(bundle)
    spec = ['runc', 'spec'] + ([] if os.geteuid() == 0 else ['--rootless'])
    subprocess.run(spec, cwd=bundle, check=True, capture_output=True)
    with open(bundle + '/config.json', encoding='utf-8') as f:
        config = json.load(f)
    config['process'].update(terminal=False, args=['/bin/true'])
    config['root'] = {'path': root, 'readonly': False}
    with open(bundle + '/config.json', 'w', encoding='utf-8') as f:
        json.dump(config, f)
    return bundle


def steps(p):
    """One /bin/true in a root: whole processes in turn, and what each further step of the same build costs."""
    root = small_root(p.work)
    step_run = os.path.join(os.path.dirname(p.args.cooper), 'tests', 'tools', 'step-run')
    rows = [(f'step, {s}', [step_run, '-s', s, root, '/bin/true']) for s in ('userns', 'chroot', 'emulated')]
    if shutil.which('bwrap'):
        rows.append(('bwrap --unshare-all', ['bwrap', '--unshare-all', '--bind', root, '/', '--proc', '/proc', '--dev',
                                             '/dev', '/bin/true']))
    if shutil.which('runc'):
        bundle = runc_bundle(p.work, root)
        rows.append(('runc run', ['runc', '--root', p.work + '/runc', 'run', '-b', bundle, 'cooper-figures']))
    rows.append(('bare chroot', ['chroot', root, '/bin/true']))
    seen = {name: [] for name, _ in rows}
    for _ in range(p.args.runs):
        for name, argv in list(rows):
            r, code = tools.launch(argv, p.work + '/usage', p.log, {}, 60)
            if code:
                print(f'{name} does not work here')
                rows.remove((name, argv))
            else:
                seen[name].append(r)
    print(f'{"":22}{"process ms":>12}{"CPU ms":>9}{"next step ms":>14}{"CPU ms":>9}   median of {p.args.runs}')
    for name, argv in rows:
        one = {k: statistics.median(getattr(r, k) for r in seen[name]) * 1e3 for k in ('wall', 'cpu')}
        more = ''
        if argv[0] == step_run:
            n = 100
            r, _ = tools.launch([*argv[:3], '-r', str(n + 1), *argv[3:]], p.work + '/usage', p.log, {}, 600)
            more = ''.join(f'{(getattr(r, k) * 1e3 - one[k]) / n:{w}.1f}' for k, w in (('wall', 14), ('cpu', 9)))
        print(f'{name:22}{one["wall"]:12.1f}{one["cpu"]:9.1f}{more}', flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('what', choices=('memory', 'snapshot', 'steps', 'work'))
    parser.add_argument('--scale', type=float, default=1.0, help='size of layers and trees (1: full)')
    parser.add_argument('--runs', type=int, default=20, help='of each command (steps, work)')
    parser.add_argument('--root', help='the tree for work: made when missing, kept (default: a new one)')
    parser.add_argument('--only', nargs='*', help='rows of work with one of these in their names')
    parser.add_argument('--cooper', default=os.path.join(BUILD, 'cooper'))
    parser.add_argument('--dir', help='where to work (default: the temporary directory)')
    parser.add_argument('--port', type=int, default=0, help='of the registry (default: any free one)')
    args = parser.parse_args()
    args.cooper = os.path.abspath(args.cooper)
    p = Place(args)
    try:
        ok = {'memory': memory, 'snapshot': snapshot, 'steps': steps, 'work': work.work}[args.what](p)
    finally:
        p.close()
    sys.exit(0 if ok else 1)


if __name__ == '__main__':
    main()
