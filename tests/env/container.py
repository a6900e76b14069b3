#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run a command in a container such as build jobs get, to see how a builder fares there.

    container.py KIND --root DIR [OPTION]... -- COMMAND [ARGUMENT]...

KIND  docker      root with Docker's default capabilities and system calls
      restricted  uid 1000, no capability, no_new_privs: Kubernetes' "restricted" pod standard
Needs root, runc and a list of harmless system calls (golang-github-containers-common); what Docker
refuses beyond that list is refused here too. The network is the machine's. The exit status is the
command's.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

PROFILE = "/usr/share/containers/seccomp.json"

# capabilities(7): Docker's default set
DOCKER_CAPS = ("AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID "
               "SETPCAP SETUID SYS_CHROOT")

# The list of system calls comes from a runtime that lets containers make namespaces. Docker ties these to SYS_ADMIN.
FOR_ADMIN = {
    "mounts": "mount umount umount2 pivot_root fsopen fsconfig fsmount fspick move_mount open_tree mount_setattr",
    "namespaces": "unshare setns clone clone3 sethostname setdomainname",
    "keys": "add_key keyctl request_key",
    "kernel": "acct bpf fanotify_init lookup_dcookie perf_event_open quotactl quotactl_fd reboot swapoff swapon syslog "
              "userfaultfd vhangup io_uring_setup io_uring_enter io_uring_register",
    "processes": "kcmp open_by_handle_at pidfd_getfd process_madvise",
}
CLONE_NAMESPACES = 0x7E020000
ENOSYS = 38
SECCOMP_ARCHES = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]


def rule(names, action="SCMP_ACT_ALLOW", **more):
    return {"names": sorted(names), "action": action, **more}


def wanted(entry, caps):
    """Does a conditional entry of the profile hold for these capabilities on this processor?"""
    includes, excludes = entry.get("includes") or {}, entry.get("excludes") or {}
    has = {"CAP_" + c for c in caps}
    return (entry["action"] == "SCMP_ACT_ALLOW"
            and "amd64" in (includes.get("arches") or ["amd64"])
            and "amd64" not in (excludes.get("arches") or [])
            and set(includes.get("caps") or []) <= has
            and not set(excludes.get("caps") or []) & has)


def filter_of(caps, without, error):
    """Docker's default filter; `without` answer `error` as an old kernel or runtime would."""
    held = set(" ".join(FOR_ADMIN.values()).split()) | without
    rules = []
    with open(PROFILE, encoding="ascii") as f:
        profile = json.load(f)
    for entry in profile["syscalls"]:
        names = set(entry["names"]) - held
        if names and wanted(entry, caps):
            rules.append(rule(names, **{k: entry[k] for k in ("args", "errnoRet") if entry.get(k)}))
    no_namespaces = {"index": 0, "value": CLONE_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    rules.append(rule(["clone"], args=[no_namespaces]))
    rules.append(rule(["clone3"], "SCMP_ACT_ERRNO", errnoRet=ENOSYS))
    if without - {"clone3"}:
        rules.append(rule(without - {"clone3"}, "SCMP_ACT_ERRNO", errnoRet=error))
    return {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "architectures": SECCOMP_ARCHES, "syscalls": rules}


def mount(destination, kind, source, *options):
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}


def mounts_of(binds):
    quiet = ("nosuid", "noexec", "nodev")
    out = [mount("/proc", "proc", "proc", *quiet),
           mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
           mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
           mount("/dev/shm", "tmpfs", "shm", *quiet, "mode=1777", "size=65536k"),
           mount("/dev/mqueue", "mqueue", "mqueue", *quiet),
           mount("/sys", "none", "/sys", "rbind", "ro", *quiet),
           mount("/etc/resolv.conf", "bind", "/etc/resolv.conf", "rbind", "ro")]
    for bind in binds:
        source, target, *mode = bind.split(":")
        out.append(mount(target, "bind", os.path.abspath(source), "rbind", "ro" if mode == ["ro"] else "rw"))
    return out


def config(o):
    caps = DOCKER_CAPS.split() if o.kind == "docker" else []
    uid = o.uid if o.uid is not None else {"docker": 0, "restricted": 1000}[o.kind]
    gid = o.gid if o.gid is not None else uid
    names = ["CAP_" + c for c in caps]
    env = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp", "CI=true"]
    process = {"terminal": False, "args": o.command, "cwd": "/", "env": env + o.env, "user": {"uid": uid, "gid": gid},
               "capabilities": {kind: names for kind in ("bounding", "effective", "permitted")},
               "noNewPrivileges": o.kind == "restricted"}
    own = ("pid", "ipc", "uts", "mount") if not o.host_pid else ("ipc", "uts", "mount")
    hidden = ["acpi", "asound", "kcore", "keys", "latency_stats", "sched_debug", "scsi", "timer_list"]
    fixed = ["bus", "fs", "irq", "sys", "sysrq-trigger"]
    if o.remap:
        own += ("user",)
    linux = {"namespaces": [{"type": n} for n in own],
             "maskedPaths": ["/proc/" + n for n in hidden] + ["/sys/firmware"],
             "readonlyPaths": ["/proc/" + n for n in fixed],
             "seccomp": filter_of(caps, set(o.without.split(",")) - {""}, o.error)}
    if o.remap:
        linux["uidMappings"] = linux["gidMappings"] = [{"containerID": 0, "hostID": o.remap, "size": 65536}]
    if o.privileged:
        with open("/proc/self/status", encoding="ascii") as f:
            mine = next(line.split()[1] for line in f if line.startswith("CapBnd"))
        every = subprocess.run(["capsh", "--decode=" + mine], capture_output=True, text=True, check=True)
        names = [c.upper() for c in every.stdout.strip().split("=")[1].split(",")]
        process["capabilities"] = {kind: names for kind in ("bounding", "effective", "permitted")}
        for key in ("seccomp", "maskedPaths", "readonlyPaths"):
            del linux[key]
    return {"ociVersion": "1.0.2", "hostname": "job", "process": process, "linux": linux, "mounts": mounts_of(o.bind),
            "root": {"path": os.path.abspath(o.root), "readonly": o.read_only}}


def arguments():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("kind", choices=("docker", "restricted"))
    p.add_argument("--root", required=True, help="the container's root file system")
    p.add_argument("--bind", action="append", default=[], metavar="SOURCE:TARGET[:ro]")
    p.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    p.add_argument("--uid", type=int)
    p.add_argument("--gid", type=int, help="default: the uid")
    p.add_argument("--read-only", action="store_true", help="the root file system is read-only")
    p.add_argument("--without", default="", metavar="CALL,...", help="system calls that fail")
    p.add_argument("--error", type=int, default=ENOSYS, help="how they fail (default: ENOSYS)")
    p.add_argument("--host-pid", action="store_true", help="the machine's pid namespace")
    p.add_argument("--remap", type=int, metavar="FIRST", help="ids 0 to 65535 are the machine's from here on (dockerd's userns-remap)")
    p.add_argument("--privileged", action="store_true", help="all capabilities, no filter")
    p.add_argument("command", nargs="+")
    return p.parse_args()


def main():
    o = arguments()
    bundle = tempfile.mkdtemp(prefix="container-")
    name = os.path.basename(bundle)
    try:
        with open(os.path.join(bundle, "config.json"), "w", encoding="ascii") as f:
            json.dump(config(o), f)
        return subprocess.call(["runc", "run", "--bundle", bundle, name])
    finally:
        subprocess.call(["runc", "delete", "--force", name], stderr=subprocess.DEVNULL)
        shutil.rmtree(bundle)


if __name__ == "__main__":
    sys.exit(main())
