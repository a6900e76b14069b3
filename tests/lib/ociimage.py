# SPDX-License-Identifier: MIT
"""Reads an image from an OCI layout directory with nothing but Python's own tar and JSON: an independent view of
what cooper wrote. Layers are applied in order, whiteouts as image-spec layer.md says."""
import gzip, hashlib, io, json, os, re, subprocess, tarfile

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

    def validate(self):
        """The rules of the OCI image schemas that a document of ours can break; raises ValueError."""
        def need(ok, what):
            if not ok:
                raise ValueError("OCI schema: " + what)

        def descriptor(d):
            need(re.fullmatch(r"[\w.+-]+/[\w.+-]+", d.get("mediaType", "")), "mediaType of %s" % d)
            need(re.fullmatch(r"sha256:[0-9a-f]{64}", d.get("digest", "")), "digest of %s" % d)
            need(isinstance(d.get("size"), int) and d["size"] >= 0, "size of %s" % d)

        m, c = self.manifest, self.config
        need(m.get("schemaVersion") == 2, "schemaVersion")
        for d in [self.descriptor, m["config"]] + m["layers"]:
            descriptor(d)
        need(len(self.blob(m["config"]["digest"])) == m["config"]["size"], "size of the config")
        need(isinstance(c.get("architecture"), str) and isinstance(c.get("os"), str), "architecture, os")
        need(c["rootfs"]["type"] == "layers", "rootfs.type")
        need(len(c["rootfs"]["diff_ids"]) == len(m["layers"]), "as many diff ids as layers")
        filled = [h for h in c.get("history", []) if not h.get("empty_layer")]
        need(len(filled) == len(m["layers"]), "as many filled history entries as layers")
        run = c.get("config", {})
        for key in ("Env", "Entrypoint", "Cmd", "OnBuild", "Shell"):
            need(all(isinstance(x, str) for x in run.get(key) or []), key)
        need(all("=" in e for e in run.get("Env") or []), "Env")
        for key in ("Volumes", "ExposedPorts"):
            need(all(v == {} for v in (run.get(key) or {}).values()), key)
        need(all(isinstance(v, str) for v in (run.get("Labels") or {}).values()), "Labels")

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
