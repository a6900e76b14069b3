#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs cooper and every other builder found here on the same workloads, in turn, pushing to a
registry on loopback, and prints wall time, CPU time and peak memory beside what the machine can do
at most. See README.md."""
import argparse
import os
import shutil
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


def start_registry(work, port):
    root = os.path.join(work, 'registry')
    os.makedirs(root)
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
    for _ in range(100):
        try:
            socket.create_connection(('127.0.0.1', port)).close()
            return p, f'localhost:{port}'
        except OSError:
            time.sleep(0.1)
    sys.exit('docker-registry does not start')


class Bench:
    def __init__(self, args, work, registry):
        self.args, self.work, self.registry = args, work, registry
        self.number = 0
        self.maker = workloads.Maker(work, registry, args.scale)
        self.tools = [t for t in tools.found(work, args.cooper, registry)
                      if not args.tools or t.name in args.tools]
        self.rows = []

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def wanted(self, name):
        return not self.args.only or any(name.startswith(w) for w in self.args.only)

    def push_base(self, name, context):
        self.say(f'base image {name}')
        maker = tools.Cooper(self.work, self.args.cooper)
        maker.start()
        image = f'{self.registry}/{name}:1'
        if not context or not maker.run(maker.commands(context, image, True)):
            self.say(f'no base image {name}: its workloads are left out (see {maker.log})')
            return False
        return True

    def workloads(self):
        m, out = self.maker, []
        if not self.push_base('base', m.base()):
            sys.exit('cooper cannot build the base image')
        if self.wanted('W1'):
            out += [lambda: m.w1(False), lambda: m.w1(True)]
        if self.wanted('W2'):
            out.append(m.w2)
        if self.wanted('W4'):
            out.append(m.w4)
        if (self.wanted('W3') or self.wanted('W7')) and self.push_base('large', m.large_base()):
            out += [w for w in (m.w3, m.w7) if self.wanted(w.__name__.upper())]
        if (self.wanted('W5') or self.wanted('W6')) and self.push_base('debian', m.debian()):
            out += [w for w in (m.w5, m.w6) if self.wanted(w.__name__.upper())]
        return out

    def once(self, tool, w, warm):
        """One run under a name of its own, so that every layer is really uploaded."""
        if w.cold:
            tool.clear()
            os.makedirs(tool.root, exist_ok=True)
        if not w.cached:
            self.number += 1
            w.prepare(self.number)
        image = f'{self.registry}/run{self.number}/{tool.name}:1'
        result = tool.run(tool.commands(w.context, image, w.cached))
        if not result:
            self.say(f'  {tool.name} fails on {w.name}: see {tool.log}')
        elif not warm:
            self.say(f'  {tool.name}: {result.wall:.2f} s')
        return result

    def measure(self, w):
        self.say(f'{w.name}: {w.title}')
        results = {}
        alive = list(self.tools)
        for tool in list(alive):
            # fetches the base, and fills the cache of what is measured cached
            if not w.cold and not self.once(tool, w, True):
                alive.remove(tool)
        for _ in range(self.args.runs):
            for tool in list(alive):
                r = self.once(tool, w, False)
                if r:
                    results.setdefault(tool.name, []).append(r)
                else:
                    alive.remove(tool)
        bare = None
        if w.bare and shutil.which('gcc'):
            start = time.monotonic()
            subprocess.run(w.bare, check=False)
            bare = time.monotonic() - start
        return {n: tools.Result(*(statistics.median(getattr(r, k) for r in rs)
                                  for k in ('wall', 'cpu', 'rss'))) for n, rs in results.items()}, bare

    def run(self):
        speed = limits.measure(self.work)
        print('This machine: ' + ', '.join(f'{k} {v / 1e6:.0f} MB/s' for k, v in speed.items()) +
              f', {os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}; scale {self.args.scale}, '
              f'median of {self.args.runs}')
        todo = self.workloads()
        for tool in list(self.tools):
            try:
                tool.start()
            except (RuntimeError, OSError) as e:
                self.say(f'{tool.name} is left out: {e}')
                self.tools.remove(tool)
        try:
            for make in todo:
                w = make()
                results, bare = self.measure(w)
                self.table(w, results, bare, speed)
                shutil.rmtree(w.context, ignore_errors=True)
        finally:
            for tool in self.tools:
                tool.stop()

    def table(self, w, results, bare, speed):
        print(f'\n{w.name}  {w.title}')
        if w.size:
            print('    limit for its %.0f MB: ' % (w.size / 1e6) +
                  ', '.join(f'{k} {w.size / v:.2f} s' for k, v in speed.items()))
        if bare:
            print(f'    the bare command on this machine: {bare:.2f} s')
        peers = [r for n, r in results.items() if n != 'cooper']
        best = {k: min((getattr(r, k) for r in peers), default=0) for k in ('wall', 'cpu', 'rss')}
        print(f'    {"":16}{"wall s":>9}{"cpu s":>9}{"peak MiB":>10}   ratio to the best peer')
        for name, r in results.items():
            ratio = ''
            if name == 'cooper' and peers:
                ratio = '   '.join(f'{k} {getattr(r, k) / best[k]:.2f}' for k in best if best[k])
            print(f'    {name:16}{r.wall:9.2f}{r.cpu:9.2f}{r.rss:10.0f}   {ratio}', flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--scale', type=float, default=1.0, help='size of the workloads (1: full)')
    p.add_argument('--runs', type=int, default=3)
    p.add_argument('--only', nargs='*', help='W1 … W7')
    p.add_argument('--tools', nargs='*', help='only these builders')
    p.add_argument('--cooper', default=os.path.join(HERE, '..', '..', 'build', 'cooper'))
    p.add_argument('--dir', help='where to work (default: the temporary directory)')
    p.add_argument('--port', type=int, default=0, help='of the registry (default: any free one)')
    args = p.parse_args()
    args.cooper = os.path.abspath(args.cooper)
    for needed in ('docker-registry', 'busybox'):
        if not shutil.which(needed):
            sys.exit(f'{needed} is needed')
    work = tempfile.mkdtemp(prefix='cooper-bench-', dir=args.dir)
    registry, address = start_registry(work, args.port)
    try:
        Bench(args, work, address).run()
    finally:
        registry.terminate()
        registry.wait()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == '__main__':
    main()
