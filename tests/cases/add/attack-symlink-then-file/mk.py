import io, os, tarfile
out = tarfile.open("a.tar", "w")
def link(name, target, kind=tarfile.SYMTYPE):
    i = tarfile.TarInfo(name); i.type = kind; i.linkname = target; out.addfile(i)
def file(name):
    i = tarfile.TarInfo(name); i.size = 4; out.addfile(i, io.BytesIO(b"evil"))
link("abs", os.environ["OUTSIDE"]); file("abs/sentinel"); file("abs/new")
link("up", "../../../../../../../../../../.." + os.environ["OUTSIDE"]); file("up/sentinel"); file("up/new2")
link("chain1", "abs"); link("chain2", "chain1"); file("chain2/sentinel")
out.close()
