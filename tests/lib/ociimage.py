# SPDX-License-Identifier: MIT
"""Reads an image from an OCI layout directory with nothing but Python's own tar and JSON: an independent view of
what cooper wrote. Layers are applied in order, whiteouts as image-spec layer.md says."""
import gzip, hashlib, io, json, os, subprocess, tarfile

KINDS = {tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.DIRTYPE: "dir", tarfile.SYMTYPE: "link",
         tarfile.CHRTYPE: "char", tarfile.BLKTYPE: "block", tarfile.FIFOTYPE: "fifo", tarfile.GNUTYPE_SPARSE: "file"}


class Entry:
    def __init__(self, kind, mode, uid, gid, mtime, target="", data=b"", dev=(0, 0), xattrs=None):
        self.kind, self.mode, self.uid, self.gid, self.mtime = kind, mode, uid, gid, mtime
        self.target, self.data, self.dev, self.xattrs = target, data, dev, xattrs or {}
        self.inode = object()  # shared by hard links

    def row(self, times=False):
        what = {"link": self.target, "file": hashlib.sha256(self.data).hexdigest()[:16] + " %d" % len(self.data)}
        mode = 0 if self.kind == "link" else self.mode
        row = [self.kind, "%04o" % mode, "%d:%d" % (self.uid, self.gid), what.get(self.kind, "")]
        if self.kind in ("char", "block"):
            row.append("%d,%d" % self.dev)
        if self.xattrs:
            row.append(" ".join("%s=%s" % (k, v.hex()) for k, v in sorted(self.xattrs.items())))
        return row + ([str(self.mtime)] if times else [])


class Image:
    def __init__(self, layout, number=0):
        """number: which image of an index"""
        self.layout = layout
        index = json.load(open(os.path.join(layout, "index.json")))
        self.descriptor = index["manifests"][0]
        self.manifest_bytes = self.blob(self.descriptor["digest"])
        self.manifest = json.loads(self.manifest_bytes)
        if "manifests" in self.manifest:
            self.index = self.manifest
            self.descriptor = self.index["manifests"][number]
            self.manifest = json.loads(self.blob(self.descriptor["digest"]))
        self.config = json.loads(self.blob(self.manifest["config"]["digest"]))

    def blob(self, digest):
        alg, hexa = digest.split(":")
        data = open(os.path.join(self.layout, "blobs", alg, hexa), "rb").read()
        if hashlib.new(alg, data).hexdigest() != hexa:
            raise ValueError("blob %s does not have its digest" % digest)
        return data

    def layer_tar(self, i):
        desc = self.manifest["layers"][i]
        data = self.blob(desc["digest"])
        if len(data) != desc["size"]:
            raise ValueError("layer %d: size" % i)
        if desc["mediaType"].endswith("gzip"):
            data = gzip.decompress(data)
        elif desc["mediaType"].endswith("zstd"):
            data = subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout
        want = self.config["rootfs"]["diff_ids"][i]
        if "sha256:" + hashlib.sha256(data).hexdigest() != want:
            raise ValueError("layer %d: diff id" % i)
        return tarfile.open(fileobj=io.BytesIO(data))

    def members(self, i):
        return [m.name for m in self.layer_tar(i)]

    def tree(self):
        tree = {}
        for i in range(len(self.manifest["layers"])):
            self.apply(tree, self.layer_tar(i))
        return tree

    @staticmethod
    def remove(tree, path):
        for p in [p for p in tree if p == path or p.startswith(path + "/")]:
            del tree[p]

    def apply(self, tree, tar):
        made = set()
        for m in tar:
            path = "/" + os.path.normpath(m.name).lstrip("/")
            if path == "/.":
                continue
            where, name = os.path.split(path)
            if name == ".wh..wh..opq":
                for p in [p for p in tree if p.startswith(where.rstrip("/") + "/") and p not in made]:
                    del tree[p]
                continue
            if name.startswith(".wh."):
                self.remove(tree, os.path.join(where, name[4:]))
                continue
            if not m.isdir() or (path in tree and tree[path].kind != "dir"):
                self.remove(tree, path)
            tree[path] = self.entry(tree, tar, m)
            made.add(path)

    @staticmethod
    def entry(tree, tar, m):
        if m.islnk():
            return tree["/" + os.path.normpath(m.linkname).lstrip("/")]
        xattrs = {k[len("SCHILY.xattr."):]: v.encode("utf-8", "surrogateescape")
                  for k, v in m.pax_headers.items() if k.startswith("SCHILY.xattr.")}
        data = tar.extractfile(m).read() if m.isreg() else b""
        return Entry(KINDS[m.type], m.mode, m.uid, m.gid, int(m.mtime), m.linkname if m.issym() else "", data,
                     (m.devmajor, m.devminor), xattrs)
