set -e
mkdir -p www && cd www
git init -q -b main w && cd w
git config user.email a@example && git config user.name a
printf 'FROM scratch\nCOPY . /y/\n' >Dockerfile
git add . && git commit -qm 1
cd .. && git clone -q --bare w r.git
printf 'basic %s' "$(printf x-access-token:canary-tok | base64)" >.auth
