# SPDX-License-Identifier: MIT
"""What the builds of the matrix begin with: a folder for the job containers, and bases made once."""
import hashlib
import os
import shutil
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def work_folder(wanted, name):
    """Where a run keeps what it makes: the folder that was asked for, or a new one. Jobs run as many users."""
    folder = wanted or tempfile.mkdtemp(prefix="cooper-%s-" % name, dir="/var/tmp")
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o755)
    return folder


def readable(folder):
    """Everybody may read what is in it: jobs run as many users."""
    for top, dirs, files in os.walk(folder):
        for n in dirs + files:
            path = os.path.join(top, n)
            os.chmod(path, 0o755 if os.path.isdir(path) or os.access(path, os.X_OK) else 0o644)


def input_folder(folder, cooper, cache):
    """cooper, busybox, debian.tar and the Dockerfiles."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("busybox", "debian", "installed"):
        os.makedirs(os.path.join(folder, name))
    shutil.copy(cooper, os.path.join(folder, "cooper"))
    shutil.copy(shutil.which("busybox"), os.path.join(folder, "busybox", "busybox"))
    shutil.copy(os.path.join(HERE, "../../testdata/base/Dockerfile"), os.path.join(folder, "busybox.Dockerfile"))
    shutil.copy(os.path.join(HERE, "inside.sh"), folder)
    shutil.copytree(os.path.join(HERE, "dockerfiles"), os.path.join(folder, "dockerfiles"))
    os.link(os.path.join(cache, "debian.tar"), os.path.join(folder, "debian", "debian.tar"))
    with open(os.path.join(folder, "debian.Dockerfile"), "w", encoding="ascii") as f:
        f.write('FROM scratch\nADD debian.tar /\nCMD ["bash"]\n')
    readable(folder)


def stage_text(path):
    """The lines up to the second FROM."""
    with open(path, encoding="utf-8") as f:
        parts = f.read().split("\nFROM ")
    return parts[0] + parts[1] if parts[0].startswith("#") else parts[0]


def installed(folder, cache, name):
    """The stage "installed" of full/NAME, built here as root: a layout in the cache, linked into the folder.

    Builds take it instead of the stage of that name, so that a package is downloaded once and not once in every
    environment."""
    source = os.path.join(folder, "dockerfiles", "full", name)
    debian = os.stat(os.path.join(cache, "debian.tar"))
    state = "%s %d %d" % (stage_text(os.path.join(source, "Dockerfile")), debian.st_size, debian.st_mtime_ns)
    layout = os.path.join(cache, "installed", "%s-%s" % (name, hashlib.sha256(state.encode()).hexdigest()[:16]))
    if not os.path.isdir(layout):
        store, made = folder + "-store", "%s.%d" % (layout, os.getpid())
        os.makedirs(store, exist_ok=True)
        cooper = [os.path.join(folder, "cooper")]
        common = ["--root", store, "--progress=plain"]
        build = cooper + ["build", "--user-policy=off", "--sandbox=userns"] + common
        steps = [build + ["-t", "matrix/debian", "-f", os.path.join(folder, "debian.Dockerfile"), os.path.join(folder, "debian")],
                 build + ["-t", "matrix/" + name, "--target", "installed", source],
                 cooper + ["save"] + common + ["--format", "oci-dir", "-o", made, "matrix/" + name]]
        for step in steps:
            said = subprocess.run(step, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            if said.returncode:
                raise SystemExit("%s\n%s" % (" ".join(step), said.stdout.decode(errors="replace")[-3000:]))
        readable(made)
        os.rename(made, layout)
    shutil.copytree(layout, os.path.join(folder, "installed", name), copy_function=os.link)


def prepare(folder, cooper, cache, names):
    input_folder(folder, cooper, cache)
    os.makedirs(os.path.join(cache, "installed"), exist_ok=True)
    for name in names:
        installed(folder, cache, name)
    shutil.rmtree(folder + "-store", ignore_errors=True)
