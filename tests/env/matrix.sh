#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The environment matrix: makes what it needs once (a minimal Debian, a root file system for the job containers),
# then builds everywhere and compares. Needs root and the package mirror.
#
#   tests/env/matrix.sh [--full] [-d DOCKERFILE... --] [ENVIRONMENT...]
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${COOPER_MATRIX_CACHE:=/var/tmp/cooper-matrix-cache}"
export COOPER_MATRIX_CACHE
[ "$(id -u)" = 0 ] || { echo "matrix: needs root" >&2; exit 1; }
[ -x build/cooper ] || { echo "matrix: build/cooper is missing" >&2; exit 1; }
mkdir -p "$COOPER_MATRIX_CACHE"

# from the mirrors of this machine
minimal() { # FILE [PACKAGE,...]
	[ ! -f "$1" ] || return 0
	mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Languages "none"' ${2:+--include="$2"} bookworm "$1.new.tar"
	mv "$1.new.tar" "$1"
}
cache=$COOPER_MATRIX_CACHE
if [ ! -f "$cache/debian.tar" ]; then
	minimal "$cache/debian.new.tar"
	mv "$cache/debian.new.tar" "$cache/debian.tar"
fi
if [ ! -d "$cache/rootfs" ]; then
	minimal "$cache/job.tar" ca-certificates,libarchive13,libcurl4,libdeflate0,libjansson4,libseccomp2,libssl3,libzstd1,zlib1g
	rm -rf "$cache/rootfs.new"
	mkdir "$cache/rootfs.new"
	tar xf "$cache/job.tar" -C "$cache/rootfs.new" --exclude='./dev/*'
	mkdir -p "$cache/rootfs.new/var/tmp"
	touch "$cache/rootfs.new/etc/resolv.conf"
	mv "$cache/rootfs.new" "$cache/rootfs"
	rm "$cache/job.tar"
fi
exec python3 tests/env/matrix.py "$@"
