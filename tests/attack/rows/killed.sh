# Ended at any moment: no mount, no process is left, and the next build works and gives the same.
# expect: builds
mkdir c && printf 'FROM matrix\nRUN seq 20000 >/a; sleep 0.1\nRUN seq 20000 >/b\nCOPY Dockerfile /c\n' >c/Dockerfile
build() { "$cooper" build --progress=quiet --user-policy=off $BUILD_FLAGS "$@" c; }
build --no-cache --digest-file first || exit 1
grep -c "$COOPER_ROOT" /proc/self/mountinfo >mounts
for ms in 02 1 2 4; do
	for signal in TERM KILL; do
		build --no-cache >/dev/null 2>&1 &
		sleep 0.$ms
		kill -$signal $! 2>/dev/null
		wait $!
	done
done
sleep 0.3
build --digest-file again || exit 1
cmp first again || exit 1
grep -c "$COOPER_ROOT" /proc/self/mountinfo | cmp - mounts || { echo LEAK: mounts are left; exit 1; }
for p in /proc/[0-9]*; do
	grep -aqs 'seq 20000' $p/cmdline && [ "$p" != /proc/self ] && { echo LEAK: a process is left; exit 1; }
done
true
