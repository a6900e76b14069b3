set -e
mkdir -p www && tar -C t -czf www/t.tgz . && tar -C t -cf l.tar . && cd www
git init -q -b main w && cd w
git config user.email a@example && git config user.name a
mkdir s && echo g >s/f && git add . && git commit -qm 1
cd .. && git clone -q --bare w r.git
