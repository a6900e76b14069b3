# SPDX-License-Identifier: MIT
"""The environments of the matrix: how a command gets started in each."""
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
CONTAINER, WITHOUT = os.path.join(HERE, "container.py"), os.path.join(HERE, "without.py")
ENOSYS, EPERM = 38, 1
RANGE_USER, SINGLE_USER = "coop-range", "coop-single"
RANDOM_UID = 1000650000
REMAPPED = 300000  # where the ids of such a container begin

LANDLOCK = "landlock_create_ruleset,landlock_add_rule,landlock_restrict_self"
MISSING = {"no-openat2": ("openat2", ENOSYS), "no-statx": ("statx", ENOSYS), "no-clone3": ("clone3", ENOSYS),
           "no-landlock": (LANDLOCK, ENOSYS), "old-profile": ("openat2,statx,faccessat2,fchmodat2,clone3,close_range", EPERM),
           "no-mount-api": ("fsopen,open_tree,move_mount,mount_setattr", ENOSYS)}

# name: (sandbox it must choose, what it is)
PLAIN = {"root": ("userns", "E1: root of a machine"),
         "range": ("userns", "E2: a user with subordinate ids"),
         "single": ("userns", "E3: a user without"),
         "docker": ("chroot", "E4: root of a Docker container"),
         "restricted": ("emulated", "E5: uid 1000 in a restricted pod"),
         "random": ("emulated", "a random uid with gid 0 (OpenShift)"),
         "remapped": ("chroot", "E4 with 65,536 ids of its own (userns-remap)"),
         "docker-ro": ("chroot", "E4, the container's root read-only"),
         "restricted-ro": ("emulated", "E5, the container's root read-only")}
# forced onto a machine that has better
FORCED = {"root-chroot": ("root", "chroot"), "root-emulated": ("root", "emulated"), "single-emulated": ("single", "emulated"),
          "docker-emulated": ("docker", "emulated")}


def users_make():
    for name, count in ((RANGE_USER, 65536), (SINGLE_USER, 0)):
        if subprocess.run(["id", name], capture_output=True).returncode:
            subprocess.run(["useradd", "-m", "-K", "SUB_UID_COUNT=%d" % count, "-K", "SUB_GID_COUNT=%d" % count, name], check=True,
                           stderr=subprocess.DEVNULL)


def users_remove():
    for name in (RANGE_USER, SINGLE_USER):
        subprocess.run(["userdel", "-r", name], capture_output=True)


class Environment:
    """One environment: `plain` says who and where, `missing` what the kernel lacks, `sandbox` what is forced."""

    def __init__(self, name):
        self.name = name
        self.plain, _, lack = name.partition("+")
        self.plain_name = self.plain
        self.without, self.error = MISSING[lack] if lack else ("", ENOSYS)
        self.flags = ""
        if self.plain in FORCED:
            self.plain, sandbox = FORCED[self.plain]
            self.flags = "--sandbox=" + sandbox
            self.sandbox = sandbox
        else:
            self.sandbox = PLAIN[self.plain][0]
        self.contained = self.plain.split("-")[0] in ("docker", "restricted", "random", "remapped")

    def owner(self):
        """uid, gid of the builder."""
        if self.plain in ("range", "single"):
            name = RANGE_USER if self.plain == "range" else SINGLE_USER
            return tuple(int(subprocess.check_output(["id", flag, name])) for flag in ("-u", "-g"))
        if self.plain == "random":
            return RANDOM_UID, 0
        if self.plain == "remapped":
            return REMAPPED, REMAPPED
        return (1000, 1000) if self.plain.startswith("restricted") else (0, 0)

    def command(self, rootfs, binds, env, argv):
        """The command line that runs argv there; binds: folders it needs, (path, writable)."""
        env = dict(env, BUILD_FLAGS=(env.get("BUILD_FLAGS", "") + " " + self.flags).strip())
        if not self.contained:
            out = [WITHOUT, self.without, str(self.error)] if self.without else []
            # as a job starts it: no environment from here
            out += ["env", "-i", "PATH=" + os.environ["PATH"]] + ["%s=%s" % kv for kv in env.items()]
            if self.plain != "root":
                user = RANGE_USER if self.plain == "range" else SINGLE_USER
                out += ["setpriv", "--reuid=" + user, "--regid=" + user, "--init-groups"]
            return out + argv
        uid, gid = self.owner() if self.plain != "remapped" else (0, 0)
        out = [CONTAINER, "docker" if uid == 0 else "restricted", "--root", rootfs, "--uid", str(uid), "--gid", str(gid)]
        if self.plain.endswith("-ro"):
            out.append("--read-only")
        if self.plain == "remapped":
            out += ["--remap", str(REMAPPED)]
            for path, _ in binds:  # its root may not make them
                os.makedirs(rootfs + path, exist_ok=True)
        if self.without:
            out += ["--without", self.without, "--error", str(self.error)]
        for path, writable in binds:
            out += ["--bind", "%s:%s%s" % (path, path, "" if writable else ":ro")]
        for kv in env.items():
            out += ["--env", "%s=%s" % kv]
        return out + ["--"] + argv
