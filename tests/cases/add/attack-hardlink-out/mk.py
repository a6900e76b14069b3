import io, os, tarfile
out = tarfile.open("a.tar", "w")
i = tarfile.TarInfo("h"); i.type = tarfile.LNKTYPE; i.linkname = "../../../../../../../.." + os.environ["OUTSIDE"] + "/sentinel"; out.addfile(i)
i = tarfile.TarInfo("h"); i.size = 4; out.addfile(i, io.BytesIO(b"evil"))
out.close()
