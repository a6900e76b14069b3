#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What doctor says where a job runs, and what a build does about a job that was given too much.
load helper

setup() {
	common_setup
	[ "$(id -u)" = 0 ] || skip "not root"
	mkdir -p "$T/rootfs"
	# the job's root: this machine's programs, read-only
	for d in usr etc bin sbin lib lib64 proc dev sys tmp run mnt; do mkdir -p "$T/rootfs/$d"; done
	cp /etc/resolv.conf "$T/rootfs/etc/"
	mkdir "$T/ctx"
	printf 'FROM scratch\nLABEL a=b\n' >"$T/ctx/Dockerfile"
}
teardown() {
	[ -z "${SERVER:-}" ] || kill "$SERVER" 2>/dev/null || true
	common_teardown
}

job() { # KIND [OPTION...] -- ARGUMENT...
	python3 "$TOP/tests/env/container.py" "$1" --root "$T/rootfs" --bind /usr:/usr:ro --bind "$(realpath /bin):/bin:ro" \
		--bind "$(realpath /lib):/lib:ro" --bind "$(realpath /lib64):/lib64:ro" --bind "$TOP:/mnt:ro" --bind "$T:/tmp" \
		--env COOPER_ROOT=/tmp/store-in "${@:2}"
}
build_in() { job "$1" "${@:2}" -- /mnt/build/cooper build --progress=plain --user-policy=off $POLICY -t x /tmp/ctx; }

@test "on a machine of its own nothing is said of a container" {
	run "$COOPER" doctor
	[ "$status" -eq 0 ]
	[[ $output != *"this container"* ]]
	run "$COOPER" build --progress=plain --user-policy=off --unsafe-environment=refuse -t x ctx
	[ "$status" -eq 0 ]
}

@test "docker: chroot, and no danger" {
	run job docker -- /mnt/build/cooper doctor
	echo "$output"
	[[ $output == *"Builds use: chroot"* && $output != *"Dangerous"* ]]
	[[ $output == *"this container's seccomp profile refuses namespaces"* ]]
}

@test "restricted: emulated, and no danger" {
	chmod 777 "$T"
	run job restricted -- /mnt/build/cooper doctor --json
	[ "$(jq -r .sandbox <<<"$output")" = emulated ]
	[ "$(jq '[.rows[] | select(.state == "danger")] | length' <<<"$output")" = 0 ]
	POLICY=--unsafe-environment=refuse run build_in restricted
	[ "$status" -eq 0 ]
}

refused_for() { # TEXT KIND [OPTION...]
	POLICY='' run build_in "${@:2}"
	echo "$output"
	[ "$status" -eq 0 ] && [[ $output == *"warning"*"$1"* ]] || return 1
	POLICY=--unsafe-environment=refuse run build_in "${@:2}"
	echo "$output"
	[ "$status" -ne 0 ] && [[ $output == *"unsafe environment: $1"* ]] || return 1
	POLICY=--unsafe-environment=off run build_in "${@:2}"
	[ "$status" -eq 0 ] && [[ $output != *"$1"* ]]
}

@test "the machine's pid namespace" { refused_for "host pid namespace" docker --host-pid; }
@test "full privileges" { refused_for "privileged container" docker --privileged; }
@test "the machine's root" { mkdir "$T/rootfs/host"; refused_for "/host" docker --bind /:/host:ro; }

@test "an engine's socket" {
	python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); time.sleep(300)' "$T/rootfs/run/docker.sock" &
	SERVER=$!
	for _ in $(seq 50); do [ -S "$T/rootfs/run/docker.sock" ] && break; sleep 0.1; done
	refused_for "/run/docker.sock" docker
}

@test "an unknown policy" {
	run "$COOPER" build --unsafe-environment=maybe ctx
	[ "$status" -eq 2 ]
}
