set -e
mkdir -p www && cd www
git init -q -b main w && cd w
git config user.email a@example && git config user.name a
printf 'FROM scratch\nCOPY . /x/\n' >Dockerfile && echo 1 >f && mkdir -p sub/deep && printf 'FROM scratch\nCOPY . /y/\n' >sub/deep/Dockerfile && echo 2 >sub/deep/g
printf 'f\n' >.dockerignore
git add . && GIT_COMMITTER_DATE="1000000000 +0000" GIT_AUTHOR_DATE="900000000 +0000" git commit -qm 1 && git tag v1
echo FROM nothing >Dockerfile && git commit -qam broken
cd .. && git clone -q --bare w r.git
