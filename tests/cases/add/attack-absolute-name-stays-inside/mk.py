import io, os, tarfile
out = tarfile.open("a.tar", "w")
info = tarfile.TarInfo("p")
info.name = os.environ["OUTSIDE"] + "/sentinel"
info.size = 4
out.addfile(info, io.BytesIO(b"evil"))
out.close()
