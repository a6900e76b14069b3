#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the bases and then each NAME given, inside an environment: inside.sh IN OUT NAME...
# IN has cooper, busybox, debian.tar and dockerfiles/; OUT gets NAME.log, NAME.status, NAME.digest, NAME.tar.
in=$1 out=$2
shift 2
export COOPER_ROOT="$out/store"
export HOME="$out"
mkdir -p "$out/base"
cd "$out" || exit 1

base() { # NAME FILE
	[ ! -f "$out/base-$1.status" ] || return 0
	"$in/cooper" build --progress=plain --user-policy=off --network=host --allow=network.host -t "matrix/$1" \
		-f "$in/$1.Dockerfile" "$in/$1" >"$out/base-$1.log" 2>&1
	echo $? >"$out/base-$1.status"
}

for name in "$@"; do
	sed -n 's,^FROM matrix/,,p' "$in/dockerfiles/$name/Dockerfile" | sort -u >"$out/bases"
	while read -r b; do base "$b"; done <"$out/bases"
	short=${name##*/}
	rm -f "$short.digest" "$short.tar"
	start=$(date +%s)
	# shellcheck disable=SC2086
	"$in/cooper" build --progress=plain --user-policy=off --timeout "${STEP_TIMEOUT:-10m}" $BUILD_FLAGS -t "matrix/out/$short" \
		--digest-file "$out/$short.digest" -o "type=oci,dest=$out/$short.tar" "$in/dockerfiles/$name" \
		>"$out/$short.log" 2>&1
	echo $? >"$out/$short.status"
	echo "$name $(($(date +%s) - start))" >>"$out/times"
done
