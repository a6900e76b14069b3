import io, os, tarfile
out = tarfile.open("c.tar", "w")
i = tarfile.TarInfo("Dockerfile"); i.type = tarfile.SYMTYPE; i.linkname = os.environ["OUTSIDE"] + "/Dockerfile"; out.addfile(i)
out.close()
open(os.environ["OUTSIDE"] + "/Dockerfile", "w").write("FROM scratch\nLABEL host=read\n")
