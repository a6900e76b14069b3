#!/usr/bin/env bats
# The main job: a Dockerfile becomes an image, other tools read and run it.

bats_require_minimum_version 1.5.0
load helper
setup() { common_setup; }
teardown() { common_teardown; }

@test "the sample application: built, pushed, read by skopeo, unpacked by umoci" {
	registry_start "$T/registry"
	make_base "$REGISTRY/base:1"
	cooper push "$REGISTRY/base:1"
	run -0 cooper build --progress=plain -t "$REGISTRY/app:1" --build-arg "BASE=$REGISTRY/base:1" --build-arg VERSION=7 \
		--push --digest-file "$T/digest" --iidfile "$T/iid" --metadata-file "$T/meta" "$TOP/testdata/sample"
	skopeo inspect --tls-verify=false "docker://$REGISTRY/app:1" >inspect.json
	[ "$(jq -r .Digest inspect.json)" = "$(cat digest)" ]
	[ "$(jq -r '."containerimage.digest"' meta)" = "$(cat digest)" ]
	[ "$(jq -r '."containerimage.config.digest"' meta)" = "$(cat iid)" ]
	skopeo copy -q --src-tls-verify=false "docker://$REGISTRY/app:1" oci:layout:app
	umoci unpack --rootless --image layout:app bundle
	grep -q 'version 7' bundle/rootfs/srv/www/hello.html
	[ -e bundle/rootfs/srv/checked ]
	[ ! -e bundle/rootfs/src ]
	[ "$(jq -r .process.user.uid bundle/config.json)" = 1000 ]
	[ "$(jq -r .process.cwd bundle/config.json)" = /srv/www ]
	assert_clean
}

@test "another tool runs the image" {
	make_base base
	context app <<-'END'
		FROM base
		RUN echo from-the-image >/greeting && echo "app:x:1000:1000::/:/bin/sh" >>/etc/passwd
		USER app
		CMD ["sh", "-c", "cat /greeting; id -u"]
	END
	cooper build -q -t app -o type=oci,tar=false,dest=layout app
	umoci unpack --image layout bundle 2>/dev/null || umoci unpack --image layout:latest bundle
	jq '.process.terminal = false | del(.linux.resources) | .linux.namespaces |= map(select(.type != "cgroup" and .type != "network"))' \
		bundle/config.json >c.json && mv c.json bundle/config.json
	run -0 runc run --bundle bundle "cooper-test-$$"
	[ "${lines[0]}" = from-the-image ]
	[ "${lines[1]}" = 1000 ]
}

@test "the same build twice gives the same manifest digest, on cold and on warm storage" {
	make_base base
	context app <<-'END'
		FROM base
		RUN date >/when.txt; rm /when.txt; mkdir -p /a/b && echo x >/a/b/c && ln /a/b/c /a/d && ln -s c /a/b/e
		RUN chmod 4755 /bin/busybox && chown 12:34 /a/b
	END
	cooper build -q --user-policy=off --digest-file one app
	cooper build -q --user-policy=off --digest-file two app
	cooper build -q --user-policy=off --digest-file three --no-cache app
	COOPER_ROOT=$T/other
	make_base base
	(umask 077; TZ=Asia/Tokyo LC_ALL=C.UTF-8 cooper build -q --user-policy=off --digest-file four app)
	cmp one two
	cmp one three
	cmp one four
}

@test "a fully cached build runs nothing and says CACHED" {
	make_base base
	context app <<-'END'
		FROM base
		RUN echo only-once
	END
	run -0 cooper build --progress=plain --user-policy=off app
	[[ $output == *only-once* ]]
	run -0 cooper build --progress=plain --user-policy=off app
	[[ $output == *CACHED* ]]
	[[ $(grep -c '^.*only-once$' <<<"$output") -le 1 ]]
}

@test "contexts: tar, compressed tar on stdin, Dockerfile on stdin" {
	make_base base
	context app <<-'END'
		FROM base
		COPY f /f
	END
	echo data >app/f
	cooper build -q --user-policy=off --digest-file dir app
	tar -C app -cf context.tar .
	cooper build -q --user-policy=off --digest-file tar context.tar
	tar -C app -czf - . | cooper build -q --user-policy=off --digest-file stdin -
	cooper build -q --user-policy=off --digest-file f -f - app <app/Dockerfile
	cmp dir tar
	cmp dir stdin
	cmp dir f
}

