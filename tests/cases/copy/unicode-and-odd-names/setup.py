import os
os.mkdir("d")
for n in (b"\xc3\xa4", b"\xff\xfe", b"new\nline", b"-rf", b"a\\b", b".wh", b" "):
    open(b"d/" + n, "w").close()
