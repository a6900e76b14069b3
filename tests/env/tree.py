# SPDX-License-Identifier: MIT
"""The tree that an image in an OCI archive unpacks to, as {path: description}."""
import hashlib
import io
import json
import posixpath
import tarfile


def layers(archive):
    with tarfile.open(archive) as t:
        def blob(digest):
            return t.extractfile("blobs/" + digest.replace(":", "/")).read()
        index = json.load(t.extractfile("index.json"))
        manifest = json.loads(blob(index["manifests"][0]["digest"]))
        while "manifests" in manifest:
            manifest = json.loads(blob(manifest["manifests"][0]["digest"]))
        for layer in manifest["layers"]:
            yield blob(layer["digest"])


def remove(tree, path, itself=True):
    for p in [p for p in tree if p.startswith(path + "/")]:
        del tree[p]
    if itself:
        tree.pop(path, None)


def describe(t, m):
    kind = {tarfile.LNKTYPE: "h", tarfile.SYMTYPE: "l", tarfile.CHRTYPE: "c", tarfile.BLKTYPE: "b", tarfile.DIRTYPE: "d",
            tarfile.FIFOTYPE: "p"}.get(m.type, "f")
    digest = hashlib.sha256(t.extractfile(m).read()).hexdigest()[:16] if kind == "f" else ""
    attributes = tuple(sorted((k, v) for k, v in m.pax_headers.items() if k.startswith("SCHILY.xattr.")))
    node = (m.devmajor, m.devminor) if kind in "cb" else ()
    return (kind, oct(m.mode), m.uid, m.gid, m.size if kind == "f" else 0, digest, m.linkname, node, m.mtime, attributes)


def read(archive):
    tree = {}
    for data in layers(archive):
        with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as t:
            for m in t:
                path = m.name.strip("/")
                folder, name = posixpath.split(path)
                if name == ".wh..wh..opq":
                    remove(tree, folder, False)
                elif name.startswith(".wh."):
                    remove(tree, posixpath.join(folder, name[4:]))
                else:
                    if path in tree and not (m.isdir() and tree[path][0] == "d"):
                        remove(tree, path)
                    tree[path] = describe(t, m)
    return tree


def differing(a, b):
    return sorted(p for p in a.keys() | b.keys() if a.get(p) != b.get(p))
