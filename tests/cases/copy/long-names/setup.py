import os
p = "d"
os.mkdir(p)
for i in range(12):
    p += "/" + "n" * 100
    os.mkdir(p)
open(p + "/" + "f" * 255, "w").close()
