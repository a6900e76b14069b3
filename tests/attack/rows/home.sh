# Without a home, without an environment: no file lands where nobody asked for it.
# expect: builds
mkdir c && printf 'FROM matrix\nRUN true\n' >c/Dockerfile
env -i PATH="$PATH" COOPER_ROOT="$COOPER_ROOT" "$BUILD" --progress=plain --no-cache c || exit 1
test "$(ls -A)" = c && test "$(ls -A c)" = Dockerfile
