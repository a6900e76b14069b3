#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What happens at the same time: layers are unpacked while they come, and uploaded while later steps run.
load helper
bats_require_minimum_version 1.5.0

setup() {
	common_setup
	SERVER=
}
teardown() {
	[ -z "$SERVER" ] || kill "$SERVER" 2>/dev/null || true
	common_teardown
}

# An image of $1 layers in the layout "many": layer N has first$N, three files of noise, and last. The base of
# the tests is its first layer's content.
make_many() {
	local i
	mkdir many
	cp "$(command -v busybox)" many/busybox
	{
		echo 'FROM scratch'
		echo 'COPY busybox /bin/sh'
		for ((i = 1; i < $1; i++)); do
			mkdir "many/$i"
			echo "$i" >"many/$i/a-first$i"
			head -c "${SIZE:-200000}" /dev/urandom >"many/$i/b-noise$i"
			echo "$i" >"many/$i/last"
			echo "COPY $i /d/"
		done
	} >many/Dockerfile
	COOPER_ROOT=$T/maker "$COOPER" build -q --user-policy=off -o type=oci,tar=false,dest=layout many
	rm -r "$T/maker"
}

# serve [FAULTS]: the layout as registry $FAULTY.
serve() {
	mkdir -p state
	echo "${1:-"{}"}" >state/faults.json
	python3 "$TOP/tests/lib/layoutserver.py" layout state &
	SERVER=$!
	soon test -e state/port
	FAULTY=localhost:$(cat state/port)
	printf 'FROM %s/many:1\nRUN echo ran | tee /ran\n' "$FAULTY" | context app
}
faults() { echo "$1" >state/faults.new && mv state/faults.new state/faults.json; }
digest_of_layer() { jq -r ".layers[$1].digest" "layout/blobs/sha256/$(jq -r '.manifests[0].digest' layout/index.json | cut -d: -f2)"; }
diff_id() { jq -r ".rootfs.diff_ids[$1]" "layout/blobs/sha256/$(jq -r .config.digest "layout/blobs/sha256/$(jq -r '.manifests[0].digest' layout/index.json | cut -d: -f2)" | cut -d: -f2)"; }
try() { "$COOPER" build --progress=plain --user-policy=off "$@" app; }
unpacked() { [ -d "$COOPER_ROOT/layers/$(diff_id "$1" | cut -d: -f2)" ]; }
stored() { [ -e "$COOPER_ROOT/blobs/sha256/$(digest_of_layer "$1" | cut -d: -f2)" ]; }
never() { if "$@"; then echo "unexpected: $*"; return 1; fi; }
in_tmp() { [ -n "$(find "$COOPER_ROOT/tmp" -name "$1" 2>/dev/null)" ]; }
overlay_works() { [ "$(id -u)" = 0 ] || "$COOPER" doctor | grep -q overlay; }

@test "a layer is unpacked while it comes, and nobody sees it before all of it was right" {
	overlay_works || skip "layers are unpacked apart with overlay only"
	SIZE=3000000 make_many 4
	serve '{"2": {"how": "hold", "at": 2500000}}'
	try -t x -o type=local,dest=out >log 2>&1 &
	soon in_tmp a-first2
	soon unpacked 3
	never unpacked 2
	never stored 2
	never grep -qE '^#[0-9]+ [0-9.]+ ran$' log
	touch state/go
	wait $!
	unpacked 2
	[ "$(cat out/d/last)" = 3 ]
	cmp out/d/b-noise2 many/2/b-noise2
	assert_clean
}

@test "thirty layers give what they give one by one" {
	make_many 30
	serve
	try -q -o type=local,dest=out
	for i in $(seq 29); do cmp "out/d/b-noise$i" "many/$i/b-noise$i"; done
	[ "$(cat out/d/last)" = 29 ]
	[ "$(cat out/ran)" = ran ]
	[ "$(grep -c 'GET .*/blobs/' state/log)" = 31 ]
	assert_clean
}

