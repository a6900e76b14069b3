# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the tests of environments begin with, made once: a minimal Debian and a root file system for the job
# containers, in $COOPER_MATRIX_CACHE. Needs root and the package mirror. Sourced, in the top directory.
: "${COOPER_MATRIX_CACHE:=/var/tmp/cooper-matrix-cache}"
export COOPER_MATRIX_CACHE

# from the mirrors of this machine
minimal() { # FILE [PACKAGE,...]
	[ ! -f "$1" ] || return 0
	mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Languages "none"' ${2:+--include="$2"} bookworm "$1.new.tar"
	mv "$1.new.tar" "$1"
}

make_cache() {
	[ "$(id -u)" = 0 ] || { echo "environments: needs root" >&2; return 1; }
	[ -x build/cooper ] || { echo "environments: build/cooper is missing" >&2; return 1; }
	local cache=$COOPER_MATRIX_CACHE
	mkdir -p "$cache"
	if [ ! -f "$cache/debian.tar" ]; then
		minimal "$cache/debian.new.tar"
		mv "$cache/debian.new.tar" "$cache/debian.tar"
	fi
	[ ! -d "$cache/rootfs" ] || return 0
	minimal "$cache/job.tar" ca-certificates,libarchive13,libcurl4,libdeflate0,libjansson4,libseccomp2,libssl3,libzstd1,zlib1g
	rm -rf "$cache/rootfs.new"
	mkdir "$cache/rootfs.new"
	tar xf "$cache/job.tar" -C "$cache/rootfs.new" --exclude='./dev/*'
	mkdir -p "$cache/rootfs.new/var/tmp"
	touch "$cache/rootfs.new/etc/resolv.conf"
	mv "$cache/rootfs.new" "$cache/rootfs"
	rm "$cache/job.tar"
}
