# SPDX-License-Identifier: MIT
"""Run as a program: writes "hello", a static one for 64-bit ARM that says so. For cases of another platform."""
import struct
msg = b"hello from arm64\n"
code = [0xD2800020, 0, 0xD2800002 | len(msg) << 5, 0xD2800808, 0xD4000001, 0xD2800000, 0xD2800BA8, 0xD4000001]
off = (len(code) - 1) * 4
code[1] = 0x10000001 | (off & 3) << 29 | (off >> 2) << 5
text = struct.pack("<8I", *code) + msg
base, head = 0x400000, 64 + 56
elf = b"\x7fELF\x02\x01\x01" + b"\0" * 9 + struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, base + head, 64, 0, 0, 64, 56, 1, 0, 0, 0)
elf += struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, head + len(text), head + len(text), 4096) + text
open("hello", "wb").write(elf)
