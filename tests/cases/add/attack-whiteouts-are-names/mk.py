import io, os, tarfile
out = tarfile.open("a.tar", "w")
i = tarfile.TarInfo(".wh.x-keep"); out.addfile(i)
out.close()
