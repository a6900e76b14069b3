# shellcheck shell=sh disable=SC2015,SC2016,SC2086,SC2154,SC2164
# SPDX-License-Identifier: MIT
# In a machine of its own (vm.py): the interposer and the sandboxes on a real aarch64 kernel.
failed=
note() { echo "FAILED: $*"; failed="$failed $1"; }
uname -a
cd tests/unit/interpose
timeout 1500 "$B/tests/interpose_test_calls" >/tmp/calls.log 2>&1 || note interpose_test_calls "$(grep -v -E " RUN |  OK " /tmp/calls.log | head -60)"
grep -c " OK " /tmp/calls.log | sed "s/^/interpose_test_calls: passed /"
cd ../sandbox
for t in run emulated end attack fallback; do
	timeout 900 "$B/tests/sandbox_test_$t" >"/tmp/$t.log" 2>&1 || note "sandbox_test_$t" "$(grep -v -E ' RUN |  OK ' "/tmp/$t.log" | head -40)"
	grep -c ' OK ' "/tmp/$t.log" | sed "s/^/sandbox_test_$t: passed /"
done

# the same image in every sandbox
mkdir -p /tmp/ctx
cp /bin/busybox /tmp/ctx/
echo 'app:x:7:7::/:/bin/sh' >/tmp/ctx/passwd
chmod 755 /tmp /tmp/ctx
cat >/tmp/ctx/Dockerfile <<-'END'
	FROM scratch AS base
	COPY --chmod=755 busybox /bin/busybox
	SHELL ["/bin/busybox", "sh", "-c"]
	COPY passwd /etc/passwd
	RUN /bin/busybox --install -s /bin && mkdir -m 1777 /tmp
	RUN echo x >/f && chown 7:8 /f && chmod 4711 /f && ln /f /hard && mkfifo /p && test "$(stat -c %u:%g:%a /hard)" = 7:8:4711
	RUN (sleep 1000 &); for i in 1 2 3; do (echo $i >/n$i) & done; wait; uname -m >/arch
	RUN trap 'echo got >/trap' USR1; kill -USR1 $$; sleep 0.1; readlink /proc/self/exe >/exe
	USER app
	RUN id -u >/tmp/id && ! cat /n1 >/n1 && ! touch /etc/no
END
want=
build() { # NAME COMMAND...
	name=$1
	shift
	digest=$(COOPER_ROOT=/tmp/store-$name "$@" "$B/cooper" build --progress=plain --user-policy=off $FLAGS -t x /tmp/ctx 2>/tmp/log) || { note "$name" "$(tail -20 /tmp/log)"; return 0; }
	digest=$(COOPER_ROOT=/tmp/store-$name "$@" "$B/cooper" inspect x | grep '"digest"' | head -1)
	echo "$name: $digest"
	want=${want:-$digest}
	[ "$want" = "$digest" ] || note "$name" "another image"
}
FLAGS=--sandbox=userns build root env
FLAGS=--sandbox=chroot build root-chroot env
FLAGS=--sandbox=emulated build root-emulated env
chmod 777 /tmp
cat >/tmp/as-user <<-'END'
	#!/bin/sh
	{ printf exec; for a; do printf " '%s'" "$a"; done; } >/tmp/as-user-command
	exec su -s /bin/sh user -c "exec sh /tmp/as-user-command"
END
chmod 755 /tmp/as-user
FLAGS=--sandbox=userns build range /tmp/as-user env COOPER_ROOT=/tmp/store-range HOME=/home/user
FLAGS=--sandbox=emulated build user-emulated /tmp/as-user env COOPER_ROOT=/tmp/store-user-emulated HOME=/home/user
mv /etc/subuid /etc/subuid-
FLAGS=--sandbox=userns build single /tmp/as-user env COOPER_ROOT=/tmp/store-single HOME=/home/user
[ -z "$failed" ] || { echo "failed:$failed"; exit 1; }
