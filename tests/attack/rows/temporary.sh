# Names in a folder for all are taken before the builder comes.
# expect: builds
mkdir c t && chmod 1777 t && printf 'FROM matrix\nRUN true\n' >c/Dockerfile
for n in cooper cooper-step cooper-tmp .cooper store; do ln -s OUT t/$n; done
TMPDIR=$PWD/t "$BUILD" --progress=plain --no-cache c || exit 1
