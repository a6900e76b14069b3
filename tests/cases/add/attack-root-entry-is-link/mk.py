import io, os, tarfile
out = tarfile.open("a.tar", "w")
for name in (".", "./", "/", "/."):
    i = tarfile.TarInfo(name); i.type = tarfile.SYMTYPE; i.linkname = os.environ["OUTSIDE"]; out.addfile(i)
out.close()
