#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The bundle in containers that have nothing but one static program: no C library, no root.
load helper

setup_file() { # where setup skips there is nothing to do
	[ "$(id -u)" = 0 ] && [ "$COOPER" -ef "$TOP/build/cooper" ] || return 0
	ninja -C "$TOP/build" bundle >&2
}
setup() {
	common_setup
	[ "$(id -u)" = 0 ] || skip "not root"
	only_from_build_folder
	BUNDLE=$TOP/build/bundle/cooper
	mkdir -p "$T/rootfs"/{bin,proc,sys,dev,tmp,etc,opt,mnt,home} "$T/out"
	cp "$(command -v busybox)" "$T/rootfs/bin/busybox"
	ln -s busybox "$T/rootfs/bin/sh"
	chmod 1777 "$T/rootfs/tmp"
	chmod 755 "$T"
	chown 1000:1000 "$T/out"
	cp "$(command -v busybox)" "$T/busybox"
	context "$T/ctx" <<-'EOF'
		FROM scratch
		COPY busybox /bin/busybox
		RUN ["/bin/busybox", "--install", "-s", "/bin"]
		RUN mkdir -p /etc /data && echo app:x:1000:1000::/:/bin/sh >/etc/passwd && chown 1000:1000 /data
		USER app
		RUN test "$(id -u)" = 1000 && touch /data/mine && ! touch /etc/other
	EOF
	cp "$T/busybox" "$T/ctx/"
}
teardown() { common_teardown; }

job() { # KIND ARGUMENT...
	python3 "$TOP/tests/env/container.py" "$1" --root "$T/rootfs" --bind "$BUNDLE:/opt:ro" --bind "$T/ctx:/mnt:ro" \
		--bind "$T/out:/home" --env HOME=/home --env COOPER_ROOT=/home/store -- /opt/cooper "${@:2}"
}

@test "a container without a C library builds the same image, as root and as nobody in particular" {
	run "$COOPER" build --progress=plain -t x --digest-file "$T/here" ctx
	echo "$output"
	[ "$status" -eq 0 ]
	for kind in restricted docker; do
		rm -rf "$T/out/store"
		run job "$kind" build --progress=plain -t x --digest-file "/home/$kind" /mnt
		echo "$output"
		[ "$status" -eq 0 ]
		cmp "$T/here" "$T/out/$kind"
	done
}

@test "it looks inside an image, and says its version, through a link" {
	ln -s "$BUNDLE/cooper" "$T/cooper"
	run "$T/cooper" version
	[ "$status" -eq 0 ]
	[ "$output" = "$("$COOPER" version)" ]
	"$T/cooper" build -q -t x ctx
	run "$T/cooper" ls x /data
	[ "$status" -eq 0 ]
	[[ $output == *mine* ]]
}

@test "a folder that was taken apart says so" {
	cp "$BUNDLE/cooper" "$T/alone"
	run "$T/alone" version
	[ "$status" -eq 1 ]
	[[ $output == *"must stay together"* ]]
}
