#!/bin/sh
# SPDX-License-Identifier: MIT
# Carries out attacks in an environment: attack.sh IN OUT NAME...
# IN has cooper, base/ and rows/NAME/; OUT gets NAME.log, NAME.status, NAME.tar and what became of OUT/outside: NAME.outside.
in=$1 out=$2
shift 2
export COOPER_ROOT="$out/store" CANARY_TOKEN=CANARY-3f9a HOME="$out" TMPDIR="$out/tmp"
umask 022
mkdir -p "$out/tmp"
cooper=$in/cooper outside=$out/outside

# shellcheck disable=SC2086
timeout 60 "$cooper" build --progress=plain --user-policy=off $BUILD_FLAGS -t matrix -f "$in/base.Dockerfile" "$in/base" >"$out/base.log" 2>&1 ||
	{ cat "$out/base.log"; exit 1; }

# what scripts call: the sandbox is the environment's
export BUILD="$out/build"
printf '#!/bin/sh\nexec "%s" build --user-policy=off %s "$@"\n' "$cooper" "$BUILD_FLAGS" >"$BUILD"
chmod 755 "$BUILD"

# a folder that no root contains, with a file that must stay what it is and a socket (made by run.py) nobody may use
reset_outside() {
	[ "$(cat "$outside/sentinel" 2>/dev/null; ls -A "$outside")" = "$(cat "$in/sentinel"; echo sentinel; echo socket)" ] && return
	find "$outside" -mindepth 1 ! -name socket -exec rm -rf {} +
	cp "$in/sentinel" "$outside/sentinel"
	chmod 666 "$outside/sentinel"
}

dockerfile() { # DIR NAME
	# shellcheck disable=SC2046,SC2086
	timeout -k 5 60 "$cooper" build --progress=plain --no-cache --user-policy=off --timeout=30s \
		--secret id=canary,env=CANARY_TOKEN $BUILD_FLAGS $(cat "$1/flags") -o "type=oci,dest=$out/$2.tar" "$1/context"
}

for name in "$@"; do
	reset_outside
	start=$(date +%s)
	row=$in/rows/$name
	if [ -f "$row/run.sh" ]; then
		mkdir "$out/tmp/w"
		(cd "$out/tmp/w" && timeout -k 5 120 sh "$row/run.sh")
	else
		dockerfile "$row" "$name"
	fi >"$out/$name.log" 2>&1 </dev/null
	echo "$? $(($(date +%s) - start))" >"$out/$name.status"
	{ ls -A "$outside"; cat "$outside/sentinel"; } >"$out/$name.outside" 2>&1
	rm -rf "$out/tmp/w"
done