@test "a transfer that breaks off goes on where it was, or is skipped over" {
	SIZE=1000000 make_many 4
	for how in cut whole; do
		serve "{\"1\": {\"how\": \"$how\", \"at\": 700000, \"times\": 1}}"
		try -q -o "type=local,dest=out-$how"
		cmp "out-$how/d/b-noise1" many/1/b-noise1
		grep "$(digest_of_layer 1) bytes=" state/log
		kill $SERVER
		rm -r state "$COOPER_ROOT"
	done
	SERVER=
}

@test "a body that stays short, other bytes, another diff id: the error, nothing left, and the next build works" {
	SIZE=1000000 make_many 4
	serve '{"1": {"how": "flip"}}'
	run -5 try
	[[ $output == *"$(digest_of_layer 1)"*"its content is sha256:"* ]]
	never stored 1
	never unpacked 1
	never grep -E '^#[0-9]+ [0-9.]+ ran$' <<<"$output"
	assert_clean
	rm -r "$COOPER_ROOT"
	faults '{"1": {"how": "hold", "at": 10}, "2": {"how": "flip"}}' # one that fails does not wait for others
	run -5 try
	never unpacked 1
	never unpacked 2
	assert_clean
	faults '{"1": {"how": "whole", "at": 999999}}'
	run -8 timeout 100 "$COOPER" build --progress=plain --user-policy=off app
	[[ $output == *"$(digest_of_layer 1)"* ]]
	never stored 1
	never unpacked 1
	assert_clean
	faults '{}'
	try -q -o type=local,dest=out
	cmp out/d/b-noise1 many/1/b-noise1
	assert_clean
}

@test "a layer whose content is not the diff id is refused" {
	SIZE=300000 make_many 4
	python3 - <<-'END'
		import hashlib, json
		def put(doc):
		    data = json.dumps(doc).encode()
		    name = hashlib.sha256(data).hexdigest()
		    open("layout/blobs/sha256/" + name, "wb").write(data)
		    return "sha256:" + name, len(data)
		def get(d):
		    return json.load(open("layout/blobs/sha256/" + d["digest"][7:]))
		index = json.load(open("layout/index.json"))
		manifest = get(index["manifests"][0])
		config = get(manifest["config"])
		config["rootfs"]["diff_ids"][2] = "sha256:" + "7" * 64
		manifest["config"]["digest"], manifest["config"]["size"] = put(config)
		index["manifests"][0]["digest"], index["manifests"][0]["size"] = put(manifest)
		json.dump(index, open("layout/index.json", "w"))
	END
	serve
	run -5 try
	[[ $output == *"its content is "*", the image says sha256:7777"* ]]
	never unpacked 2
	assert_clean
}

@test "where layers make one tree they are put into it while later ones come" {
	SIZE=3000000 make_many 5
	serve '{"3": {"how": "hold", "at": 2500000}}'
	try --sandbox=emulated -o type=local,dest=out >log 2>&1 &
	soon in_tmp a-first3
	in_tmp b-noise2
	never in_tmp a-first4
	never stored 3
	touch state/go
	wait $!
	[ "$(cat out/d/last)" = 4 ]
	for i in 1 2 3 4; do cmp "out/d/b-noise$i" "many/$i/b-noise$i"; done
	assert_clean
	rm -r "$COOPER_ROOT"
	faults '{"2": {"how": "flip"}}'
	run -5 try --sandbox=emulated
	[[ $output == *"$(digest_of_layer 2)"*"its content is sha256:"* ]]
	never grep -E '^#[0-9]+ [0-9.]+ ran$' <<<"$output"
	assert_clean
	# the blob is right, its content is not: a tree that was begun is not gone on with
	head -c 100000 /dev/urandom >rubbish
	python3 - <<-'END'
		import gzip, hashlib, json
		def put(data):
		    name = hashlib.sha256(data).hexdigest()
		    open("layout/blobs/sha256/" + name, "wb").write(data)
		    return "sha256:" + name, len(data)
		index = json.load(open("layout/index.json"))
		manifest = json.load(open("layout/blobs/sha256/" + index["manifests"][0]["digest"][7:]))
		layer = manifest["layers"][3]
		tar = gzip.decompress(open("layout/blobs/sha256/" + layer["digest"][7:], "rb").read())
		layer["digest"], layer["size"] = put(gzip.compress(tar[:-3000000] + open("rubbish", "rb").read()))
		index["manifests"][0]["digest"], index["manifests"][0]["size"] = put(json.dumps(manifest).encode())
		json.dump(index, open("layout/index.json", "w"))
	END
	kill $SERVER
	rm -r state
	serve
	run ! try --sandbox=emulated
	[[ $output == *"unpack layer $(digest_of_layer 3)"* ]]
	[ "$(grep -c "$(digest_of_layer 3)" state/log)" = 1 ]
	assert_clean
}

