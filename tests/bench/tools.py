# SPDX-License-Identifier: MIT
"""The builders: how each is called, emptied and measured."""
import os
import shutil
import signal
import subprocess
import sys
import time

LAUNCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'launch.py')


def tree_of(pid):
    """A process and all below it."""
    children = {}
    for name in os.listdir('/proc'):
        if name.isdigit():
            try:
                with open(f'/proc/{name}/stat', encoding='utf-8', errors='replace') as f:
                    parent = int(f.read().rsplit(')', 1)[1].split()[1])
                children.setdefault(parent, []).append(int(name))
            except (OSError, IndexError):
                continue
    todo, out = [pid], []
    while todo:
        p = todo.pop()
        out.append(p)
        todo += children.get(p, [])
    return out


def cpu_of(pid):
    """Seconds used by a process, those below it, and what it has waited for."""
    ticks = 0
    for p in tree_of(pid):
        try:
            with open(f'/proc/{p}/stat', encoding='utf-8', errors='replace') as f:
                ticks += sum(int(x) for x in f.read().rsplit(')', 1)[1].split()[11:15])
        except (OSError, IndexError, ValueError):
            continue
    return ticks / os.sysconf('SC_CLK_TCK')


def peak_of(pid):
    peak = 0
    for p in tree_of(pid):
        try:
            with open(f'/proc/{p}/status', encoding='utf-8', errors='replace') as f:
                peak = max([peak] + [int(x.split()[1]) for x in f if x.startswith('VmHWM:')])
        except OSError:
            continue
    return peak / 1024


class Result:
    def __init__(self, wall, cpu, rss):
        self.wall, self.cpu, self.rss = wall, cpu, rss


class Tool:
    name = ''
    daemon = None
    env = {}

    def __init__(self, work):
        self.root = os.path.join(work, 'store-' + self.name)
        self.log = os.path.join(work, self.name + '.log')

    def start(self):
        os.makedirs(self.root, exist_ok=True)

    def stop(self):
        self.clear()

    def clear(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def commands(self, context, image, cached):
        raise NotImplementedError

    def run(self, commands):
        """Runs them; None when one fails."""
        daemon = cpu_of(self.daemon.pid) if self.daemon else 0
        start, used, peak = time.monotonic(), 0.0, 0
        with open(self.log, 'ab') as log:
            for argv in commands:
                log.write(('\n$ ' + ' '.join(argv) + '\n').encode())
                log.flush()
                report = self.log + '.usage'
                subprocess.run([sys.executable, '-SE', LAUNCH, report, *argv], stdin=subprocess.DEVNULL,
                               stdout=log, stderr=log, env={**os.environ, **self.env}, check=False)
                with open(report, encoding='utf-8') as f:
                    cpu, rss, code = (float(x) for x in f.read().split())
                used += cpu
                peak = max(peak, rss)
                if code:
                    return None
        wall = time.monotonic() - start
        rss = peak / 1024
        if self.daemon:
            used += cpu_of(self.daemon.pid) - daemon
            rss = max(rss, peak_of(self.daemon.pid))
        return Result(wall, used, rss)


class Cooper(Tool):
    name = 'cooper'

    def __init__(self, work, binary):
        super().__init__(work)
        self.binary = binary
        self.env = {'COOPER_ROOT': self.root}

    def commands(self, context, image, cached):
        return [[self.binary, 'build', '--user-policy=off', '--progress=plain'] +
                ([] if cached else ['--no-cache']) + ['-t', image, '--push', context]]


class Buildah(Tool):
    def __init__(self, work, name, driver, isolation):
        self.name = name
        super().__init__(work)
        self.driver, self.isolation = driver, isolation

    def clear(self):
        subprocess.run(['buildah', *self.where(), 'rmi', '-a', '-f'], capture_output=True, check=False)
        subprocess.run(['umount', self.root + '/root/overlay'], capture_output=True, check=False)
        super().clear()

    def where(self):
        return ['--root', self.root + '/root', '--runroot', self.root + '/run',
                '--storage-driver', self.driver]

    def commands(self, context, image, cached):
        return [['buildah', *self.where(), 'bud', '--isolation', self.isolation, '--layers',
                 '--network', 'host', '--tls-verify=false'] + ([] if cached else ['--no-cache']) +
                ['-t', image, context],
                ['buildah', *self.where(), 'push', '--tls-verify=false', image]]


class Podman(Tool):
    name = 'podman'

    def clear(self):
        subprocess.run(['podman', *self.where(), 'rmi', '-a', '-f'], capture_output=True, check=False)
        subprocess.run(['umount', self.root + '/root/overlay'], capture_output=True, check=False)
        super().clear()

    def where(self):
        return ['--root', self.root + '/root', '--runroot', self.root + '/run']

    def commands(self, context, image, cached):
        return [['podman', *self.where(), 'build', '--network', 'host', '--tls-verify=false'] +
                ([] if cached else ['--no-cache']) + ['-t', image, context],
                ['podman', *self.where(), 'push', '--tls-verify=false', image]]


class Docker(Tool):
    """The BuildKit inside dockerd. Its daemon's time and memory count."""
    name = 'buildkit'

    def __init__(self, work, registry):
        super().__init__(work)
        self.socket = 'unix://' + self.root + '/sock'
        self.registry = registry
        self.env = {'DOCKER_HOST': self.socket, 'DOCKER_BUILDKIT': '1'}
        self.client = '/usr/bin/docker' if os.path.exists('/usr/bin/docker') else 'docker'

    def start(self):
        super().start()
        with open(self.log, 'ab') as log:
            # pylint: disable=consider-using-with
            self.daemon = subprocess.Popen(
                ['dockerd', '--data-root', self.root + '/data', '--exec-root', self.root + '/exec',
                 '-H', self.socket, '--pidfile', self.root + '/pid', '--iptables=false',
                 '--ip6tables=false', '--bridge=none', '--insecure-registry', self.registry],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _ in range(150):
            if subprocess.run([self.client, 'version'], env={**os.environ, **self.env},
                              capture_output=True, check=False).returncode == 0:
                return
            if self.daemon.poll() is not None:
                break
            time.sleep(0.2)
        self.stop()
        raise RuntimeError('dockerd does not start here')

    def stop(self):
        if self.daemon:
            self.daemon.send_signal(signal.SIGTERM)
            try:
                self.daemon.wait(30)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
            self.daemon = None
        super().clear()

    def clear(self):
        for args in (['system', 'prune', '-a', '-f'], ['builder', 'prune', '-a', '-f']):
            subprocess.run([self.client, *args], env={**os.environ, **self.env},
                           capture_output=True, check=False)

    def commands(self, context, image, cached):
        return [[self.client, 'build', '--network=host', '--progress=plain'] +
                ([] if cached else ['--no-cache']) + ['-t', image, context],
                [self.client, 'push', '-q', image]]


def found(work, binary, registry):
    """cooper, and every other builder of this machine."""
    out = [Cooper(work, binary)]
    if shutil.which('buildah'):
        if os.geteuid() == 0:
            out.append(Buildah(work, 'buildah-overlay', 'overlay', 'oci'))
        out.append(Buildah(work, 'buildah-vfs', 'vfs', 'chroot'))
    if shutil.which('podman'):
        out.append(Podman(work))
    if shutil.which('dockerd') and os.geteuid() == 0:
        out.append(Docker(work, registry))
    return out
