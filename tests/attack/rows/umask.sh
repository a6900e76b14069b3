# The same image under any umask, and nothing of the store for others.
# expect: builds
mkdir c && printf 'FROM matrix\nCOPY Dockerfile /d/\nRUN mkdir /e && touch /e/f\nWORKDIR /g\n' >c/Dockerfile
chmod 644 c/Dockerfile
for u in 000 022 077 777; do
	umask $u
	"$BUILD" --progress=plain --no-cache --digest-file digest.$u c || exit 1
	umask 022
	chmod 644 digest.$u
	cmp digest.000 digest.$u || exit 1
done
test "$(stat -c %a "$COOPER_ROOT")" = 700 || { echo LEAK: the store can be read; exit 1; }
find "$COOPER_ROOT/blobs" -type f -perm /077 | grep . && { echo LEAK: blobs can be read; exit 1; }
true
