# SPDX-License-Identifier: MIT
"""launch.py FILE COMMAND…: runs the command and writes seconds of CPU, peak memory in KiB and the exit
code to FILE. A process of its own, because the peak of a child begins with its parent's memory."""
import os
import sys

pid = os.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], 'w', encoding='utf-8') as f:
    print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss, os.waitstatus_to_exitcode(status), file=f)
