import gzip, io, tarfile
# a tar whose only member claims a terabyte, and a short stream
i = tarfile.TarInfo("f"); i.size = 1 << 40
with gzip.open("a.tar.gz", "wb") as f:
    f.write(i.tobuf())
    f.write(b"\0" * (1 << 20))
