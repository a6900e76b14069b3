#!/bin/sh
# SPDX-License-Identifier: MIT
# Puts cooper, the libraries it needs and their loader into one folder that runs in any container:
#     bundle.sh LAUNCHER COOPER FOLDER
# The folder is made anew. Nothing on the target is needed but /proc and a Linux kernel.
set -eu
launcher=$1 cooper=$2 out=$3

rm -rf "$out"
mkdir -p "$out/lib" "$out/libexec"
install -m 755 "$launcher" "$out/cooper"
install -s -m 755 "$cooper" "$out/libexec/cooper"

interpreter=$(readelf -l "$cooper" | sed -n 's/.*interpreter: \(.*\)\]/\1/p')
install -m 755 "$interpreter" "$out/lib/ld.so"
ldd "$cooper" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | sort | while read -r library; do
	install -m 644 "$library" "$out/lib/"
done
# what the resolver opens by name at run time
for library in libnss_dns.so.2 libnss_files.so.2 libresolv.so.2; do
	path=$(ldconfig -p | sed -n "s,.*$library .*=> ,,p" | head -n 1)
	[ -z "$path" ] || install -m 644 "$path" "$out/lib/"
done
