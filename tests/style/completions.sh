#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The bash completion offers commands, and the flags of the command that was typed.
. "$(dirname "$0")/lib.sh"
. completions/cooper.bash || exit 1
complete_words() {
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	_cooper
	printf '%s\n' "${COMPREPLY[@]}"
}
expect() { # WANTED WORD...
	local want=$1
	shift
	complete_words "$@" | grep -qx -- "$want" || { echo "cooper ${*:2}: $want is not offered"; exit 1; }
}
expect build cooper bu
expect --build-arg cooper build --build-a
expect --password-stdin cooper login --pass
[ -z "$(complete_words cooper build --target '')" ] || { echo "a value of --target is no file"; exit 1; }
