#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the bases and then each NAME given, inside an environment: inside.sh IN OUT NAME...
# IN has cooper, busybox, debian.tar, dockerfiles/ and installed/NAME, images to begin with instead of the stage of
# that name; OUT gets NAME.log, NAME.status, NAME.digest, times and the store.
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
	short=${name##*/}
	over=
	if [ -d "$in/installed/$short" ]; then
		over="--build-context installed=oci-layout://$in/installed/$short"
	else
		sed -n 's,^FROM matrix/\([^ ]*\).*,\1,p' "$in/dockerfiles/$name/Dockerfile" | sort -u >"$out/bases"
		while read -r b; do base "$b"; done <"$out/bases"
	fi
	rm -f "$short.digest" "$short.tar"
	start=$(date +%s)
	# shellcheck disable=SC2086
	"$in/cooper" build --progress=plain --user-policy=off --timeout "${STEP_TIMEOUT:-10m}" $over $BUILD_FLAGS -t "matrix/out/$short" \
		--digest-file "$out/$short.digest" "$in/dockerfiles/$name" >"$out/$short.log" 2>&1
	echo $? >"$out/$short.status"
	echo "$name $(($(date +%s) - start))" >>"$out/times"
done
