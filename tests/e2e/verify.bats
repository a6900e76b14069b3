#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The published image beside the same sources built again.

bats_require_minimum_version 1.5.0
load helper

setup() {
	common_setup
	mkdir "$T/app"
	cp "$(command -v busybox)" "$T/app/busybox"
	echo hello >"$T/app/file"
	cat >"$T/app/Dockerfile" <<-'EOT'
		FROM scratch
		COPY --chmod=755 busybox /bin/busybox
		COPY file /file
		ARG WHEN=0
		RUN ["/bin/busybox", "sh", "-c", "echo $WHEN >/stamp.gz"]
		USER 1000
	EOT
}

teardown() {
	common_teardown
}

publish() {
	"$COOPER" build -q -t x:1 -o "type=oci,tar=false,dest=$T/layout" "$@" "$T/app"
}

field() {
	python3 -c 'import json, sys; print(json.load(sys.stdin)["difference"][sys.argv[1]])' "$1" <<<"$output"
}

@test "the same sources give the same bytes, whatever time was given" {
	publish --timestamp 86400
	run "$COOPER" verify -q "$T/layout" "$T/app"
	[ "$status" -eq 0 ]
	[[ $output == same:* ]]
	run "$COOPER" verify -q --timestamp 5 "$T/layout" "$T/app"
	[ "$status" -eq 1 ]
}

@test "a changed file is named with layer, path, attribute and reason" {
	publish
	echo hellO >"$T/app/file"
	run "$COOPER" verify -q --format json "$T/layout" "$T/app"
	[ "$status" -eq 1 ]
	[ "$(field place)" = "layer 2 of 3" ]
	[ "$(field what)" = /file ]
	[ "$(field attribute)" = content ]
	[[ $(field step) == "COPY file /file"* ]]
}

@test "mode, missing file and a step's own change" {
	publish
	chmod 600 "$T/app/file"
	run "$COOPER" verify -q --format json "$T/layout" "$T/app"
	[ "$(field attribute)" = mode ]
	[ "$(field built)" = 0600 ]
	chmod 644 "$T/app/file"
	run "$COOPER" verify -q --format json --build-arg WHEN=7 "$T/layout" "$T/app"
	[ "$status" -eq 1 ]
	[ "$(field what)" = /stamp.gz ]
	[[ $(field why) == *"gzip -n"* ]]
	sed -i 's|^COPY file /file|COPY file /other|' "$T/app/Dockerfile"
	run "$COOPER" verify -q --format json "$T/layout" "$T/app"
	[ "$(field attribute)" = presence ]
	[ "$(field what)" = /file ]
	[ "$(field built)" = missing ]
}

@test "config, packing and text output" {
	publish
	run "$COOPER" verify -q --format json --label a=b "$T/layout" "$T/app"
	[ "$(field place)" = config ]
	[ "$(field what)" = config.Labels ]
	run "$COOPER" verify -q --compression zstd "$T/layout" "$T/app"
	[ "$status" -eq 1 ]
	[[ $output == *"first difference: layer 1 of 3"* ]]
	[[ $output == *compression* ]]
	run "$COOPER" verify -q "$T/nothing" "$T/app"
	[ "$status" -gt 1 ]
}
