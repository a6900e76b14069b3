#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run a command for which some system calls fail: without.py CALL[,CALL]... ERRNO COMMAND...

The filter is inherited by everything the command starts. Needs root; set-id programs keep working."""
import ctypes
import os
import platform
import struct
import sys

NUMBERS = {  # (x86_64, aarch64); from 424 on they are the same everywhere
    "openat2": (437, 437), "statx": (332, 291), "clone3": (435, 435), "close_range": (436, 436), "faccessat2": (439, 439),
    "fchmodat2": (452, 452), "landlock_create_ruleset": (444, 444), "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446), "fsopen": (430, 430), "open_tree": (428, 428), "move_mount": (429, 429),
    "mount_setattr": (442, 442)}
LOAD, IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF: A = data[k]; jump if A == k; return k
ALLOW, ERROR = 0x7FFF0000, 0x00050000
PR_SET_SECCOMP, FILTER = 22, 2


def main():
    calls, error, command = sys.argv[1].split(","), int(sys.argv[2]), sys.argv[3:]
    column = ("x86_64", "aarch64").index(platform.machine())
    code = [(LOAD, 0, 0, 0)]
    for i, call in enumerate(calls):
        code.append((IF_EQUAL, len(calls) - i, 0, NUMBERS[call][column]))
    code += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, ERROR | error)]
    text = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *c) for c in code))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(text)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, FILTER, ctypes.c_void_p(ctypes.addressof(program)), 0, 0):
        sys.exit("seccomp: " + os.strerror(ctypes.get_errno()))
    os.execvp(command[0], command)


main()
