import io, tarfile
out = tarfile.open("c.tar", "w")
def file(name, data=b"x", mode=0o644):
    i = tarfile.TarInfo(name); i.size = len(data); i.mode = mode; out.addfile(i, io.BytesIO(data))
file("Dockerfile", b"FROM base\nCOPY s /s\nRUN --mount=target=/c test $(head -c1 /c/mem 2>/dev/null | wc -c) = 0\n")
file("s", mode=0o4755)
i = tarfile.TarInfo("mem"); i.type = tarfile.CHRTYPE; i.devmajor = 1; i.devminor = 1; out.addfile(i)
out.close()
