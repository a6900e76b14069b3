# SPDX-License-Identifier: MIT
"""What the machine can do at most: bytes a second of one core (hash, compress), of the file system
(copy) and of a loopback connection."""
import hashlib
import os
import random
import socket
import threading
import time
import zlib

import workloads

SIZE = 64 << 20


def sample():
    rng = random.Random(1)
    return workloads.mixed(rng, workloads.words(rng), 8 << 20) * (SIZE // (8 << 20))


def rate(work):
    """The best of three."""
    best = 0.0
    for _ in range(3):
        start = time.monotonic()
        n = work()
        best = max(best, n / (time.monotonic() - start))
    return best


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
    data = sample()
    part = data[:16 << 20]
    out = {
        'hash': rate(lambda: hashlib.sha256(data) and len(data)),
        'compress': rate(lambda: zlib.compress(part, 1) and len(part)),
        'copy': rate(lambda: copy(work, data)),
        'loopback': rate(lambda: loopback(data)),
    }
    os.unlink(os.path.join(work, 'copy-a'))
    return out
