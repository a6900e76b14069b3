set -e
mkdir -p www && cd www
git init -q -b main w && cd w
git config user.email a@example && git config user.name a
mkdir -p sub/deep && printf 'FROM scratch\nCOPY . /y/\n' >sub/deep/Dockerfile && echo 2 >sub/deep/g
git add . && git commit -qm 1
cd .. && git clone -q --bare w r.git
