#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What doctor says where a job runs, and what a build does about a job that was given too much.
load helper

setup() {
	common_setup
	[ "$(id -u)" = 0 ] || skip "not root"
	only_from_build_folder
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

# cure KIND [OPTION...]: what doctor says would allow namespaces there.
cure() {
	run job "$@" -- /mnt/build/cooper doctor --json
	jq -r '.rows[] | "\(.state) \(.name): \(.answer) -> \(.cure)"' <<<"$output"
	[ "$status" -eq 0 ] || return 1
	cure=$(jq -r '.rows[] | select(.name == "userns") | .cure' <<<"$output")
	# one line, and none of what can not be done in a container
	[ "$(wc -l <<<"$cure")" -eq 1 ] || return 1
	[[ $output != *subuid* && $output != *sysctl* ]]
}

@test "the cure is for the place" {
	chmod 777 "$T"
	cure docker
	[[ $cure == *"docker run --security-opt seccomp=unconfined"*systempaths=unconfined* ]]
	cure docker --env GITHUB_ACTIONS=true
	[[ $cure == "GitHub: run the job without container:"* ]]
	cure docker --env GITLAB_CI=true
	[[ $cure == "GitLab: a runner with the shell"* ]]
	cure restricted --env KUBERNETES_SERVICE_HOST=10.0.0.1
	[[ $cure == "Kubernetes: hostUsers: false"*"procMount: Unmasked"* ]]
	# a runner of GitLab in a cluster: the pod decides
	cure restricted --env KUBERNETES_SERVICE_HOST=10.0.0.1 --env GITLAB_CI=true
	[[ $cure == "Kubernetes: "* ]]
	cure restricted --uid 1000650000 --gid 0 --env KUBERNETES_SERVICE_HOST=10.0.0.1
	[[ $cure == "OpenShift: "*SecurityContextConstraints* ]]
	printf '%s\n' '#include <string.h>' '#include <sys/utsname.h>' 'int uname(struct utsname *u)' \
		'{ memset(u, 0, sizeof(*u)); strcpy(u->release, "4.19.0-gvisor"); return 0; }' >"$T/uname.c"
	cc -shared -fPIC -o "$T/uname.so" "$T/uname.c"
	cure restricted --env LD_PRELOAD=/tmp/uname.so --env KUBERNETES_SERVICE_HOST=10.0.0.1
	[[ $cure == "gVisor: "*SYS_ADMIN* ]]
}

@test "what steps can do there is said" {
	run "$COOPER" doctor
	[[ $output == *"Builds use: userns"*"Steps there: everything a container has"* ]]
	run job docker -- /mnt/build/cooper doctor
	[[ $output == *"Steps there: owners and ids are real"*"no set-id programs"* ]]
	[[ $output == *"would be better: "* ]]
	run job restricted -- /mnt/build/cooper doctor --json
	[[ $(jq -r .steps <<<"$output") == *"are virtual"* ]]
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
