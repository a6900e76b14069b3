# SPDX-License-Identifier: MIT
"""The builders: how each is called, emptied and measured."""
import os
import shutil
import signal
import subprocess
import sys
import time

LAUNCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'launch.py')
FIGURES = ('wall', 'cpu', 'rss', 'own')
DEFAULT = ('cooper', 'buildah-overlay', 'buildah-vfs', 'podman', 'buildkit')


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


def forget_peaks(pid):
    for p in tree_of(pid):
        try:
            with open(f'/proc/{p}/clear_refs', 'w', encoding='utf-8') as f:
                f.write('5')
        except OSError:
            continue


def peaks_of(pid):
    """MiB: the largest process, and the sum."""
    peaks = [0]
    for p in tree_of(pid):
        try:
            with open(f'/proc/{p}/status', encoding='utf-8', errors='replace') as f:
                peaks += [int(x.split()[1]) for x in f if x.startswith('VmHWM:')]
        except OSError:
            continue
    return max(peaks) / 1024, sum(peaks) / 1024


def unmount_below(path):
    with open('/proc/self/mounts', encoding='utf-8') as f:
        points = [x.split()[1] for x in f]
    for p in reversed(points):
        if p.startswith(path + '/'):
            subprocess.run(['umount', '-l', p], capture_output=True, check=False)


class Result:
    def __init__(self, wall, cpu, rss, own):
        self.wall, self.cpu, self.rss, self.own = wall, cpu, rss, own


def launch(argv, report, log, env, seconds):
    """Runs one command; (Result, exit code)."""
    subprocess.run([sys.executable, '-SE', LAUNCH, report, str(seconds), *argv],
                   stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **env},
                   check=False)
    with open(report, encoding='utf-8') as f:
        wall, cpu, rss, own, code = (float(x) for x in f.read().split())
    return Result(wall, cpu, rss / 1024, own / 1024), int(code)


class Tool:
    name = ''
    daemon = None
    env = {}

    def __init__(self, work):
        self.root = os.path.join(work, 'store-' + self.name)
        self.log = os.path.join(work, self.name + '.log')

    def start(self):
        self.clear()
        os.makedirs(self.root, exist_ok=True)

    def stop(self):
        self.clear()

    def clear(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def tidy(self, image):
        """After a run that is not repeated from the cache: its image need not stay."""

    def quiet(self, argv):
        with open(self.log, 'ab') as log:
            subprocess.run(argv, env={**os.environ, **self.env}, stdin=subprocess.DEVNULL,
                           stdout=log, stderr=log, check=False)

    def build(self, context, image, cached):
        raise NotImplementedError

    def push(self, image):
        raise NotImplementedError

    def run(self, commands, seconds):
        """Runs them; None when one fails or takes too long."""
        before = 0
        if self.daemon:
            before = cpu_of(self.daemon.pid)
            forget_peaks(self.daemon.pid)
        sum_ = Result(0.0, 0.0, 0.0, 0.0)
        with open(self.log, 'ab') as log:
            for argv in commands:
                log.write(('\n$ ' + ' '.join(argv) + '\n').encode())
                log.flush()
                r, code = launch(argv, self.log + '.usage', log, self.env, seconds)
                sum_ = Result(sum_.wall + r.wall, sum_.cpu + r.cpu, max(sum_.rss, r.rss),
                              max(sum_.own, r.own))
                if code:
                    return None
        if self.daemon:
            largest, all_ = peaks_of(self.daemon.pid)
            sum_.cpu += cpu_of(self.daemon.pid) - before
            sum_.rss = max(sum_.rss, largest)
            sum_.own += all_
        return sum_


class Cooper(Tool):
    def __init__(self, work, binary, name='cooper', options=()):
        self.name = name
        super().__init__(work)
        self.binary, self.options = binary, list(options)
        self.env = {'COOPER_ROOT': self.root}

    def build(self, context, image, cached, push=True):
        return [self.binary, 'build', '--user-policy=off', '--progress=plain', *self.options,
                *([] if cached else ['--no-cache']), '-t', image, *(['--push'] if push else []), context]

    def commands(self, context, image, cached, push=True):
        return [self.build(context, image, cached, push)]


class Containers(Tool):
    """buildah and podman: the same storage, nearly the same options."""
    program, verb, driver = '', '', 'overlay'

    def __init__(self, work, name, driver, isolation):
        self.name = name
        super().__init__(work)
        self.driver, self.isolation = driver, isolation

    def clear(self):
        if os.path.exists(self.root):
            self.quiet([*self.where(), 'rmi', '-a', '-f'])
            unmount_below(self.root)
        super().clear()

    def tidy(self, image):
        self.quiet([*self.where(), 'rmi', '-f', image])
        self.quiet([*self.where(), *self.prune])

    def where(self):
        return [self.program, '--root', self.root + '/root', '--runroot', self.root + '/run',
                '--storage-driver', self.driver]

    def build(self, context, image, cached):
        return [*self.where(), self.verb, '--isolation', self.isolation, '--layers', '--network', 'host',
                '--tls-verify=false', *([] if cached else ['--no-cache']), '-t', image, context]

    def commands(self, context, image, cached, push=True):
        out = [self.build(context, image, cached)]
        return out + [[*self.where(), 'push', '--tls-verify=false', image]] if push else out


class Buildah(Containers):
    program, verb, prune = 'buildah', 'bud', ['rmi', '--prune']


class Podman(Containers):
    program, verb, prune = 'podman', 'build', ['image', 'prune', '-f']


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
        shutil.rmtree(self.root, ignore_errors=True)
        os.makedirs(self.root)
        with open(self.log, 'ab') as log:
            # pylint: disable=consider-using-with
            self.daemon = subprocess.Popen(
                ['dockerd', '--data-root', self.root + '/data', '--exec-root', self.root + '/exec',
                 '-H', self.socket, '--pidfile', self.root + '/pid', '--iptables=false',
                 '--ip6tables=false', '--bridge=none', '--insecure-registry', self.registry],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _ in range(300):
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
        unmount_below(self.root)
        shutil.rmtree(self.root, ignore_errors=True)

    def clear(self):
        self.quiet([self.client, 'system', 'prune', '-a', '-f'])
        self.quiet([self.client, 'builder', 'prune', '-a', '-f'])

    def tidy(self, image):
        self.quiet([self.client, 'image', 'rm', '-f', image])

    def commands(self, context, image, cached, push=True):
        out = [[self.client, 'build', '--network=host', '--progress=plain',
                *([] if cached else ['--no-cache']), '-t', image, context]]
        return out + [[self.client, 'push', '-q', image]] if push else out


def found(work, binary, registry):
    """cooper, and every other builder of this machine. Where containers can be made with their own
    runtime depends on the control groups; the chroot isolation works everywhere."""
    out = [Cooper(work, binary)]
    root = os.geteuid() == 0
    if shutil.which('buildah'):
        if root:
            out.append(Buildah(work, 'buildah-overlay', 'overlay', 'chroot'))
        out.append(Buildah(work, 'buildah-vfs', 'vfs', 'chroot'))
    if shutil.which('podman'):
        out.append(Podman(work, 'podman', 'overlay', 'chroot'))
    if shutil.which('dockerd') and root:
        out.append(Docker(work, registry))
    return out


def variants(work, binary):
    """cooper in its other sandboxes, when asked for by name."""
    return [Cooper(work, binary, 'cooper-' + s, ['--sandbox=' + s]) for s in ('chroot', 'emulated')]
