# shellcheck shell=sh disable=SC2015,SC2034,SC2046,SC2016,SC2086,SC2154,SC2164
# SPDX-License-Identifier: MIT
# In a machine with control groups v2 alone (vm.py): the limits of a step are a group's, in every sandbox, for root and
# for a user whom a group was given; and nothing of it is left.
cd /sys/fs/cgroup
echo "+memory +pids +cpu" >cgroup.subtree_control
mkdir job job/builder
echo "+memory +pids +cpu" >job/cgroup.subtree_control
chown -R 1000:1000 job
read -r self rest </proc/self/stat # $$ is the shell outside
echo "$self" >job/builder/cgroup.procs
mkdir -p /tmp/ctx
chmod 777 /tmp
cp /bin/busybox /tmp/ctx/
cat >/tmp/as-user <<-'END'
	#!/bin/sh
	{ printf exec; for a; do printf " '%s'" "$a"; done; } >/tmp/as-user-command
	exec su -s /bin/sh user -c "exec sh /tmp/as-user-command"
END
chmod 755 /tmp/as-user

# step NAME SANDBOX FLAGS COMMAND: builds one step; the status is in $status, what was said in /tmp/log
step() {
	printf 'FROM scratch\nCOPY --chmod=755 busybox /bin/sh\nSHELL ["/bin/sh", "-c"]\nRUN ["/bin/sh", "--install", "-s", "/bin"]\nRUN %s\n' "$4" >/tmp/ctx/Dockerfile
	status=0
	COOPER_ROOT=/tmp/store-$1-$2 $as timeout 200 "$B/cooper" build --progress=plain --no-cache --user-policy=off --sandbox="$2" $3 /tmp/ctx >/tmp/log 2>&1 || status=$?
	left=$(find /sys/fs/cgroup -name 'cooper-*' | head -3)
	[ -z "$left" ] || fail "left: $left"
}
fail() {
	echo "FAILED: $who, $sandbox: $* (status $status)"
	tail -20 /tmp/log
	exit 1
}
for who in root user; do
	as=
	[ $who = root ] || as="/tmp/as-user env COOPER_ROOT=/tmp/store HOME=/home/user"
	for sandbox in userns emulated chroot; do
		[ "$who-$sandbox" != user-chroot ] || continue
		step $who $sandbox "--memory 48m" 'head -c 100000000 /dev/zero | tail >/dev/null; sleep 5'
		[ $status -eq 1 ] && grep -q 'ran out of memory' /tmp/log || fail "memory"
		step $who $sandbox "--memory 48m" 'head -c 60000000 /dev/zero | wc -c | grep 60000000'
		[ $status -eq 0 ] || fail "a step within its memory"
		# a group refuses more processes to the step; it does not end it
		step $who $sandbox "--pids 30 --timeout 40s" 'for i in $(seq 60); do sleep 2 & done 2>/dev/null; exit 9'
		[ $status -eq 1 ] || fail "processes"
		! grep -q 'more than 30 processes' /tmp/log || fail "counted by the first process, not by a group"
		# half of the time is the group's; all processors stay visible
		(while ! cat $(find /sys/fs/cgroup -name 'cpu.max' -path '*/step/*') >/tmp/max 2>/dev/null </dev/null || [ ! -s /tmp/max ]; do sleep 0.2; done) &
		step $who $sandbox "--cpus 0.5" 'nproc; sleep 4'
		kill $! 2>/dev/null || true
		[ $status -eq 0 ] && grep -q ' 2$' /tmp/log && grep -qx '50000 100000' /tmp/max || fail "processors: $(cat /tmp/max)"
		rm -f /tmp/max
		echo "$who, $sandbox: ok"
	done
done
# a group that may hand nothing down: counted, as without
echo "$self" >/sys/fs/cgroup/cgroup.procs
rmdir /sys/fs/cgroup/job/builder /sys/fs/cgroup/job
echo "-memory -pids -cpu" >/sys/fs/cgroup/cgroup.subtree_control
who=root as=
for sandbox in userns emulated chroot; do
	step $who $sandbox "--pids 30 --timeout 40s" 'for i in $(seq 60); do sleep 20 & done; wait'
	[ $status -eq 1 ] && grep -q 'more than 30 processes' /tmp/log || fail "processes without a group"
	echo "no group, $sandbox: ok"
done
