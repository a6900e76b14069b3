#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs cooper and every other builder found here on the same workloads, in turn, pushing to a
registry on loopback, and prints wall time, CPU time and peak memory beside what the machine can do
at most. See README.md."""
import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import limits
import tools
import workloads

HERE = os.path.dirname(os.path.abspath(__file__))
ORDER = ('W1a', 'W1b', 'W2', 'W3', 'W4', 'W5', 'W6', 'W7')
BASES = {'base': 'W1 W2 W3 W4 W5 W7', 'large': 'W3 W7', 'debian': 'W5 W6'}
SLOW = 45.0


class State:
    """What is done so far, in the working directory: an interrupted run goes on where it was."""

    def __init__(self, path, args):
        self.path = path
        self.data = {'scale': args.scale, 'port': 0, 'bases': [], 'number': 0, 'rows': {}}
        try:
            with open(path, encoding='utf-8') as f:
                old = json.load(f)
            if old['scale'] != args.scale:
                sys.exit(f'{path} is of scale {old["scale"]}: take another --dir')
            self.data = old
        except OSError:
            pass

    def save(self):
        with open(self.path + '.new', 'w', encoding='utf-8') as f:
            json.dump(self.data, f, indent=1)
        os.replace(self.path + '.new', self.path)


def start_registry(work, port):
    root = os.path.join(work, 'registry')
    os.makedirs(root, exist_ok=True)
    if not port:
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            port = s.getsockname()[1]
    with open(root + '/config.yml', 'w', encoding='utf-8') as f:
        f.write('version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n'
                f'storage: {{filesystem: {{rootdirectory: {root}/data}}}}\n'
                f'http: {{addr: "127.0.0.1:{port}"}}\n')
    with open(root + '/log', 'wb') as log:
        # pylint: disable=consider-using-with
        p = subprocess.Popen(['docker-registry', 'serve', root + '/config.yml'], stdout=log, stderr=log)
    for _ in range(300):
        try:
            if p.poll() is not None:
                break
            socket.create_connection(('127.0.0.1', port)).close()
            return p, port
        except OSError:
            time.sleep(0.1)
    sys.exit(f'docker-registry does not start (see {root}/log)')


def say(text):
    print(text, file=sys.stderr, flush=True)


class Bench:
    def __init__(self, args, work, state, registry):
        self.args, self.work, self.state, self.registry = args, work, state, registry
        self.maker = workloads.Maker(work, registry, args.scale)
        self.tools = [t for t in tools.found(work, args.cooper, registry) + tools.variants(work, args.cooper)
                      if t.name in (args.tools or tools.DEFAULT)]

    def wanted(self):
        names = [n for n in ORDER if not self.args.only or any(n.startswith(w) for w in self.args.only)]
        if self.args.again:
            for n in names:
                self.state.data['rows'].pop(n, None)
        return [n for n in names if n not in self.state.data['rows']]

    def push_base(self, name):
        if name in self.state.data['bases']:
            return True
        say(f'base image {name}')
        maker = tools.Cooper(self.work, self.args.cooper, 'bases')
        context = getattr(self.maker, name)()
        image = f'{self.registry}/{name}:1'
        done = context and maker.run(maker.commands(context, image, True), 3600)
        maker.stop()
        if context:
            shutil.rmtree(context, ignore_errors=True)
        if done:
            self.state.data['bases'].append(name)
            self.state.save()
        else:
            say(f'no base image {name}: its workloads are left out (see {maker.log})')
        return bool(done)

    def once(self, tool, w, warm):
        """One run under a name of its own, so that every layer is really uploaded."""
        if w.cold:
            tool.clear()
            os.makedirs(tool.root, exist_ok=True)
        if not w.cached:
            self.state.data['number'] += 1
            w.prepare(self.state.data['number'])
        image = f'{self.registry}/run{0 if w.cached else self.state.data["number"]}/{tool.name}:1'
        context = self.maker.warm(w.base) if warm and not w.cached else w.context
        self.settle(w, warm)
        r = tool.run(tool.commands(context, image, w.cached, push=w.cached or not warm),
                     self.args.limit)
        if not r:
            say(f'  {tool.name} fails on {w.name}, or takes more than {self.args.limit} s: see {tool.log}')
        elif not warm:
            say(f'  {tool.name}: {r.wall:.2f} s, CPU {r.cpu:.2f} s')
        if not w.cached:
            tool.tidy(image)
        return r

    def settle(self, w, warm):
        """What the run before left to the kernel is not this one's: pages to be written, and inodes that
        ext4 without a journal does not give out again for five seconds, looking at each of them."""
        os.sync()
        if not warm and not w.cached and w.name in ('W2', 'W3', 'W7'):
            time.sleep(self.args.pause)

    def bare(self, w):
        if not w.bare:
            return None
        with open(os.path.join(self.work, 'bare.log'), 'ab') as log:
            r, code = tools.launch(w.bare, os.path.join(self.work, 'bare.usage'), log, {}, self.args.limit)
        return None if code else r

    def measure(self, w):
        say(f'{w.name}: {w.title}')
        results, alive = {}, list(self.tools)
        for tool in list(alive):
            # fetches the base, or fills the cache of what is measured cached
            if not w.cold and not self.once(tool, w, True):
                alive.remove(tool)
        for _ in range(self.args.runs):
            for tool in list(alive):
                r = self.once(tool, w, False)
                if r:
                    results.setdefault(tool.name, []).append(r)
                if not r or (r.wall > SLOW and tool.name != 'cooper'):
                    alive.remove(tool)
            r = self.bare(w)
            if r:
                results.setdefault('bare', []).append(r)
        return {n: {k: statistics.median(getattr(r, k) for r in rs) for k in tools.FIGURES}
                for n, rs in results.items()}

    def run(self):
        names = self.wanted()
        if names:
            self.state.data['speed'] = limits.measure(self.work)
        needed = [b for b, of in BASES.items()
                  if b == 'base' or any(n.startswith(w) for w in of.split() for n in names)]
        if names and not all([self.push_base(b) for b in needed]):
            names = [n for n in names if all(b in self.state.data['bases'] for b, of in BASES.items()
                                             if n[:2] in of.split())]
        try:
            for tool in list(self.tools) if names else []:
                try:
                    tool.start()
                except (RuntimeError, OSError) as e:
                    say(f'{tool.name} is left out: {e}')
                    self.tools.remove(tool)
            for n in names:
                w = getattr(self.maker, n.lower())()
                row = {'title': w.title, 'size': w.size, 'kind': w.kind, 'load': os.getloadavg()[0],
                       'tools': self.measure(w)}
                if row['tools'].get('cooper') or (self.args.tools and row['tools']):
                    self.state.data['rows'][n] = row
                    self.state.save()
                table(n, row, self.state.data['speed'])
                shutil.rmtree(w.context, ignore_errors=True)
        finally:
            for tool in self.tools:
                tool.stop()
        summary(self.state.data)


def best_of(row):
    peers = [r for n, r in row['tools'].items() if not n.startswith('cooper') and n != 'bare']
    return {k: min((r[k] for r in peers), default=0) for k in tools.FIGURES}


def table(name, row, speed):
    print(f'\n{name}  {row["title"]} (load {row["load"]:.1f})')
    print(f'    {"":16}{"wall s":>9}{"cpu s":>9}{"peak MiB":>10}{"sum MiB":>10}   ratio to the best peer')
    best = best_of(row)
    for n, r in row['tools'].items():
        note = ''
        if n.startswith('cooper'):
            note = '   '.join(f'{k} {r[k] / best[k]:.2f}' for k in ('wall', 'cpu', 'rss', 'own') if best[k])
            bare = row['tools'].get('bare')
            if bare:
                note += f'   to the bare command: wall {r["wall"] / bare["wall"]:.2f} cpu {r["cpu"] / bare["cpu"]:.2f}'
        print(f'    {n:16}{r["wall"]:9.2f}{r["cpu"]:9.2f}{r["rss"]:10.0f}{r["own"]:10.0f}   {note}')
    if row['size']:
        wall, cpu, parts = limits.of(row['kind'], row['size'], speed)
        print(f'    {"the machine":16}{wall:9.2f}{cpu:9.2f}   ' +
              ', '.join(f'{k} {w:.2f} s' for k, (w, _) in parts.items()) + f' for {row["size"] / 1e6:.0f} MB')
    sys.stdout.flush()


def summary(data):
    s = data['speed']
    print(f'\nThis machine: {os.cpu_count()} cores; one core: hash {s["hash"] / 1e6:.0f}, pack {s["pack"] / 1e6:.0f}, '
          f'unpack {s["unpack"] / 1e6:.0f} MB/s; all cores: pack {s["pack-all"] / 1e6:.0f} MB/s; copy '
          f'{s["copy"] / 1e6:.0f}, loopback {s["loopback"] / 1e6:.0f} MB/s. Scale {data["scale"]}.\n')
    names = []
    for row in data['rows'].values():
        names += [n for n in row['tools'] if n not in names]
    print('wall s / CPU s / peak MiB of the largest process\n')
    print('| |' + ''.join(f' {n} |' for n in names) + ' wall, CPU to the best peer |')
    print('|---|' + '---|' * (len(names) + 1))
    for n in ORDER:
        row = data['rows'].get(n)
        if not row:
            continue
        cells = [row['tools'].get(t) for t in names]
        best, mine = best_of(row), row['tools'].get('cooper')
        ratio = f'{mine["wall"] / best["wall"]:.2f}, {mine["cpu"] / best["cpu"]:.2f}' if mine and best['wall'] else '–'
        print(f'| {n} {row["title"]} |' +
              ''.join(f' {c["wall"]:.2f} / {c["cpu"]:.2f} / {c["rss"]:.0f} |' if c else ' – |' for c in cells) +
              f' {ratio} |')


def parse():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--scale', type=float, default=1.0, help='size of the workloads (1: full)')
    p.add_argument('--runs', type=int, default=3)
    p.add_argument('--only', nargs='*', help='W1 … W7')
    p.add_argument('--tools', nargs='*', help='only these builders; also cooper-chroot, cooper-emulated')
    p.add_argument('--cooper', default=os.path.join(HERE, '..', '..', 'build', 'cooper'))
    p.add_argument('--dir', help='where to work; what is done is kept there, and not done again')
    p.add_argument('--again', action='store_true', help='do the workloads again that are done in --dir')
    p.add_argument('--limit', type=float, default=300, help='seconds that one command may take')
    p.add_argument('--pause', type=float, default=6, help='seconds before a run with many files')
    p.add_argument('--port', type=int, default=0, help='of the registry (default: any free one)')
    args = p.parse_args()
    args.cooper = os.path.abspath(args.cooper)
    for needed in ('docker-registry', 'busybox'):
        if not shutil.which(needed):
            sys.exit(f'{needed} is needed')
    return args


def main():
    args = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work = os.path.abspath(args.dir) if args.dir else tempfile.mkdtemp(prefix='cooper-bench-')
    os.makedirs(work, exist_ok=True)
    state = State(os.path.join(work, 'done.json'), args)
    registry, port = start_registry(work, args.port or state.data['port'])
    state.data['port'] = port
    state.save()
    try:
        Bench(args, work, state, f'localhost:{port}').run()
    finally:
        registry.terminate()
        registry.wait()
        if not args.dir:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == '__main__':
    main()