@test "killed while layers come: nothing stays, and the next build works" {
	SIZE=3000000 make_many 4
	serve '{"2": {"how": "hold", "at": 2500000}}'
	"$COOPER" build --progress=plain --user-policy=off app >log 2>&1 &
	builder=$!
	overlay_works && soon in_tmp a-first2
	soon stored 3
	kill -9 $builder
	wait $builder || [ $? -eq 137 ]
	soon no_builders
	touch state/go
	try -q -o type=local,dest=out
	cmp out/d/b-noise2 many/2/b-noise2
	assert_clean
}

@test "Ctrl-C while layers come" {
	SIZE=3000000 make_many 3
	serve '{"2": {"how": "hold", "at": 2500000}}'
	"$COOPER" build --progress=plain --user-policy=off app >log 2>&1 &
	builder=$!
	soon stored 1
	kill -INT $builder
	status=0
	wait $builder || status=$?
	[ $status -eq 130 ]
	never unpacked 2
	assert_clean
}

# ---- uploads ----

# A Dockerfile whose last step ends once the registry has the layer of the one before.
waits_for_layer() {
	head -c 100000 /dev/urandom >app/noise
	printf 'FROM %s\nCOPY noise /\nUSER 5\n' "$1" >app/Dockerfile
	"$COOPER" build -q -t probe app
	LAYER=$(cooper inspect probe | jq -r '.layers[-1].digest // .manifest.layers[-1].digest')
	cat >app/Dockerfile <<-END
		FROM $1
		COPY noise /
		RUN for i in \$(seq ${TRIES:-100}); do wget -q -O /dev/null http://$REGISTRY/v2/$2/blobs/$LAYER && exit 0; sleep 0.1; done; exit 9
		${3-USER 5}
	END
}
has_image() { skopeo inspect --tls-verify=false "docker://$REGISTRY/$1" >/dev/null 2>&1; }

@test "a finished layer is uploaded while the next step runs" {
	registry_start "$T/registry"
	make_base base
	mkdir app
	waits_for_layer base early
	cooper build --progress=plain --no-cache --push -t "$REGISTRY/early:1" -t "$REGISTRY/other:1" app >log 2>&1
	grep 'uploaded .* layers, .* MB, while later steps ran' log
	has_image early:1
	has_image other:1
	assert_clean
	TRIES=10
	waits_for_layer base late
	run -1 cooper build --progress=plain --push --late-push -t "$REGISTRY/late:1" app
	[[ $output == *'exit code 9'* ]]
}

@test "what the gate will refuse is not uploaded early, nor layers that do not get into the result" {
	registry_start "$T/registry"
	make_base base
	mkdir app
	TRIES=10
	for user in '' 'USER root' 'USER 0:5' 'ARG U=0
USER $U'; do
		waits_for_layer base gate "$user"
		run -1 cooper build --progress=plain --no-cache --push -t "$REGISTRY/gate:1" app
		[[ $output == *'exit code 9'* ]]
	done
	waits_for_layer base merged
	run -1 cooper build --progress=plain --no-cache --push --squash -t "$REGISTRY/merged:1" app
	[[ $output == *'exit code 9'* ]]
	waits_for_layer base stage
	printf 'FROM base\nCOPY --from=0 /noise /else\nUSER 5\n' >>app/Dockerfile
	run -1 cooper build --progress=plain --no-cache --push -t "$REGISTRY/stage:1" app
	[[ $output == *'exit code 9'* ]]
	# a name that turns out to be root: blobs, but no image
	waits_for_layer base toor 'RUN echo toor:x:0:0::/:/bin/sh >>/etc/passwd
USER toor'
	run -6 cooper build --progress=plain --no-cache --push -t "$REGISTRY/toor:1" app
	never has_image toor:1
	assert_clean
}

