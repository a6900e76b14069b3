import io, os, tarfile
out = tarfile.open("a.tar", "w")
for i, name in enumerate(("../e1", "a/../../e2", "/e3", ".//..//e4", "../../../../../../../../../../.." + os.environ["OUTSIDE"] + "/sentinel", "b/..")):
    info = tarfile.TarInfo(name)
    info.size = 4
    out.addfile(info, io.BytesIO(b"evil"))
out.close()
