# shellcheck shell=sh disable=SC2015,SC2016,SC2086,SC2154,SC2164
# SPDX-License-Identifier: MIT
# In a machine whose root is an initramfs (vm.py --initramfs): pivot_root is refused there.
grep -q '^rootfs / ' /proc/mounts || grep -q '^none / rootfs' /proc/mounts || { cat /proc/mounts; exit 1; }
"$B/cooper" doctor | tee /tmp/doctor
grep -q 'Builds use: userns' /tmp/doctor
cd tests/unit/sandbox
for t in end attack; do
	"$B/tests/sandbox_test_$t" >"/tmp/$t.log" 2>&1 || { grep -v -E ' RUN |  OK ' "/tmp/$t.log" | head -40; exit 1; }
	grep -c ' OK ' "/tmp/$t.log" | sed "s/^/sandbox_test_$t: passed /"
done
# a directory somebody called chroot for is no such root: the step could leave it
mkdir -p /tmp/jail/bin /tmp/jail/proc /tmp/jail/tmp
cp /bin/busybox /tmp/jail/bin/sh
cp -r /lib /tmp/jail/
[ ! -d /lib64 ] || cp -r /lib64 /tmp/jail/
cp "$B/cooper" /tmp/jail/cooper
mount -t proc proc /tmp/jail/proc
chroot /tmp/jail /cooper doctor >/tmp/doctor || true
cat /tmp/doctor
grep -q 'Builds use: chroot' /tmp/doctor
