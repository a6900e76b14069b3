#!/usr/bin/env python3
"""Runs shell scripts in a virtual machine that has nothing but busybox, cooper and the tests.

    tests/vm/vm.py --arch arm64|amd64 --build DIR [--sysroot DIR] [--initramfs] SCRIPT...

The machine shows what this one may not have: another processor with a real kernel under it (qemu-user knows
neither seccomp nor namespaces), control groups v2, a root that is an initramfs. The kernel is Debian's
linux-image-cloud, unpacked only. The processor is emulated, which works everywhere (--kvm: the machine's own). The
exit status is the first failing script's; 77 when there is no qemu-system.
"""
import argparse
import glob
import gzip
import os
import re
import shutil
import stat
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
MACHINES = {
    "arm64": {"qemu": "qemu-system-aarch64", "console": "ttyAMA0", "machine": "virt", "cpu": "cortex-a57",
              "triplet": "aarch64-linux-gnu"},
    "amd64": {"qemu": "qemu-system-x86_64", "console": "ttyS0", "machine": "q35", "cpu": "max",
              "triplet": "x86_64-linux-gnu"},
}
MODULES = ["kernel/fs/overlayfs/overlay.ko"]
PROGRAMS = ["usr/bin/newuidmap", "usr/bin/newgidmap", "usr/bin/getfattr"]
BINARIES = ["cooper", "tests/interpose_*", "tests/sandbox_*", "tests/snapshot_*", "tests/tools/*"]
INIT = r"""#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /var/tmp /run /newroot /usr/bin /usr/sbin /sbin
/bin/busybox --install -s
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
echo 0 >/proc/sys/kernel/printk
insmod /overlay.ko 2>/dev/null
ifconfig lo 127.0.0.1 up
if grep -q keep-initramfs /proc/cmdline; then exec /bin/sh /stage2; fi
mount -t tmpfs -o mode=755,size=70% root /newroot
for d in bin sbin etc lib usr var home tmp run work opt srv mnt stage2 TOPDIR; do
	[ -e "/$d" ] && tar -cf - "/$d" 2>/dev/null | tar -xf - -C /newroot 2>/dev/null
done
mkdir -p /newroot/proc /newroot/sys /newroot/dev
umount /proc /sys /dev
exec switch_root /newroot /bin/sh /stage2
"""
STAGE2 = r"""
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root
[ -e /proc/self ] || mount -t proc proc /proc
[ -e /sys/fs ] || mount -t sysfs sys /sys
[ -e /dev/tty ] || mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm; mount -t devpts devpts /dev/pts; mount -t tmpfs shm /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
chmod 1777 /tmp /var/tmp /dev/shm
cd TOPDIR
status=0
for script in guest-script-*; do
	echo "==> ${script#guest-script-?-}"
	(set -e; cd TOPDIR; . "./$script") </dev/null || { r=$?; echo "${script#guest-script-?-}: exit $r"; [ $status != 0 ] || status=$r; }
done
echo "vm: exit $status"
sync
poweroff -f
"""


def fetch_kernel(arch, cache):
    root = os.path.join(cache, "kernel-" + arch)
    if not glob.glob(root + "/boot/vmlinuz-*"):
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(["mmdebstrap", "--quiet", "--variant=extract", "--architectures=" + arch,
                        "--include=linux-image-cloud-" + arch, "bookworm", root], check=True)
    return root


def needed(path):
    out = subprocess.run(["readelf", "-lWd", path], capture_output=True, text=True).stdout
    libs = re.findall(r"\(NEEDED\).*\[(.*)\]", out)
    return libs + [os.path.basename(i) for i in re.findall(r"program interpreter: (.*)\]", out)]


class Image:
    """An initramfs in the newc format."""

    def __init__(self):
        self.out, self.seen, self.number = bytearray(), set(), 1

    def entry(self, name, mode, data=b"", rdev=(0, 0)):
        name = name.strip("/")
        if name in self.seen:
            return
        self.seen.add(name)
        if os.path.dirname(name):
            self.entry(os.path.dirname(name), stat.S_IFDIR | 0o755)
        raw = name.encode() + b"\0"
        fields = [self.number, mode, 0, 0, 1, 0, len(data), 0, 0, rdev[0], rdev[1], len(raw), 0]
        self.out += b"070701" + b"".join(b"%08X" % f for f in fields) + raw
        self.out += b"\0" * (-len(self.out) % 4) + data
        self.out += b"\0" * (-len(self.out) % 4)
        self.number += 1

    def file(self, name, data, mode=0o755):
        self.entry(name, stat.S_IFREG | mode, data)

    def copy(self, path, name=None, mode=0o755):
        with open(path, "rb") as f:
            self.file(name or path, f.read(), mode)

    def finish(self):
        self.entry("TRAILER!!!", 0)
        return gzip.compress(bytes(self.out), 1)


def library(name, sysroot, triplet):
    for d in ("lib/" + triplet, "usr/lib/" + triplet, "lib", "lib64"):
        path = os.path.join(sysroot, d, name)
        if os.path.exists(path):
            return path, "/%s/%s" % ("lib64" if name.startswith("ld-linux-x86") else
                                     "lib" if name.startswith("ld-linux") else "lib/" + triplet, name)
    sys.exit("vm: no library %s in %s" % (name, sysroot))


