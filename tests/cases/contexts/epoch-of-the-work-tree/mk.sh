set -e
git init -q w && cd w
git config user.email a@example && git config user.name a
mkdir -p app/d
printf 'FROM scratch\nCOPY . /y/\nCOPY <<E /h\nx\nE\n' >app/Dockerfile
echo 1 >app/d/f
git add . && GIT_COMMITTER_DATE="1000000000 +0000" git commit -qm 1
git gc -q
# edited before it was committed, and a checkout of later
touch -d @900000000 app/d/f app/d && touch -d @1100000000 app/Dockerfile
