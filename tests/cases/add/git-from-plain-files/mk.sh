set -e
mkdir -p www/dumb && cd www/dumb
git init -q -b main w && cd w
git config user.email a@example && git config user.name a
mkdir d && echo 1 >d/f && git add . && git commit -qm 1 && git tag v1 && git branch other
cd .. && git clone -q --bare w r.git && git -C r.git update-server-info
