set -e
mkdir -p www && cd www
new() { git init -q -b main "$1" && git -C "$1" config user.email a@example && git -C "$1" config user.name a; }
new "$OUTSIDE/repo" && echo secret >"$OUTSIDE/repo/secret" && git -C "$OUTSIDE/repo" add . && git -C "$OUTSIDE/repo" commit -qm s
new w && cd w && git -c protocol.file.allow=always submodule add -q "$OUTSIDE/repo" sm
git config -f .gitmodules submodule.sm.url "$OUTSIDE/repo" && git add . && git commit -qm 1
cd .. && git clone -q --bare w r.git