@test "outputs: OCI archive and directory, docker archive, tar and local tree" {
	make_base base
	context app <<-'END'
		FROM base
		RUN echo hi >/f && chmod 600 /f
	END
	cooper build -q --user-policy=off -t app:1 -o type=oci,dest=oci.tar -o type=docker,dest=docker.tar \
		-o type=oci,tar=false,dest=layout -o type=tar,dest=tree.tar -o type=local,dest=tree app
	[ "$(skopeo inspect oci-archive:oci.tar | jq -r .Digest)" = "$(skopeo inspect oci:layout:1 | jq -r .Digest)" ]
	skopeo inspect docker-archive:docker.tar | jq -e '.Layers | length > 0'
	tar -tvf tree.tar | grep -q -- '-rw------- 0/0 .* f$'
	[ "$(cat tree/f)" = hi ]
	cooper build -q --user-policy=off -o - app | tar -t | grep -qx 'bin/busybox'
}

@test "the gate: an image that would run as root is refused before anything is pushed" {
	registry_start "$T/registry"
	make_base base
	for user in '' 'USER 0' 'USER root' 'USER 00' 'USER toor' 'USER root:1000' 'USER 0:0' 'USER nobody-knows'; do
		printf 'FROM base\nRUN echo "toor:x:0:0::/:/bin/sh" >>/etc/passwd\n%s\n' "$user" >Dockerfile
		run -6 cooper build --progress=plain -t "$REGISTRY/bad:1" --push .
		[[ $output == *Dockerfile:* ]]
		[[ $output == *USER* ]]
	done
	run ! skopeo inspect --tls-verify=false "docker://$REGISTRY/bad:1"
	printf 'FROM base\nUSER 1000\n' >Dockerfile
	run -0 cooper build --progress=plain -t "$REGISTRY/good:1" --push .
	printf 'FROM base\n' >Dockerfile
	run -0 cooper build --progress=plain --user-policy=warn .
	[[ $output == *root* ]]
}

@test "a failing step: output, excerpt with caret, its exit status; nothing is left" {
	make_base base
	context app <<-'END'
		FROM base
		RUN echo before && exit 7
	END
	run -1 cooper build --progress=plain -t failed app
	[[ $output == *before* ]]
	[[ $output == *"Dockerfile:2"* ]]
	[[ $output == *"^"* ]]
	[[ $output == *"exit code 7"* ]] || [[ $output == *"exit code: 7"* ]]
	run cooper images
	[[ $output != *failed* ]]
	assert_clean
}

@test "bad input: clear errors with their exit codes" {
	mkdir empty
	run -4 cooper build empty
	[[ $output == *Dockerfile* ]]
	: >empty/Dockerfile
	run -3 cooper build empty
	printf 'FROM scratch\nCOPPY a b\n' >Dockerfile
	run -3 cooper build .
	[[ $output == *"Dockerfile:2:1"* ]]
	[[ $output == *COPY* ]]
	printf 'FROM scratch\nCOPY --chwon=1 a b\n' >Dockerfile
	run -3 cooper build .
	[[ $output == *chown* ]]
	printf 'FROM scratch\nCOPY missing /\n' >Dockerfile
	run -4 cooper build .
	[[ $output == *"Dockerfile:2"* ]]
	[[ $output == *missing* ]]
	run -2 cooper build --no-such-flag .
	run -2 cooper biuld .
	[[ $output == *build* ]]
	printf 'FROM 127.0.0.1:1/none\n' >Dockerfile
	run -8 cooper build .
	printf 'FROM scratch\nADD --checksum=sha256:%064d http://127.0.0.1:1/x /\n' 0 >Dockerfile
	run -8 cooper build .
}

# A number that no other process of the machine has, to find the step's by.
mark() {
	MARK=$((300000000 + $$))
	sed -i "s/MARK/$MARK/" "$1/Dockerfile"
}

