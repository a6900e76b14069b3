# Files that the builder writes are links to the sentinel: the link is replaced, not followed.
# expect: builds
mkdir c && printf 'FROM matrix\nRUN true\n' >c/Dockerfile
for f in iid digest metadata image.tar tree.tar; do ln -s OUT/sentinel $f; done
"$BUILD" --progress=plain --iidfile iid --digest-file digest --metadata-file metadata \
	-o type=oci,dest=image.tar -o type=tar,dest=tree.tar c || exit 1
for f in iid digest metadata image.tar tree.tar; do test -f $f && test ! -L $f || exit 1; done
for f in *cooper-*; do test ! -e "$f" || exit 1; done
