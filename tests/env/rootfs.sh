#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes, once, what container.py's containers need: a root file system with the builder's libraries. With the argument
# `debian` also a minimal Debian as an archive. Needs root and the package mirror.
set -euo pipefail
: "${COOPER_MATRIX_CACHE:=/var/tmp/cooper-matrix-cache}"
mkdir -p "$COOPER_MATRIX_CACHE"

# from the mirrors of this machine
minimal() { # FILE [PACKAGE,...]
	[ ! -f "$1" ] || return 0
	mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Languages "none"' ${2:+--include="$2"} bookworm "$1.new.tar"
	mv "$1.new.tar" "$1"
}
cache=$COOPER_MATRIX_CACHE
if [ "${1:-}" = debian ] && [ ! -f "$cache/debian.tar" ]; then
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
