# Names in a folder for all are taken before the builder comes.
# expect: builds
mkdir c t && chmod 1777 t && printf 'FROM matrix\nRUN true\n' >c/Dockerfile
for n in cooper cooper-step cooper-tmp .cooper store; do ln -s OUT t/$n; done
TMPDIR=$PWD/t "$cooper" build --progress=plain --no-cache --user-policy=off $BUILD_FLAGS c || exit 1