@test "a step reaches neither the uploader nor what it knows" {
	[ "$(id -u)" = 0 ] || skip "the sandboxes are chosen by name"
	htpasswd -Bbn user 'pass:word-of-the-registry' >htpasswd
	registry_start "$T/registry" "$T/htpasswd"
	make_base base
	printf 'pass:word-of-the-registry' | cooper login -u user --password-stdin "$REGISTRY"
	# the second step has the uploader beside it
	context app <<-'END'
		FROM base
		RUN head -c 100000 /dev/urandom >/noise
		RUN for p in /proc/[0-9]*; do tr '\0' ' ' <$p/cmdline | grep -q 'pus[h] -t REGISTRY' || continue; \
			head -c 1 $p/environ >/dev/null 2>&1 && echo READ environ; \
			head -c 1 $p/maps 2>/dev/null | grep -q . && echo READ maps; \
			readlink $p/fd/* | grep -q . && echo READ fd; echo met; done 2>/dev/null; \
			echo "sockets: $(ls -l /proc/self/fd | grep -c socket:)"; echo looked
		USER 5
	END
	sed -i "s/REGISTRY/$REGISTRY/" app/Dockerfile
	for sandbox in userns chroot emulated; do
		run -0 cooper build --progress=plain --no-cache --sandbox=$sandbox --push -t "$REGISTRY/app:$sandbox" app
		[[ $output == *looked* ]]
		[[ $output == *"uploaded "*"while later steps ran"* ]]
		[[ $output != *word-of-the-registry* ]]
		[[ $output == *"sockets: 0"* ]]
		never grep -E '^#[0-9]+ [0-9.]+ READ' <<<"$output"
	done
	assert_clean
}

@test "a build that fails does not wait for an upload, and one that is killed leaves no uploader" {
	make_base base
	make_many 2
	serve '{"stall": true}'
	cat >app/Dockerfile <<-END
		FROM base
		RUN head -c 100000 /dev/urandom >/noise
		RUN for i in \$(seq 600); do wget -q -O /dev/null http://$FAULTY/uploading && exit 3; sleep 0.1; done
		USER 5
	END
	run -1 timeout 60 "$COOPER" build --progress=plain --push -t "$FAULTY/x:1" app
	[[ $output == *'exit code 3'* ]]
	assert_clean
	sed -i 's/^RUN for .*/RUN sleep 60/' app/Dockerfile
	rm state/uploading
	"$COOPER" build --progress=plain --push -t "$FAULTY/x:1" app >log 2>&1 &
	builder=$!
	soon test -e state/uploading
	kill -9 $builder
	wait $builder || [ $? -eq 137 ]
	soon no_builders
}

@test "a registry that refuses uploads: the same error as without" {
	make_base base
	make_many 2
	serve '{}'
	printf 'FROM base\nRUN echo 1 >/1\nRUN echo 2 >/2\nUSER 5\n' >app/Dockerfile
	run -9 cooper build --progress=plain --push --late-push -t "$FAULTY/x:1" app
	late=$(grep -A3 'error' <<<"$output" | sed 's/sha256:[0-9a-f]*//g')
	run -9 cooper build --progress=plain --no-cache --push -t "$FAULTY/x:1" app
	[ "$(grep -A3 'error' <<<"$output" | sed 's/sha256:[0-9a-f]*//g')" = "$late" ]
	[ -n "$late" ]
	assert_clean
}
