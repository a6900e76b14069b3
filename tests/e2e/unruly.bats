#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Steps and machines that misbehave: a clear error, in time, and nothing left, in every sandbox.
load helper

setup() {
	common_setup
	[ "$(id -u)" = 0 ] || skip "not root"
	make_base base
}
teardown() {
	mountpoint -q "$T/small" && umount "$T/small"
	common_teardown
}

# in_each SECONDS STATUS TEXT [FLAG...]: builds ctx in every sandbox; how it must end.
in_each() {
	local limit want=$2 text=$3 sandbox begin
	limit=$(seconds "$1")
	shift 3
	for sandbox in userns chroot emulated; do
		begin=$SECONDS
		run timeout -k 5 120 "$COOPER" build --progress=plain --no-cache --user-policy=off --sandbox=$sandbox "$@" ctx
		echo "$sandbox, $((SECONDS - begin)) s, status $status"; tail -n 8 <<<"$output"
		[ "$status" -eq "$want" ] || return 1
		[[ $output == *"$text"* ]] || return 1
		[ $((SECONDS - begin)) -le "$limit" ] || return 1
		left_nothing || return 1
	done
}

# Only this test's: others may run beside it.
left_nothing() {
	assert_clean && ! pgrep -f "$MARK" >/dev/null || { pgrep -af "$MARK"; return 1; }
}
MARK=$((310000000 + $$)) # no other process of the machine has it

@test "missing shell" {
	context ctx <<-EOT
		FROM scratch
		RUN true
	EOT
	in_each 10 1 "/bin/sh: not found in the image"
}

@test "program for another processor" {
	mkdir ctx
	printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\26\0aaaa' >ctx/program
	context ctx <<-EOT
		FROM base
		COPY --chmod=755 program /program
		RUN ["/program"]
	EOT
	in_each 10 1 "is a program for s390x"
}

@test "unreadable files in the root" {
	context ctx <<-EOT
		FROM base
		RUN mkdir /d && echo x >/d/f && chmod 0 /d/f /d /bin && ls -l /d
		RUN chmod 755 /bin && cat /d/f && stat -c %a /d/f /d && exit 9
	EOT
	in_each 15 1 "exit code 9"
}

@test "endless output" {
	context ctx <<-EOT
		FROM base
		RUN yes $MARK
	EOT
	in_each 30 12 "more than the output limit" --output-limit 200k
}

@test "waits for ever" {
	context ctx <<-EOT
		FROM base
		RUN sleep $MARK & trap '' TERM INT HUP; sleep $MARK
	EOT
	in_each 20 124 "stopped after 2 s" --timeout 2s
}

@test "closes everything and goes on" {
	context ctx <<-EOT
		FROM base
		RUN exec <&- >&- 2>&-; sleep $MARK
	EOT
	in_each 20 124 "stopped after 2 s" --timeout 2s
}

@test "leaves processes behind" {
	context ctx <<-EOT
		FROM base
		RUN sleep $MARK & setsid sleep $MARK & (setsid sh -c 'trap "" TERM HUP; sleep $MARK; sleep $MARK' &); sleep 0.2; exit 7
	EOT
	in_each 15 1 "exit code 7"
}

# An end is foreseen, for the case that the limit does not hold.
@test "fork bomb" {
	context ctx <<-EOT
		FROM base
		RUN b() { [ \$1 = 0 ] || { b \$((\$1 - 1)) & b \$((\$1 - 1)) & }; sleep $MARK; }; b 10
	EOT
	in_each 60 1 "more than 100 processes" --pids 100 --timeout 20s
	in_each 60 124 "stopped after 2 s" --timeout 2s
}

@test "memory" {
	context ctx <<-EOT
		FROM base
		RUN head -c 600000000 /dev/zero | tail >/dev/null; test \$? = 0 && sleep 1
	EOT
	in_each 60 1 "error: RUN" --memory 64m --timeout 40s
}

# Without a control group the step is kept to so many processors.
@test "processors" {
	! grep -qs cpu /sys/fs/cgroup/cgroup.controllers || skip "a control group does it: tests/vm/limits.sh"
	context ctx <<-EOT
		FROM base
		RUN test "\$(nproc)" = 1 && grep 'Cpus_allowed_list' /proc/self/status | grep -v '[-,]' && exit 9
	EOT
	in_each 15 1 "exit code 9" --cpus 0.5
}

@test "full disk" {
	mkdir small
	mount -t tmpfs -o size=12m tmpfs small
	context ctx <<-EOT
		FROM base
		RUN head -c 40000000 /dev/urandom >/big
	EOT
	for sandbox in userns chroot emulated; do
		COOPER_ROOT=$T/small/store make_base base
		COOPER_ROOT=$T/small/store run timeout 60 "$COOPER" build --progress=plain --user-policy=off --sandbox=$sandbox ctx
		echo "$sandbox $status $output"
		[ "$status" -ne 0 ] && [ "$status" -lt 100 ]
		[[ $output == *"the disk is full"* ]]
		[ -z "$(ls -A small/store/tmp)" ]
		# the store still works
		COOPER_ROOT=$T/small/store "$COOPER" images
		rm -rf small/store
	done
}

@test "full disk while the layer is written, and for the store's own files" {
	mkdir small
	mount -t tmpfs -o size=12m tmpfs small
	context ctx <<-EOT
		FROM base
		RUN head -c 4000000 /dev/urandom >/big
		RUN head -c 2500000 /dev/urandom >/big2
		RUN head -c 1000000 /dev/urandom >/big3
	EOT
	COOPER_ROOT=$T/small/store make_base base
	COOPER_ROOT=$T/small/store run timeout 60 "$COOPER" build --progress=plain --user-policy=off -t x ctx
	echo "$output"
	[ "$status" -ne 0 ] && [ "$status" -lt 100 ]
	[[ $output == *"the disk is full"* ]]
	context ctx <<-EOT
		FROM base
		RUN echo small >/x
	EOT
	COOPER_ROOT=$T/small/store "$COOPER" build --progress=plain --user-policy=off -t x ctx
}

# The builder is killed at any moment: nothing stays, and the next build works.
killed() { # SANDBOX TIMES
	local i pid
	for i in $(seq "$2"); do
		"$COOPER" build -q --no-cache --user-policy=off --sandbox="$1" -t killed ctx >/dev/null 2>&1 &
		pid=$!
		sleep "0.$(printf %03d $((RANDOM % 700)))"
		kill -KILL $pid 2>/dev/null || true
		wait $pid 2>/dev/null || true
	done
	# the kernel may need a moment
	for i in $(seq 40); do
		pgrep -f "$MARK" >/dev/null || break
		sleep 0.1
	done
	! pgrep -af "$MARK" || return 1
	"$COOPER" build -q --no-cache --user-policy=off --sandbox="$1" --build-arg LAST=1 -t killed ctx || return 1
	left_nothing
}

@test "killed at any moment" {
	context ctx <<-EOT
		FROM base AS a
		ARG LAST
		RUN for i in 1 2 3 4 5; do echo \$i >/f\$i; done; [ -n "\$LAST" ] || { (setsid sleep $MARK &); sleep 0.2; }
		RUN [ -n "\$LAST" ] || sleep 0.2
		RUN head -c 3000000 /dev/urandom >/x
		FROM base
		COPY --from=a / /copy
		RUN rm -r /copy/bin
	EOT
	for sandbox in userns chroot emulated; do
		echo "$sandbox"
		killed $sandbox "${KILLS:-17}"
	done
	"$COOPER" cat killed /copy/f5
}