@test "Ctrl-C in the middle of a step leaves nothing" {
	make_base base
	context app <<-'END'
		FROM base
		RUN echo started; sleep MARK
	END
	mark app
	setsid "$COOPER" build --progress=plain app >log 2>&1 &
	pid=$!
	soon grep -q '^#[0-9]* [0-9.]* started' log
	kill -INT $pid
	status=0
	wait $pid || status=$?
	[ "$status" = 130 ]
	soon gone "sleep $MARK"
	assert_clean
}

@test "SIGKILL of the builder leaves no process, and the next build works" {
	make_base base
	context app <<-'END'
		FROM base
		RUN echo started; sleep MARK
	END
	mark app
	"$COOPER" build --progress=plain app >log 2>&1 &
	pid=$!
	soon grep -q '^#[0-9]* [0-9.]* started' log
	kill -KILL $pid
	wait $pid || true
	soon gone "sleep $MARK"
	printf 'FROM base\nRUN echo fine\n' >app/Dockerfile
	cooper build -q --user-policy=off app
	assert_clean
}

@test "a RUN step sees no credential and none of the builder" {
	make_base base
	echo '{"auths":{"x":{"auth":"c2VjcmV0OnNlY3JldA=="}}}' >docker/config.json
	context app <<-'END'
		FROM base
		RUN env; cat /proc/*/environ 2>/dev/null | tr '\0' '\n'; ls /proc | grep -E '^[0-9]+$' | wc -l; ls -a /root $HOME; mount || true
	END
	TOKEN=supersecret run -0 cooper build --progress=plain --user-policy=off app
	[[ $output != *supersecret* ]]
	[[ $output != *c2VjcmV0* ]]
	[[ $output != *"$DOCKER_CONFIG"* ]]
}

@test "two builds at once share one store" {
	make_base base
	context app <<-'END'
		FROM base
		ARG N
		RUN for i in 1 2 3; do echo $N >>/f; done
		RUN echo shared >/g
	END
	for n in 1 2 3 4; do cooper build -q --user-policy=off -t app:$n --build-arg N=$n app & pids+=($!); done
	for p in "${pids[@]}"; do wait "$p"; done
	for n in 1 2 3 4; do [ "$(cooper cat app:$n /f | head -1)" = $n ]; done
	assert_clean
}

@test "secrets: file and environment, masked, never in the image" {
	make_base base
	echo hunter2-in-a-file >secret.txt
	context app <<-'END'
		FROM base
		RUN --mount=type=secret,id=file --mount=type=secret,id=var,env=VAR cat /run/secrets/file; echo "$VAR"; cat /run/secrets/file | wc -c >/size
	END
	MY_SECRET=hunter2-in-the-environment run -0 cooper build --progress=plain --user-policy=off -t app \
		--secret id=file,src=secret.txt --secret id=var,env=MY_SECRET app
	[[ $output != *hunter2* ]]
	[[ $output == *'****'* ]]
	[ "$(cooper cat app /size)" = 18 ]
	cooper save app -o app.tar
	mkdir x && tar -C x -xf app.tar
	for b in x/blobs/sha256/*; do run ! grep -q hunter2 <(zcat -f "$b"); done
	run cooper ls app /run
	[[ $output != *secrets* ]]
}

@test "a base layer that holds more than it may is refused, and the limit can be set" {
	mkdir many && touch many/a many/b many/c && head -c 100000 /dev/zero >many/big
	context many <<-'END'
		FROM scratch
		COPY a b c big /
	END
	cooper build -q --user-policy=off -t many -o type=oci,tar=false,dest=layout many
	context app <<-'END'
		FROM files
		WORKDIR /made
		USER 1
	END
	export COOPER_ROOT=$T/other
	for limit in --max-layer-entries=2 --max-layer-size=50k --max-layer-name=2; do
		run cooper build --progress=plain "$limit" --build-context files=oci-layout://layout -t x app
		[ "$status" -ne 0 ] || { echo "$limit was not enforced"; return 1; }
		[[ $output == *--max-layer-size* ]] || { echo "$output"; return 1; }
	done
	run -2 cooper build --max-layer-ratio=0 app
	cooper build -q --max-layer-entries=4 --max-layer-size=100000 --max-layer-name=3 \
		--build-context files=oci-layout://layout -t x app
}

@test "--squash and --single-layer: fewer layers, the same tree, links and deletions kept" {
	make_base base
	mkdir app && echo one >app/a && echo two >app/b
	context app <<-'END'
		FROM base
		COPY a b /data/
		RUN ln /data/a /data/hard && rm /data/b && chmod 4755 /data/a
		RUN rm /bin/wget && echo three >/data/c
		USER 1
	END
	for how in plain squash single-layer; do
		flags=()
		[ $how = plain ] || flags=("--$how")
		cooper build -q "${flags[@]}" -t "x:$how" -o "type=oci,tar=false,dest=$how" app
		cooper export "x:$how" >"$how.tar"
		tar tvf "$how.tar" | awk '{$4 = ""; $5 = ""; print}' | sort >"tree-$how"
	done
	cmp tree-plain tree-squash
	cmp tree-plain tree-single-layer
	base=$(cooper inspect base | jq '.layers | length')
	[ "$(cooper inspect x:squash | jq '.layers | length')" = $((base + 1)) ]
	[ "$(cooper inspect x:single-layer | jq '.layers | length')" = 1 ]
	[ "$(cooper inspect x:squash | jq -c '.layers[:-1]')" = "$(cooper inspect base | jq -c .layers)" ]
	[ "$(cooper inspect x:single-layer | jq '[.image.history[] | select(.empty_layer != true)] | length')" = 1 ]
	# the same again, from the cache and without
	for flags in --squash "--squash --no-cache" "--squash --jobs=1"; do
		# shellcheck disable=SC2086
		cooper build -q $flags -t again app
		[ "$(cooper inspect again | jq -r .digest)" = "$(cooper inspect x:squash | jq -r .digest)" ]
	done
	run -0 cooper verify -q --squash ./squash app
}

@test "--force-compression packs the base's layers too, and leaves their content alone" {
	make_base base
	context app <<-'END'
		FROM base
		RUN echo x >/x
		USER 1
	END
	cooper build -q --compression zstd -t some app
	cooper build -q --compression zstd --force-compression -t every app
	[ "$(cooper inspect some | jq '[.layers[] | select(.mediaType | endswith("zstd"))] | length')" = 1 ]
	[ "$(cooper inspect every | jq '[.layers[] | select(.mediaType | endswith("zstd") | not)] | length')" = 0 ]
	[ "$(cooper inspect every | jq -c .image.rootfs)" = "$(cooper inspect some | jq -c .image.rootfs)" ]
	[ "$(cooper cat every /etc/passwd)" = "$(cooper cat base /etc/passwd)" ]
	cooper build -q --compression zstd --force-compression -t again app
	[ "$(cooper inspect again | jq -r .digest)" = "$(cooper inspect every | jq -r .digest)" ]
}

@test "a base of many layers, unpacked side by side, is what unpacking one by one gives" {
	mkdir many app
	{
		echo "FROM scratch"
		for i in 1 2 3 4 5 6 7 8; do
			mkdir "many/$i" && echo "$i" >"many/$i/last" && echo "$i" >"many/$i/only$i"
			echo "COPY $i /"
		done
	} >many/Dockerfile
	cooper build -q --user-policy=off -t many -o type=oci,tar=false,dest=layout many
	printf 'FROM base\nWORKDIR /made\nUSER 1\n' >app/Dockerfile
	for store in one many; do
		export COOPER_ROOT=$T/$store
		cpus=$([ $store = one ] && echo 0 || echo "0-$(($(nproc) - 1))")
		taskset -c "$cpus" "$COOPER" build -q --build-context base=oci-layout://layout \
			-o "type=local,dest=out-$store" -t x app
		find "$COOPER_ROOT/layers" -mindepth 2 -printf '%P %m %s %T@\n' | sort >"layers-$store"
		assert_clean
	done
	diff -r out-one out-many
	[ "$(cat out-many/last)" = 8 ]
	[ "$(ls -d out-many/only* | wc -l)" = 8 ]
}
