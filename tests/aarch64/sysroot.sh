#!/usr/bin/env bash
# Makes DIR a root of arm64 packages to compile and link against, and to run programs with under qemu-user.
# Packages are unpacked only: nothing of another processor runs, so neither root nor binfmt is needed.
#
#   tests/aarch64/sysroot.sh DIR [PACKAGE...]
set -euo pipefail

dir=$1
shift
packages="libc6-dev linux-libc-dev libarchive-dev libssl-dev libcurl4-openssl-dev libjansson-dev libzstd-dev
zlib1g-dev libdeflate-dev libseccomp-dev libcmocka-dev busybox-static uidmap attr $*"
stamp=$dir/.packages
[ "$(cat "$stamp" 2>/dev/null)" != "$packages" ] || exit 0

rm -rf "$dir"
mkdir -p "$(dirname "$dir")"
# shellcheck disable=SC2086
list=$(printf '%s,' $packages)
mmdebstrap --quiet --variant=extract --architectures=arm64 --include="${list%,}" bookworm "$dir"
# links to /lib would lead out of the root
find "$dir/usr/lib" -type l -lname '/*' | while read -r link; do
	ln -sfn "$(realpath -m --relative-to="$(dirname "$link")" "$dir$(readlink "$link")")" "$link"
done
printf '%s' "$packages" >"$stamp"
