import io, os, tarfile
out = tarfile.open("c.tar", "w")
def file(name, data=b"evil"):
    i = tarfile.TarInfo(name); i.size = len(data); out.addfile(i, io.BytesIO(data))
file("Dockerfile", b"FROM scratch\nCOPY . /\n")
file("../../../../../../../../../../.." + os.environ["OUTSIDE"] + "/sentinel")
out.close()
