# Ended at any moment: no mount, no process is left, and the next build works and gives the same.
# expect: builds
mkdir c && printf 'FROM matrix\nRUN seq 20000 >/a; sleep 0.1\nRUN seq 20000 >/b\nCOPY Dockerfile /c\n' >c/Dockerfile
mark=killed-$(date +%s%N)
printf '%s' "$mark" >mark
build() { "$BUILD" --progress=quiet --build-arg "MARK=$mark" "$@" c; }
sed -i '1a ARG MARK' c/Dockerfile
build --no-cache --digest-file first || exit 1
grep -c "$COOPER_ROOT" /proc/self/mountinfo >mounts
for ms in 02 1 2 4; do
	for signal in TERM KILL; do
		"$BUILD" --progress=quiet --build-arg "MARK=$mark" --no-cache c >/dev/null 2>&1 &
		sleep 0.$ms
		kill -$signal $! 2>/dev/null
		wait $!
	done
done
build --digest-file again || exit 1
cmp first again || exit 1
grep -c "$COOPER_ROOT" /proc/self/mountinfo | cmp - mounts || { echo LEAK: mounts are left; exit 1; }
# the steps have MARK in their environment; what is killed may need a moment
left() { grep -alsf mark /proc/[0-9]*/environ /proc/[0-9]*/cmdline; }
for _ in 1 2 3 4 5 6 7 8 9 10; do
	left || exit 0
	sleep 0.5
done
echo LEAK: a process is left
exit 1
