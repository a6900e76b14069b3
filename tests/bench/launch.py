# SPDX-License-Identifier: MIT
"""launch.py FILE SECONDS COMMAND…: runs the command for at most so long and writes what it and all
below it took to FILE: seconds, seconds of CPU, peak memory in KiB of the largest process, peak of the sum of
all processes' own memory (without files), and the exit code (124: out of time). A process of its own, because
the peak of a child begins with its parent's memory, and because it adopts what the command leaves."""
import ctypes
import os
import resource
import signal
import sys
import threading
import time

SET_CHILD_SUBREAPER = 36
EVERY = 0.1


def below(pid):
    """All processes below one."""
    children = {}
    for name in os.listdir('/proc'):
        if name.isdigit():
            try:
                with open(f'/proc/{name}/stat', 'rb') as f:
                    parent = int(f.read().rsplit(b')', 1)[1].split()[1])
                children.setdefault(parent, []).append(int(name))
            except (OSError, IndexError):
                continue
    todo, out = [pid], []
    while todo:
        more = children.get(todo.pop(), [])
        out += more
        todo += more
    return out


def own_memory(pid):
    """Kilobytes that are not pages of files."""
    try:
        with open(f'/proc/{pid}/status', 'rb') as f:
            return sum(int(x.split()[1]) for x in f if x.startswith((b'RssAnon:', b'RssShmem:')))
    except (OSError, IndexError, ValueError):
        return 0


class Watch(threading.Thread):
    def __init__(self, seconds):
        super().__init__(daemon=True)
        self.end = time.monotonic() + seconds
        self.peak, self.late = 0, False

    def run(self):
        while True:
            tree = below(os.getpid())
            self.peak = max(self.peak, sum(own_memory(p) for p in tree))
            if time.monotonic() > self.end:
                self.late = True
                for p in tree:
                    try:
                        os.kill(p, signal.SIGKILL)
                    except OSError:
                        pass
            time.sleep(EVERY)


def main():
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    start = time.monotonic()
    # without a copy of this process, which would count as the command's
    pid = os.posix_spawnp(sys.argv[3], sys.argv[3:], os.environ)
    watch = Watch(float(sys.argv[2]))
    watch.start()
    _, status = os.waitpid(pid, 0)
    wall = time.monotonic() - start
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = 124 if watch.late else os.waitstatus_to_exitcode(status)
    with open(sys.argv[1], 'w', encoding='utf-8') as f:
        print(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, watch.peak, code, file=f)


main()
