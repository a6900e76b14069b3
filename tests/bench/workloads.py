# SPDX-License-Identifier: MIT
"""The workloads: each makes its context once and says what a run is."""
import os
import random
import shutil
import subprocess

SEED = 20240101
SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
C_PACKAGES = ('cmake ninja-build pkg-config libarchive-dev libssl-dev libcurl4-openssl-dev libjansson-dev '
              'libzstd-dev zlib1g-dev libdeflate-dev libseccomp-dev')


class Pool:
    """Bytes that compress like source code does, and bytes that do not, quickly."""
    SIZE = 16 << 20

    def __init__(self, rng):
        letters = b'abcdefghijklmnopqrstuvwxyz'
        words = [bytes(rng.choices(letters, k=rng.randint(3, 9))) for _ in range(4000)]
        self.rng = rng
        self.words = b' '.join(rng.choices(words, k=self.SIZE // 6))

    def text(self, size):
        out = b''
        while len(out) < size:
            at = self.rng.randrange(len(self.words))
            out += self.words[at:at + min(size - len(out), 64 << 10)]
        return out

    def mixed(self, size):
        """Half text, half noise: about what an image holds."""
        half = size // 2
        return self.text(half) + self.rng.randbytes(size - half)


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as f:
        f.write(data if isinstance(data, bytes) else data.encode())


class Workload:
    """One row of the table. `cold`: the tool's storage is emptied before each run. `cached`: the
    build is repeated as it is, and only the repetition is measured. `base`: the image it stands on.
    `size` and `kind`: the data that passes, for limits.of()."""

    def __init__(self, name, title, context, base, size=0, kind='commit', cold=False, cached=False,
                 bare=None, change=None):
        self.name, self.title, self.context, self.base = name, title, context, base
        self.size, self.kind, self.cold, self.cached = size, kind, cold, cached
        self.bare, self.change = bare, change

    def prepare(self, number):
        """Other bytes for each run: a layer that the registry has seen before is not uploaded."""
        if self.change:
            with open(self.change, 'r+b') as f:
                f.write(b'%16d' % number)


class Maker:
    def __init__(self, work, registry, scale):
        self.work, self.registry, self.scale = work, registry, scale
        self.rng = random.Random(SEED)
        self.pool = Pool(self.rng)

    def n(self, full, least=1):
        return max(least, int(full * self.scale))

    def dir(self, name):
        path = os.path.join(self.work, name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path

    def warm(self, base):
        """What brings a base image into a builder's storage, unpacked, before it is measured."""
        d = self.dir('warm')
        write(d + '/Dockerfile', f'FROM {self.registry}/{base}:1\nRUN : >/warm\n')
        return d

    def base(self):
        """FROM scratch and one static shell: what W1, W2 and W4 stand on."""
        d = self.dir('base')
        shutil.copy(shutil.which('busybox'), d + '/busybox')
        write(d + '/Dockerfile',
              'FROM scratch\nCOPY busybox /bin/busybox\n'
              'RUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
              'RUN mkdir -p /etc /tmp /root /proc /sys /dev && echo root:x:0:0:root:/root:/bin/sh >/etc/passwd'
              ' && echo root:x:0: >/etc/group\nENV PATH=/bin\n')
        return d

    def large(self):
        """600 MB in 12 layers and 12,000 files."""
        d = self.dir('large')
        lines = [f'FROM {self.registry}/base:1']
        for layer in range(12):
            for i in range(self.n(1000, 10)):
                write(f'{d}/l{layer}/usr/share/l{layer}/d{i % 40}/f{i}', self.pool.mixed(50_000))
            lines.append(f'COPY l{layer} /')
        write(d + '/Dockerfile', '\n'.join(lines) + '\n')
        return d

    def debian(self):
        """The base of W5 and W6 by mmdebstrap; None where that is not to be had. Its tree stays, for
        the bare command of W6."""
        if not shutil.which('mmdebstrap'):
            return None
        d = self.dir('debian')
        r = subprocess.run(['mmdebstrap', '--variant=apt', '--include=gcc,libc6-dev',
                            'bookworm', d + '/root.tar'], capture_output=True, check=False)
        if r.returncode:
            return None
        write(d + '/Dockerfile', 'FROM scratch\nADD root.tar /\n')
        tree = self.dir('debian-tree')
        subprocess.run(['tar', '-xf', d + '/root.tar', '-C', tree, '--exclude=./dev/*'], check=False)
        return d

    def w1a(self, name='W1a'):
        d = self.dir('w1')
        write(d + '/file', 'hello\n')
        write(d + '/Dockerfile', f'FROM {self.registry}/base:1\nRUN echo hello >/hello\n'
              'COPY file /file\nENV A=b\nUSER 1000\n')
        if name == 'W1b':
            return Workload(name, 'trivial, all cached', d, 'base', cached=True)
        return Workload(name, 'trivial, cold', d, 'base', cold=True)

    def w1b(self):
        return self.w1a('W1b')

    def w2(self):
        d = self.dir('w2')
        total = 0
        for i in range(self.n(20000, 100)):
            data = self.pool.text(self.rng.randint(200, 8000))
            total += len(data)
            write(f'{d}/tree/d{i // 500}/e{i % 7}/f{i}', data)
        write(d + '/Dockerfile', f'FROM {self.registry}/base:1\nCOPY tree /tree\n'
              'RUN find /tree -type f | head -n 100 | xargs touch\n')
        return Workload('W2', f'COPY of {self.n(20000, 100)} files, RUN touching 100', d, 'base', total,
                        change=d + '/tree/d0/e0/f0')

    def w3(self):
        d = self.dir('w3')
        write(d + '/Dockerfile', f'FROM {self.registry}/large:1\n' +
              ''.join(f'RUN echo {i} >/f{i}\n' for i in range(20)))
        return Workload('W3', f'20 small RUN on {int(600 * self.scale)} MB', d, 'large')

    def w4(self):
        d = self.dir('w4')
        size = self.n(1 << 30, 1 << 20)
        with open(d + '/big', 'wb') as f:
            left = size
            while left:
                n = min(left, 8 << 20)
                f.write(self.pool.mixed(n))
                left -= n
        write(d + '/Dockerfile', f'FROM {self.registry}/base:1\nCOPY big /big\n')
        return Workload('W4', f'a layer of {size >> 20} MiB', d, 'base', size, change=d + '/big')

    def w5(self):
        """This program itself is the C project."""
        d = self.dir('w5')
        for name in ('builder', 'registry', 'include', 'packaging', 'CMakeLists.txt'):
            source, target = os.path.join(SOURCES, name), f'{d}/src/{name}'
            if os.path.isdir(source):
                shutil.copytree(source, target)
            else:
                shutil.copy(source, target)
        target = 'cooper' if self.scale >= 1 else 'cooper_stream'
        product = 'cooper' if self.scale >= 1 else 'builder/stream/libcooper_stream.a'
        write(d + '/Dockerfile', f'FROM {self.registry}/debian:1 AS build\n'
              'RUN apt-get update && DEBIAN_FRONTEND=noninteractive '
              f'apt-get install -y --no-install-recommends {C_PACKAGES}\n'
              'COPY src /src\n'
              'RUN cmake -S /src -B /build -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCOOPER_TESTS=OFF '
              f'&& ninja -C /build {target}\n'
              f'FROM {self.registry}/base:1\nCOPY --from=build /build/{product} /bin/\n')
        return Workload('W5', f'apt-get, and {target} compiled, two stages', d, 'debian')

    def w6(self):
        d = self.dir('w6')
        runs = self.n(300, 10)
        script = (f'i=0; while [ $i -lt {runs} ]; do '
                  'echo "int f(int x){return x+$i;}" | gcc -O1 -x c -c -o /tmp/o.o - || exit 1; '
                  'i=$((i+1)); done\n')
        write(d + '/run.sh', script)
        write(d + '/Dockerfile', f'FROM {self.registry}/debian:1\nCOPY run.sh /\nRUN sh /run.sh\n')
        tree = os.path.join(self.work, 'debian-tree')
        bare = None
        if os.geteuid() == 0 and shutil.which('unshare'):
            bare = ['unshare', '--mount', '--pid', '--ipc', '--uts', '--fork', 'chroot', tree,
                    '/bin/sh', '-c', script]
        elif shutil.which('bwrap'):
            bare = ['bwrap', '--unshare-all', '--bind', tree, '/', '--dev', '/dev', '--proc', '/proc',
                    '/bin/sh', '-c', script]
        return Workload('W6', f'{runs} compiler runs', d, 'debian', bare=bare)

    def w7(self):
        d = self.dir('w7')
        write(d + '/Dockerfile', f'FROM {self.registry}/large:1\nRUN echo >/done\n')
        return Workload('W7', f'pull of {int(600 * self.scale)} MB in 12 layers', d, 'large',
                        int(600e6 * self.scale), kind='pull', cold=True)
