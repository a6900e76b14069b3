# SPDX-License-Identifier: MIT
"""The workloads: each makes its context once and says what a run is."""
import os
import random
import shutil
import subprocess

WORDS_SEED = 20240101


def words(rng):
    letters = b'abcdefghijklmnopqrstuvwxyz'
    return [bytes(rng.choices(letters, k=rng.randint(3, 9))) for _ in range(4000)]


def text(rng, vocabulary, size):
    """Bytes that compress like source code does."""
    out = b' '.join(rng.choices(vocabulary, k=size // 6 + 1))
    return out[:size]


def mixed(rng, vocabulary, size):
    """Half text, half noise: about what an image holds."""
    return text(rng, vocabulary, size // 2) + rng.randbytes(size - size // 2)


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as f:
        f.write(data if isinstance(data, bytes) else data.encode())


class Workload:
    """One row of the table. `cold`: the tool's storage is emptied before each run. `cached`: the
    build is repeated as it is, and only the repetition is measured."""

    def __init__(self, name, title, context, size, cold=False, cached=False, bare=None, change=None):
        self.name, self.title, self.context = name, title, context
        self.size, self.cold, self.cached, self.bare = size, cold, cached, bare
        self.change = change

    def prepare(self, number):
        """Other bytes for each run: a layer that the registry has seen before is not uploaded."""
        if self.change:
            with open(self.change, 'r+b') as f:
                f.write(b'%16d' % number)


class Maker:
    def __init__(self, work, registry, scale):
        self.work, self.registry, self.scale = work, registry, scale
        self.rng = random.Random(WORDS_SEED)
        self.vocabulary = words(self.rng)

    def n(self, full, least=1):
        return max(least, int(full * self.scale))

    def dir(self, name):
        path = os.path.join(self.work, name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path

    def base(self):
        """FROM scratch and one static shell: what W1 to W4 and W7 stand on."""
        d = self.dir('base')
        shutil.copy(shutil.which('busybox'), d + '/busybox')
        write(d + '/Dockerfile',
              'FROM scratch\nCOPY busybox /bin/busybox\n'
              'RUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
              'RUN mkdir -p /etc /tmp /root /proc /sys /dev && echo root:x:0:0:root:/root:/bin/sh >/etc/passwd'
              ' && echo root:x:0: >/etc/group\nENV PATH=/bin\n')
        return d

    def large_base(self):
        """600 MB in 12 layers and 12,000 files."""
        d = self.dir('large')
        lines = [f'FROM {self.registry}/base:1']
        for layer in range(12):
            for i in range(self.n(1000, 10)):
                write(f'{d}/l{layer}/usr/share/l{layer}/d{i % 40}/f{i}',
                      mixed(self.rng, self.vocabulary, 50_000))
            lines.append(f'COPY l{layer} /')
        write(d + '/Dockerfile', '\n'.join(lines) + '\n')
        return d

    def w1(self, cached):
        d = self.dir('w1')
        write(d + '/file', 'hello\n')
        write(d + '/Dockerfile', f'FROM {self.registry}/base:1\nRUN echo hello >/hello\n'
              'COPY file /file\nENV A=b\nUSER 1000\n')
        if cached:
            return Workload('W1b', 'trivial, all cached', d, 0, cached=True)
        return Workload('W1a', 'trivial, cold', d, 0, cold=True)

    def w2(self):
        d = self.dir('w2')
        total = 0
        for i in range(self.n(20000, 100)):
            data = text(self.rng, self.vocabulary, self.rng.randint(200, 8000))
            total += len(data)
            write(f'{d}/tree/d{i // 500}/e{i % 7}/f{i}', data)
        write(d + '/Dockerfile', f'FROM {self.registry}/base:1\nCOPY tree /tree\n'
              'RUN find /tree -type f | head -n 100 | xargs touch\n')
        return Workload('W2', f'COPY of {self.n(20000, 100)} files, RUN touching 100', d, total,
                        change=d + '/tree/d0/e0/f0')

    def w3(self):
        d = self.dir('w3')
        write(d + '/Dockerfile', f'FROM {self.registry}/large:1\n' +
              ''.join(f'RUN echo {i} >/f{i}\n' for i in range(20)))
        return Workload('W3', f'20 small RUN on {int(600 * self.scale)} MB', d, 0)

    def w4(self):
        d = self.dir('w4')
        size = self.n(1 << 30, 1 << 20)
        with open(d + '/big', 'wb') as f:
            left = size
            while left:
                n = min(left, 8 << 20)
                f.write(mixed(self.rng, self.vocabulary, n))
                left -= n
        write(d + '/Dockerfile', f'FROM {self.registry}/base:1\nCOPY big /big\n')
        return Workload('W4', f'a layer of {size >> 20} MiB', d, size, change=d + '/big')

    def w5(self):
        d = self.dir('w5')
        src = ''.join(f'int f{i}(int x) {{ return x * {i} + 1; }}\n' for i in range(200))
        for i in range(self.n(60, 4)):
            write(f'{d}/src/m{i}.c', src.replace('int f', f'int m{i}_f'))
        write(d + '/src/main.c', 'int main(void) { return 0; }\n')
        write(d + '/src/Makefile', 'app: $(patsubst %.c,%.o,$(wildcard *.c))\n\tgcc -o $@ $^\n')
        write(d + '/Dockerfile', f'FROM {self.registry}/debian:1 AS build\n'
              'RUN apt-get update && apt-get install -y --no-install-recommends patch file\n'
              'COPY src /src\nRUN make -C /src\n'
              f'FROM {self.registry}/base:1\nCOPY --from=build /src/app /bin/app\n')
        return Workload('W5', 'apt-get and a C project, two stages', d, 0)

    def w6(self):
        d = self.dir('w6')
        runs = self.n(300, 10)
        script = (f'i=0; while [ $i -lt {runs} ]; do '
                  'echo "int f(int x){return x+$i;}" | gcc -O1 -x c -c -o /tmp/o.o - || exit 1; '
                  'i=$((i+1)); done\n')
        write(d + '/run.sh', script)
        write(d + '/Dockerfile', f'FROM {self.registry}/debian:1\nCOPY run.sh /\nRUN sh /run.sh\n')
        return Workload('W6', f'{runs} compiler runs', d, 0, bare=['sh', d + '/run.sh'])

    def w7(self):
        d = self.dir('w7')
        write(d + '/Dockerfile', f'FROM {self.registry}/large:1\nRUN echo >/done\n')
        return Workload('W7', f'pull of {int(600 * self.scale)} MB in 12 layers', d,
                        int(600e6 * self.scale), cold=True)

    def debian(self):
        """The base of W5 and W6 by mmdebstrap; None where that is not to be had."""
        if not shutil.which('mmdebstrap'):
            return None
        d = self.dir('debian')
        r = subprocess.run(['mmdebstrap', '--variant=apt', '--include=gcc,libc6-dev,make',
                            'bookworm', d + '/root.tar'], capture_output=True, check=False)
        if r.returncode:
            return None
        write(d + '/Dockerfile', 'FROM scratch\nADD root.tar /\n')
        return d
