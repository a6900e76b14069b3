set -e
mkdir -p www && cd www
git init -q -b main w && cd w
git config user.email a@example && git config user.name a
mkdir sub && echo 1 >sub/f && echo v1 >top
git add . && GIT_COMMITTER_DATE="1000000000 +0000" GIT_AUTHOR_DATE="1000000000 +0000" git commit -qm 1 && git tag v1 && echo v2 >top && git commit -qam 2
git branch other && git checkout -q other && echo o >o && git add o && git commit -qm o && git checkout -q main
cd .. && git clone -q --bare w r.git