def make_image(a, machine, kernel):
    image, queue, have = Image(), [], set()
    strip = shutil.which(machine["triplet"] + "-strip") or "strip"
    for pattern in BINARIES:
        for path in sorted(glob.glob(os.path.join(a.build, pattern))):
            if os.path.isfile(path) and os.access(path, os.X_OK):
                small = os.path.join(a.cache, "stripped-%d" % os.getpid())
                subprocess.run([strip, "-o", small, path], check=True)
                image.copy(small, os.path.abspath(path))
                os.unlink(small)
                queue.append(path)
    for name in PROGRAMS:
        path = os.path.join(a.sysroot, name)
        if os.path.exists(path):
            image.copy(path, name, 0o4755 if "idmap" in name else 0o755)
            queue.append(path)
    while queue:
        for name in needed(queue.pop()):
            if name not in have:
                have.add(name)
                path, target = library(name, a.sysroot, machine["triplet"])
                image.copy(path, target)
                queue.append(path)
    image.copy(os.path.join(a.sysroot, "bin/busybox"), "/bin/busybox")
    image.entry("/bin/sh", stat.S_IFLNK | 0o777, b"busybox")
    image.entry("/dev/console", stat.S_IFCHR | 0o600, rdev=(5, 1))
    image.entry("/dev/null", stat.S_IFCHR | 0o666, rdev=(1, 3))
    for m in MODULES:
        image.copy(glob.glob(kernel + "/lib/modules/*/" + m)[0], os.path.basename(m))
    image.file("/etc/passwd", b"root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n", 0o644)
    for name in ("subuid", "subgid"):
        image.file("/etc/" + name, b"user:100000:65536\n", 0o644)
    image.file("/etc/group", b"root:x:0:\nuser:x:1000:\n", 0o644)
    # what a test program needs is what all need
    image.file("/usr/bin/ldd", b"#!/bin/sh\nls -d /lib/*-linux-gnu/*.so* /lib/ld-linux* /lib64/ld-linux* 2>/dev/null\n:\n")
    for name in ("/root", "/srv", "/opt", "/mnt", "/home/user", "/var/tmp", "/usr/bin"):
        image.entry(name, stat.S_IFDIR | 0o755)
    for d, _, files in os.walk(os.path.join(TOP, "tests/unit")):
        if os.path.basename(d) in ("sandbox", "interpose", "snapshot"):
            for f in files:
                image.copy(os.path.join(d, f))
    top = TOP.strip("/")
    image.file("/init", INIT.replace("TOPDIR", top.split("/", maxsplit=1)[0]).encode())
    for i, script in enumerate(a.script):
        with open(script, encoding="utf-8") as f:
            text = "B=%s\n%s" % (os.path.abspath(a.build), f.read())
        image.file("/%s/guest-script-%d-%s" % (top, i, os.path.basename(script)), text.encode())
    image.file("/stage2", STAGE2.replace("TOPDIR", "/" + top).encode())
    return image.finish()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--arch", choices=MACHINES, required=True)
    p.add_argument("--build", required=True)
    p.add_argument("--sysroot", default="/")
    p.add_argument("--cache", default=os.path.join(TOP, "build-vm"))
    p.add_argument("--initramfs", action="store_true", help="keep the initramfs as the root")
    p.add_argument("--timeout", type=int, default=600)
    p.add_argument("--kvm", action="store_true", help="this machine's processor, not an emulated one")
    p.add_argument("script", nargs="+")
    a = p.parse_args()
    machine = MACHINES[a.arch]
    if not shutil.which(machine["qemu"]):
        print("vm: no %s here" % machine["qemu"])
        return 77
    os.makedirs(a.cache, exist_ok=True)
    kernel = fetch_kernel(a.arch, a.cache)
    initrd = os.path.join(a.cache, "initrd-%s-%d" % (a.arch, os.getpid()))
    with open(initrd, "wb") as f:
        f.write(make_image(a, machine, kernel))
    cpu = ["-accel", "kvm", "-cpu", "host"] if a.kvm else ["-accel", "tcg,thread=multi", "-cpu", machine["cpu"]]
    line = "console=%s panic=-1 quiet no_timer_check%s" % (machine["console"], " keep-initramfs" if a.initramfs else "")
    qemu = subprocess.Popen([machine["qemu"], "-M", machine["machine"], *cpu, "-smp", "2", "-m", "2048", "-nographic",
                             "-no-reboot", "-nic", "none", "-kernel", glob.glob(kernel + "/boot/vmlinuz-*")[0],
                             "-initrd", initrd, "-append", line],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace")
    watchdog = threading.Timer(a.timeout, qemu.kill)
    watchdog.start()
    status = 1
    try:
        for text in qemu.stdout:
            sys.stdout.write(text.replace("\r", ""))
            sys.stdout.flush()
            found = re.match(r"vm: exit (\d+)", text)
            status = int(found.group(1)) if found else status
        qemu.wait()
    finally:
        qemu.kill()
        watchdog.cancel()
        os.unlink(initrd)
    return status


sys.exit(main())
