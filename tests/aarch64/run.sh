#!/usr/bin/env bash
# cooper for aarch64, under qemu-user: says what it is, lints, builds without RUN to the same digest as on x86-64,
# and names what is missing for RUN (qemu-user has no seccomp).
#
#   tests/aarch64/run.sh SYSROOT ARM-BUILD NATIVE-BUILD
set -euo pipefail
sysroot=$1 arm_build=$2 native_build=$3

T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
arm() { COOPER_ROOT=$T/arm qemu-aarch64-static -L "$sysroot" "$arm_build/cooper" "$@"; }
native() { COOPER_ROOT=$T/native "$native_build/cooper" "$@"; }
fail() {
	echo "aarch64: $*" >&2
	exit 1
}
same() { [ "$2" = "$3" ] || { diff <(echo "$2") <(echo "$3") >&2; fail "$1 differs from x86-64's"; }; }

[[ $(arm --version) == *"(aarch64)"* ]] || fail "--version"
for program in builder/sandbox/cooper_step_init builder/interpose/cooper-interposer; do
	[[ $(readelf -h "$arm_build/$program") == *AArch64* ]] || fail "$program is for another processor"
	[[ $(readelf -lW "$arm_build/$program") != *INTERP* ]] || fail "$program needs a loader"
done

mkdir -p "$T/ctx/d/deep"
head -c 3000000 /dev/zero | tr '\0' x >"$T/ctx/d/large"
seq 50000 >"$T/ctx/d/numbers"
ln "$T/ctx/d/numbers" "$T/ctx/d/deep/hard"
ln -s ../b "$T/ctx/d/link"
truncate -s 1M "$T/ctx/d/sparse"
echo text >"$T/ctx/b"
chmod 600 "$T/ctx/b"
cat >"$T/ctx/Dockerfile" <<-'END'
	FROM scratch AS first
	COPY --chmod=640 b /etc/b
	COPY d /d
	FROM scratch
	ARG TARGETARCH
	COPY --from=first / /all
	ADD --chown=5:6 b /x/
	COPY <<here.txt /here.txt
	$TARGETARCH
	here.txt
	WORKDIR /w
	LABEL arch=$TARGETARCH
	ENV X=${TARGETARCH:-none}
	USER 1000
END
same lint "$(native lint "$T/ctx/Dockerfile" 2>&1)" "$(arm lint "$T/ctx/Dockerfile" 2>&1)"
for platform in linux/arm64 linux/amd64; do
	for compression in gzip zstd; do
		for builder in arm native; do
			$builder build -q --platform=$platform --user-policy=off --output "type=image,compression=$compression" \
				-t "x:$compression" "$T/ctx" >/dev/null || fail "$builder: build for $platform"
			$builder inspect "x:$compression" >"$T/$builder.json"
		done
		same "the image for $platform, $compression," "$(cat "$T/native.json")" "$(cat "$T/arm.json")"
	done
done

status=0
report=$(arm doctor) || status=$?
[ $status -eq 14 ] || fail "doctor: status $status"
[[ $report == *"Linux "*" aarch64"* && $report == *"seccomp filter: Function not implemented"* ]] || fail "doctor: $report"
printf 'FROM scratch\nRUN true\n' >"$T/ctx/Dockerfile"
! arm build -q --user-policy=off "$T/ctx" 2>"$T/err" || fail "RUN without a sandbox"
grep -q "seccomp" "$T/err" || fail "RUN: $(cat "$T/err")"
echo "aarch64: the same images as on x86-64"
