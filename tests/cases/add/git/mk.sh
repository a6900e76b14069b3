set -e
mkdir -p www && cd www
git init -q -b main w && cd w
git config user.email a@example && git config user.name a
mkdir sub && echo 1 >sub/f && echo v1 >top && printf '#!/bin/sh\n' >run && chmod 755 run && ln -s top l
chmod 600 sub/f
git add . && git commit -qm 1 && git tag v1 && echo v2 >top && git commit -qam 2
cd .. && git clone -q --bare w r.git && git -C r.git update-server-info
