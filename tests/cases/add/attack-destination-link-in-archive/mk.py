import io, os, tarfile
a = tarfile.open("a.tar", "w")
i = tarfile.TarInfo("out"); i.type = tarfile.SYMTYPE; i.linkname = os.environ["OUTSIDE"]; a.addfile(i)
a.close()
b = tarfile.open("b.tar", "w")
i = tarfile.TarInfo("sentinel"); i.size = 4; b.addfile(i, io.BytesIO(b"evil"))
b.close()
