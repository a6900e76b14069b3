# SPDX-License-Identifier: MIT
"""What the machine can do at most: bytes a second of one core (hash, pack, unpack), of the file system
(copy) and of a loopback connection. Packing is what cooper's layers have: libdeflate, level 4."""
import ctypes
import hashlib
import os
import random
import socket
import threading
import time
import zlib

import workloads

SIZE = 64 << 20
MEMBER = 1 << 20


def rate(work):
    """The best of three."""
    best = 0.0
    for _ in range(3):
        start = time.monotonic()
        n = work()
        best = max(best, n / (time.monotonic() - start))
    return best


def packer():
    """A function that packs a MiB: libdeflate's, else zlib's."""
    try:
        lib = ctypes.CDLL('libdeflate.so.0')
        lib.libdeflate_alloc_compressor.restype = ctypes.c_void_p
        lib.libdeflate_gzip_compress.restype = ctypes.c_size_t
        lib.libdeflate_gzip_compress.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t,
                                                 ctypes.c_char_p, ctypes.c_size_t]
    except OSError:
        return lambda: lambda data: len(zlib.compress(data, 4))

    def make():
        c = lib.libdeflate_alloc_compressor(4)
        room = ctypes.create_string_buffer(MEMBER + 65536)
        return lambda data: lib.libdeflate_gzip_compress(c, data, len(data), room, len(room))
    return make


def pack(members, cores):
    """Packs all on so many threads; the packed size."""
    make, todo, sizes = packer(), list(members), []

    def work():
        one = make()
        while True:
            try:
                data = todo.pop()
            except IndexError:
                return
            sizes.append(one(data))

    threads = [threading.Thread(target=work) for _ in range(cores)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return sum(sizes)


def loopback(data):
    with socket.create_server(('127.0.0.1', 0)) as server:
        def take():
            conn, _ = server.accept()
            with conn:
                while conn.recv(1 << 20):
                    pass

        t = threading.Thread(target=take)
        t.start()
        with socket.create_connection(server.getsockname()) as c:
            c.sendall(data)
        t.join()
    return len(data)


def copy(work, data):
    a, b = os.path.join(work, 'copy-a'), os.path.join(work, 'copy-b')
    if not os.path.exists(a):
        with open(a, 'wb') as f:
            f.write(data)
    with open(a, 'rb') as src, open(b, 'wb') as dst:
        left = len(data)
        while left:
            left -= os.copy_file_range(src.fileno(), dst.fileno(), left) or left
    os.unlink(b)
    return len(data)


def measure(work):
    rng = random.Random(1)
    pool = workloads.Pool(rng)
    data = b''.join(pool.mixed(8 << 20) for _ in range(SIZE >> 23))
    members = [data[i:i + MEMBER] for i in range(0, len(data), MEMBER)]
    packed = zlib.compress(data[:16 << 20], 4)
    out = {
        'hash': rate(lambda: hashlib.sha256(data) and len(data)),
        'pack': rate(lambda: pack(members[:16], 1) and 16 * MEMBER),
        'pack-all': rate(lambda: pack(members, os.cpu_count()) and len(data)),
        'unpack': rate(lambda: len(zlib.decompress(packed))),
        'copy': rate(lambda: copy(work, data)),
        'loopback': rate(lambda: loopback(data)),
        'share': pack(members[:16], 1) / (16 * MEMBER),
    }
    os.unlink(os.path.join(work, 'copy-a'))
    return out


def of(kind, size, speed):
    """(wall, CPU) that no builder gets below for a layer of this size that is made and pushed
    ('commit') or fetched and unpacked ('pull'); the parts by name."""
    packed = size * speed['share']
    parts = {'hash': (size / speed['hash'], (size + packed) / speed['hash']),
             'copy': (size / speed['copy'],) * 2,
             'loopback': (packed / speed['loopback'],) * 2}
    if kind == 'commit':
        parts['pack'] = (size / speed['pack-all'], size / speed['pack'])
    else:
        parts['unpack'] = (size / speed['unpack'] / os.cpu_count(), size / speed['unpack'])
    return max(w for w, _ in parts.values()), sum(c for _, c in parts.values()), parts
