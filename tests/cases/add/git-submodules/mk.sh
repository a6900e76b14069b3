set -e
mkdir -p www && cd www
new() { git init -q -b main "$1" && git -C "$1" config user.email a@example && git -C "$1" config user.name a; }
new s && echo sub >s/in && git -C s add . && git -C s commit -qm s && git clone -q --bare s s.git
new w && cd w && echo top >top && git -c protocol.file.allow=always submodule add -q ../s.git sm
git config -f .gitmodules submodule.sm.url ../s.git && git add . && git commit -qm 1
cd .. && git clone -q --bare w r.git
