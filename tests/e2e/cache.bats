#!/usr/bin/env bats
# The build cache that machines share: registries, directories, images; trust; failures that must not matter.

load helper
bats_require_minimum_version 1.5.0

setup() {
	common_setup
	NGINX_PID=
	export REGISTRY_QUIET=false
	registry_start "$T/registry"
	make_base "$REGISTRY/base:1"
	cooper push -q "$REGISTRY/base:1"
	CACHE=$REGISTRY/cache
	machine one
}
teardown() {
	[ -z "$NGINX_PID" ] || kill "$NGINX_PID" 2>/dev/null || true
	common_teardown
}

# Another machine: a store of its own.
machine() { export COOPER_ROOT=$T/store-$1; }

# A project of some steps; the context's file is $1.
project() {
	mkdir -p app
	echo "${1:-one}" >app/file
	cat >app/Dockerfile <<-DOCKER
		FROM $REGISTRY/base:1
		RUN echo first >/first && cat /proc/sys/kernel/random/uuid >/random1
		COPY file /file
		RUN cat /file /first >/both && cat /proc/sys/kernel/random/uuid >/random2
		USER 1000
	DOCKER
}
build() { "$COOPER" build --progress=plain --digest-file "$T/digest" "$@" app 2>&1; }
cached_steps() { grep -c CACHED <<<"$1" || true; }

# Requests since the last call of requests_from_here.
requests_from_here() { LINE=$(grep -c '"[A-Z]* /v2' registry/log || true); }
requests() { grep -o '"[A-Z]* /v2[^"]*" [0-9]*' registry/log | tail -n "+$((LINE + 1))" | tr -d '"'; }

# The manifest behind a tag is passed through a jq program and put back.
rewrite() {
	local at=http://$REGISTRY/v2/$1/manifests/$2
	local type=application/vnd.oci.image.manifest.v1+json
	curl -fsS -H "Accept: $type" "$at" | jq "$3" >rewritten
	curl -fsS -o /dev/null -X PUT -H "Content-Type: $type" --data-binary @rewritten "$at"
}
tags() { curl -fsS "http://$REGISTRY/v2/$1/tags/list?n=1000" | jq -r ".tags[]? | select(startswith(\"$2\"))"; }

@test "a second machine finds everything, in two round trips, and downloads nothing" {
	project
	build -t "$REGISTRY/app:1" --push --cache-repo "$CACHE"
	cp digest first
	machine two
	requests_from_here
	run -0 build -t "$REGISTRY/app:2" --push --cache-repo "$CACHE"
	[ "$(cached_steps "$output")" = 3 ]
	cmp digest first
	requests >log
	# one wave of index questions, one wave of HEADs
	[ "$(grep -c 'GET /v2/cache/manifests/d1-' log)" -le 2 ]
	run -1 grep 'GET /v2/cache/manifests/c1-' log
	run -1 grep 'GET /v2/\(cache\|app\)/blobs' log
	run -1 grep -E '(PUT|POST|PATCH) /v2/cache' log
	# of the base only manifest and config came; nothing was unpacked
	[ "$(grep -c 'GET /v2/base/blobs' log)" -le 1 ]
	[ ! -d "$COOPER_ROOT/layers" ] || [ -z "$(ls "$COOPER_ROOT/layers")" ]
}

@test "thirty cached steps cost three waves of requests" {
	mkdir app
	{ echo "FROM $REGISTRY/base:1"; for i in {1..30}; do echo "RUN echo $i >/f$i"; done; } >app/Dockerfile
	build --user-policy=off --cache-repo "$CACHE"
	cp digest first
	machine two
	requests_from_here
	run -0 build --user-policy=off --cache-repo "$CACHE"
	[ "$(cached_steps "$output")" = 30 ]
	cmp digest first
	requests | grep /v2/cache/ >log
	[ "$(grep -c GET log)" -le 2 ]
	[ "$(grep -c HEAD log)" -le 31 ]
	[ "$(wc -l <log)" = $(($(grep -c GET log) + $(grep -c HEAD log))) ]
}

@test "after an edit the cached layers below come from the cache, only they" {
	project
	build -t "$REGISTRY/app:1" --cache-repo "$CACHE"
	machine two
	project changed
	requests_from_here
	run -0 build -t "$REGISTRY/app:2" --push --cache-repo "$CACHE"
	[ "$(cached_steps "$output")" = 1 ]
	[ "$(requests | grep -c 'GET /v2/cache/blobs')" = 1 ]
	[ "$(cooper cat "$REGISTRY/app:2" /both)" = "$(printf 'changed\nfirst')" ]
	# and what this machine made is there for a third
	machine three
	run -0 build --cache-from "$CACHE"
	[ "$(cached_steps "$output")" = 3 ]
}

@test "an image built from the cache without a push is whole when it is needed" {
	project
	build -t app --cache-repo "$CACHE"
	machine two
	build -t app --cache-repo "$CACHE"
	[ "$(cooper cat app /first)" = first ]
	machine three
	build -t app --cache-repo "$CACHE" -o type=oci,dest=app.tar
	[ "$(cooper cat oci-archive:app.tar /first)" = first ]
	machine four
	build -o ./tree --cache-repo "$CACHE"
	[ "$(cat tree/first)" = first ]
}

@test "mode=min writes what the result is made of, mode=max all stages" {
	mkdir app
	cat >app/Dockerfile <<-DOCKER
		FROM $REGISTRY/base:1 AS tool
		RUN echo tool >/tool
		FROM $REGISTRY/base:1
		COPY --from=tool /tool /tool
		USER 1000
	DOCKER
	build --cache-to "type=registry,ref=$REGISTRY/min" --cache-to "type=registry,ref=$REGISTRY/max,mode=max"
	min=$(tags min c1- | wc -l) max=$(tags max c1- | wc -l)
	[ "$max" = $((min + 1)) ]
	machine two
	run -0 build --cache-from "type=registry,ref=$REGISTRY/max"
	[ "$(cached_steps "$output")" = 2 ]
	# not written to
	[ "$(tags max c1- | wc -l)" = "$max" ]
}

@test "a directory is a cache too, and an OCI layout" {
	project
	build --cache-to type=local,dest=ci,mode=max
	cp digest first
	jq -e '.manifests | length > 3' ci/index.json
	for d in ci/blobs/sha256/*; do [ "$(sha256sum <"$d" | cut -c-64)" = "${d##*/}" ]; done
	machine two
	run -0 build -t app --cache-from type=local,src=ci
	[ "$(cached_steps "$output")" = 3 ]
	cmp digest first
	[ "$(cooper cat app /first)" = first ]
	# a layer that was damaged there is a miss
	machine three
	for d in ci/blobs/sha256/*; do
		[ "$(head -c 2 "$d" | od -An -tx1)" != " 1f 8b" ] || truncate -s 40 "$d"
	done
	project changed
	run -0 build --cache-from type=local,src=ci
	[[ $output == *"gone or damaged"* ]]
	run -0 build --cache-from type=local,src=no/such/dir
}

@test "an image that carries its own cache" {
	project
	build -t "$REGISTRY/app:1" --push --cache-to type=inline
	cp digest first
	machine two
	run -0 build -t "$REGISTRY/app:2" --push --cache-from "$REGISTRY/app:1" --cache-to type=inline
	[ "$(cached_steps "$output")" = 3 ]
	cmp digest first
	# an image without records gives nothing, and is no trouble
	machine three
	run -0 build --cache-from "$REGISTRY/base:1"
	[ "$(cached_steps "$output")" = 0 ]
	[[ $output != *WARN* ]]
}

@test "a registry that is down costs a warning" {
	project
	run -0 build --cache-repo localhost:1/cache
	[[ $output == *"localhost:1/cache is not used"* ]]
	[ "$(grep -c 'is not' <<<"$output")" = 1 ]
}

@test "a registry that wants credentials costs a warning" {
	project
	kill "$REGISTRY_PID"
	htpasswd -Bbn user word >htpasswd
	( registry_start "$T/registry2" "$T/htpasswd" && echo "$REGISTRY" >second && echo "$REGISTRY_PID" >pid )
	sed -i 's/^FROM .*/FROM scratch/; /^RUN/d' app/Dockerfile
	run -0 build --cache-repo "$(cat second)/cache"
	kill "$(cat pid)"
	[[ $output == *"is not used"* ]]
	[[ $output == *"is not written"* ]]
}

# nginx before the registry: $1 is what it answers to everything but $2 (a regular expression of methods).
front() {
	FRONT=localhost:$(free_port)
	mkdir -p nginx
	cat >nginx/conf <<-NGINX
		daemon off; pid $T/nginx/pid; error_log $T/nginx/error; worker_processes 1;
		events {}
		http { access_log off; client_max_body_size 0;
		client_body_temp_path $T/nginx/b; proxy_temp_path $T/nginx/p; fastcgi_temp_path $T/nginx/f;
		uwsgi_temp_path $T/nginx/u; scgi_temp_path $T/nginx/s;
		server { listen ${FRONT#*:}; location / {
		if (\$request_method !~ "$2") { return $1; }
		proxy_pass http://127.0.0.1:${REGISTRY#*:}; proxy_set_header Host \$http_host; } } }
	NGINX
	nginx -p "$T/nginx" -c "$T/nginx/conf" 3>&- &
	NGINX_PID=$!
	listening "${FRONT#*:}" $NGINX_PID
}

@test "a read-only registry is read, and said not to be written" {
	project
	build --cache-repo "$CACHE"
	front 403 '^(GET|HEAD)$'
	machine two
	project changed
	run -0 build --cache-repo "$FRONT/cache"
	[ "$(cached_steps "$output")" = 1 ]
	[[ $output == *"$FRONT/cache is not written"* ]]
}

@test "a rate limit is not waited for" {
	project
	front 429 '^NONE$'
	SECONDS=0
	run -0 build --cache-repo "$FRONT/cache"
	[[ $output == *"is not used"* ]]
	[ $SECONDS -lt "$(seconds 30)" ]
}

@test "blobs that vanish from the registry are misses" {
	project
	build --cache-repo "$CACHE"
	rm -rf registry/data/docker/registry/v2/blobs
	rm -rf registry/data/docker/registry/v2/repositories/cache/_layers
	COOPER_ROOT=$T/store cooper push -q "$REGISTRY/base:1"
	machine two
	run -0 build -t "$REGISTRY/app:1" --push --cache-repo "$CACHE"
	[ "$(cached_steps "$output")" = 0 ]
	# and the cache is whole again
	machine three
	run -0 build -t app --cache-repo "$CACHE"
	[ "$(cached_steps "$output")" = 3 ]
	[ "$(cooper cat app /first)" = first ]
}

@test "blobs that vanish between the question and the download are misses" {
	project
	build --cache-repo "$CACHE"
	# HEAD goes on saying yes, GET does not: as a registry with a cache of descriptors does
	front 404 '^(GET|HEAD|PUT|POST|PATCH)$'
	kill "$NGINX_PID"; wait "$NGINX_PID" || true
	sed -i 's|location / {|location ~ /cache/blobs/sha256: { if ($request_method = GET) { return 404; } proxy_pass http://127.0.0.1:'"${REGISTRY#*:}"'; proxy_set_header Host $http_host; } location / {|' nginx/conf
	nginx -p "$T/nginx" -c "$T/nginx/conf" 3>&- & NGINX_PID=$!
	listening "${FRONT#*:}" $NGINX_PID
	machine two
	project changed
	run -0 build -t app --cache-from "$FRONT/cache"
	[[ $output == *"gone or damaged"* ]]
	[ "$(cooper cat app /both)" = "$(printf 'changed\nfirst')" ]
	# nothing needs the files, the target is elsewhere: the push finds out
	machine three
	project
	( registry_start "$T/other" && echo "$REGISTRY" >other-host && echo "$REGISTRY_PID" >other-pid )
	run -0 build -t "$(cat other-host)/app:1" --push --cache-from "$FRONT/cache"
	[[ $output == *"building without them"* ]]
	skopeo copy -q --src-tls-verify=false "docker://$(cat other-host)/app:1" dir:copy
	kill "$(cat other-pid)"
}

@test "signed entries: strangers, tampered records, layers and indexes are misses" {
	project
	openssl genpkey -algorithm ed25519 -out key.pem 2>/dev/null
	openssl pkey -in key.pem -pubout -out key.pub
	openssl rand -hex 32 >secret
	build --cache-repo "$REGISTRY/plain"
	build --no-cache --cache-repo "$REGISTRY/signed" --cache-key key.pem
	build --no-cache --cache-repo "$REGISTRY/hmac" --cache-key secret
	machine two
	run -0 build --cache-from "$REGISTRY/signed" --cache-trust key.pub
	[ "$(cached_steps "$output")" = 3 ]
	machine three
	run -0 build --cache-from "$REGISTRY/hmac" --cache-trust key.pub,secret
	[ "$(cached_steps "$output")" = 3 ]
	for wrong in "plain key.pub" "hmac key.pub" "signed secret"; do
		set -- $wrong
		machine "$1-$2"
		run -0 build --cache-from "$REGISTRY/$1" --cache-trust "$2"
		[ "$(cached_steps "$output")" = 0 ]
		[[ $output == *"not signed by a key"* ]]
	done
	# what came without trust is not believed later
	machine loose
	build -t app --cache-from "$REGISTRY/plain" -o type=oci,dest=x.tar
	run -0 build --cache-trust key.pub --cache-from "$REGISTRY/plain"
	[ "$(cached_steps "$output")" = 0 ]
	# a record changed in all documents: base64 of the payload with another size
	for tag in $(tags signed c1-) $(tags signed d1-); do
		rewrite signed "$tag" '.annotations |= with_entries(if .key | endswith("created") then . else .value |= gsub("\"payload\":\"ey"; "\"payload\":\"eyAg") end)'
	done
	machine four
	run -0 build --cache-from "$REGISTRY/signed" --cache-trust key.pub
	[ "$(cached_steps "$output")" = 0 ]
	[[ $output == *"they count as misses"* ]]
	# the layer swapped for another, the signature untouched
	for tag in $(tags hmac c1-) $(tags hmac d1-); do
		rewrite hmac "$tag" '.layers[0] as $l | .layers |= map($l + {size: ($l.size)}) | .layers |= [.[0]] | .layers[0].digest = .config.digest | .layers[0].size = .config.size'
	done
	machine five
	run -0 build --cache-from "$REGISTRY/hmac" --cache-trust secret
	[ "$(cached_steps "$output")" = 0 ]
	[[ $output == *"damaged"* ]]
	run -2 build --cache-key key.pub --cache-repo "$CACHE"
	run -4 build --cache-trust no.pub --cache-repo "$CACHE"
}

@test "an index that points to the wrong entries is of no use to an attacker" {
	project
	openssl rand -hex 32 >secret
	build --cache-repo "$CACHE" --cache-key secret
	# every entry gets the document of another: signed, but for another key
	all=($(tags cache c1-))
	type=application/vnd.oci.image.manifest.v1+json
	curl -fsS -H "Accept: $type" "http://$REGISTRY/v2/cache/manifests/${all[0]}" >doc
	for tag in "${all[@]}" $(tags cache d1-); do
		curl -fsS -o /dev/null -X PUT -H "Content-Type: $type" --data-binary @doc "http://$REGISTRY/v2/cache/manifests/$tag"
	done
	machine two
	run -0 build -t app --cache-from "$CACHE" --cache-trust secret
	[ "$(cached_steps "$output")" -le 1 ]
	[ "$(cooper cat app /both)" = "$(printf 'one\nfirst')" ]
}

@test "scopes: a branch reads main, and does not write it" {
	project
	build --cache-repo "$CACHE" --cache-scope main
	before=$(tags cache c1- | wc -l)
	machine two
	project branch
	run -0 build --cache-repo "$CACHE" --cache-scope pr-1,main
	[ "$(cached_steps "$output")" = 1 ]
	[ "$(tags cache c1- | wc -l)" -gt "$before" ]
	machine three
	run -0 build --cache-repo "$CACHE" --cache-scope main
	[ "$(cached_steps "$output")" = 1 ]
	machine four
	run -0 build --cache-from "$CACHE" --cache-scope pr-1,main
	[ "$(cached_steps "$output")" = 3 ]
}

@test "entries that are too old are misses" {
	project
	build --cache-repo "$CACHE"
	sleep 2
	machine two
	run -0 build --cache-repo "$CACHE" --cache-ttl 1s
	[ "$(cached_steps "$output")" = 0 ]
	machine three
	run -0 build --cache-repo "$CACHE" --cache-ttl 1d
	[ "$(cached_steps "$output")" = 3 ]
	run -2 build --cache-ttl soon
}

@test "steps before a failing one are kept" {
	project
	echo 'RUN false' >>app/Dockerfile
	run -1 build --user-policy=off --cache-repo "$CACHE"
	machine two
	run -1 build --user-policy=off --cache-repo "$CACHE"
	[ "$(cached_steps "$output")" = 3 ]
}

@test "fifty writers at once leave no broken entry" {
	project
	for i in {1..50}; do
		# base and Dockerfile the same for all: the same keys, different results
		( COOPER_ROOT=$T/w$i cooper build -q --cache-repo "$CACHE" app >w$i.out 2>&1 && touch w$i.ok ) &
		[ $((i % 10)) != 0 ] || wait -n || true
	done
	wait $(jobs -p | grep -v "^$REGISTRY_PID$") || true
	[ "$(ls w*.ok | wc -l)" = 50 ]
	for tag in $(tags cache c1-) $(tags cache d1-); do
		skopeo inspect --raw --tls-verify=false "docker://$CACHE:$tag" >doc
		for blob in $(jq -r '.layers[].digest, .config.digest' doc); do
			curl -fsS "http://$REGISTRY/v2/cache/blobs/$blob" | sha256sum | grep -q "${blob#sha256:}"
		done
	done
	machine last
	run -0 build -t app --cache-from "$CACHE"
	[ "$(cached_steps "$output")" = 3 ]
	[ "$(cooper cat app /both)" = "$(printf 'one\nfirst')" ]
}

@test "refusals of flags that mean nothing" {
	project
	run -2 build --cache-from type=gha
	run -2 build --cache-from type=local,dest=x
	run -2 build --cache-to type=registry
	run -2 build --cache-to "type=registry,ref=$CACHE,mode=most"
	run -2 build --cache-from "type=inline"
}

# What --explain-cache says about the steps that ran.
why() { grep 'not cached:' <<<"$1"; }

@test "misses are explained in words" {
	project
	printf 'x' >app/other
	cat >app/Dockerfile <<-DOCKER
		FROM $REGISTRY/base:1 AS tool
		ARG VERSION=1
		RUN echo \$VERSION >/version
		COPY . /all
		ENV MODE=fast
		RUN cat /version
		USER 1000
	DOCKER
	run -0 build --explain-cache
	[ "$(why "$output" | grep -c "no earlier build")" = 3 ]
	run -0 build --explain-cache
	run -1 why "$output"
	run -0 build --explain-cache --build-arg VERSION=2
	why "$output" | grep -q 'RUN echo.*argument VERSION changed'
	why "$output" | grep -q 'COPY.*what earlier steps made changed'
	run -0 build
	echo changed >app/file && chmod 600 app/other && touch app/new
	run -0 build --explain-cache
	why "$output" | grep COPY | grep 'file file changed' | grep 'file new is new' | grep -q 'file other has another mode'
	rm app/new
	sed -i 's/MODE=fast/MODE=slow/' app/Dockerfile
	run -0 build --explain-cache
	why "$output" | grep -q 'COPY.*file new is gone'
	why "$output" | grep -q 'RUN cat.*variable MODE changed'
	sed -i 's,^RUN cat.*,RUN cat /version /all/file,' app/Dockerfile
	run -0 build --explain-cache
	why "$output" | grep -q 'it was: RUN cat /version$\|it was: RUN cat /version '
	# an inserted line does not confuse the steps behind it
	sed -i '/^COPY/i RUN true' app/Dockerfile
	run -0 build --explain-cache
	why "$output" | grep -q 'COPY.*what earlier steps made changed'
	run -0 build --explain-cache --timestamp 77
	why "$output" | grep -q 'the time for files'
	run -0 build --explain-cache --no-cache
	why "$output" | grep -q -- '--no-cache was given'
	# the base
	printf 'FROM %s/base:1\nRUN echo other >/other\n' "$REGISTRY" >Dockerfile.base
	cooper build -q --user-policy=off --pull -t "$REGISTRY/base:1" --push -f Dockerfile.base app
	cooper rmi "$REGISTRY/base:1"
	run -0 build --explain-cache
	why "$output" | grep 'RUN echo' | grep -q 'the base image changed'
	# the stream has it without being asked
	echo again >app/file
	run -0 "$COOPER" build --progress=json app
	grep '"event":"cache"' <<<"$output" | jq -s -e 'any(.rule == "CacheMiss" and (.text | contains("file file changed")) and .step > 1)'
}

commit() {
	git -C app add . && GIT_COMMITTER_DATE="$1 +0000" git -C app -c user.name=a -c user.email=a commit -qm x --allow-empty
}

# A stage whose result is the first letter of the context's file, and one that takes it.
stages() {
	mkdir -p app
	echo "$1" >app/file
	cat >app/Dockerfile <<-DOCKER
		FROM $REGISTRY/base:1 AS build
		COPY file /in
		RUN mkdir /d && head -c1 /in >/d/out && cat /proc/sys/kernel/random/uuid >/noise
		FROM $REGISTRY/base:1
		COPY --from=build /d /d
		RUN cat /proc/sys/kernel/random/uuid >/random
		USER 1000
	DOCKER
}
# The digest when all that follows COPY --from was found, whatever ran before it.
found_by_content() {
	grep -A1 'COPY --from' <<<"$1" | grep -q CACHED && grep -A1 'RUN cat' <<<"$1" | grep -q CACHED
}

@test "a copy from a stage that was built anew is found by its files" {
	stages apple
	run -0 build
	cp digest first
	stages almond
	run -0 build
	found_by_content "$output"
	[ "$(cached_steps "$output")" = 2 ]
	cmp digest first
	# and the next time without a look at the files
	run -0 build
	[ "$(cached_steps "$output")" = 4 ]
	cmp digest first
	# other files, and which
	stages banana
	run -0 build --explain-cache
	why "$output" | grep 'COPY --from' | grep -q 'file out changed'
	[ "$(cached_steps "$output")" = 0 ]
	run -1 cmp -s digest first
	stages blueberry
	cp digest second
	run -0 build
	found_by_content "$output"
	cmp digest second
	# a dry run does not look at files, and says so
	stages cherry
	run -0 "$COOPER" build --dry-run app
	grep -A1 'COPY --from' <<<"$output" | grep -q 'not built yet'
	# the same from nothing, but for what chance gives
	stages banana
	sed -i '/>.random/d' app/Dockerfile
	run -0 build --no-cache
	cp digest cold
	stages blackberry
	sed -i '/>.random/d' app/Dockerfile
	run -0 build
	cmp digest cold
}

@test "a copy from a stage is found by its files on another machine, and a cached build unpacks nothing" {
	stages apple
	run -0 build --cache-repo "$CACHE" -t "$REGISTRY/app:1" --push
	cp digest first
	machine two
	requests_from_here
	run -0 build --cache-repo "$CACHE" -t "$REGISTRY/app:1" --push
	[ "$(cached_steps "$output")" = 4 ]
	cmp digest first
	[ ! -d "$COOPER_ROOT/layers" ] || [ -z "$(ls "$COOPER_ROOT/layers")" ]
	run -1 grep 'GET.*/blobs/' <<<"$(requests | grep cache)"
	[ "$(requests | grep -c 'GET /v2/cache/manifests')" -le 2 ]
	machine three
	stages avocado
	run -0 build --cache-repo "$CACHE" -t "$REGISTRY/app:1" --push
	found_by_content "$output"
	cmp digest first
	# what it found out is in the cache as well
	machine four
	run -0 build --cache-repo "$CACHE" -t "$REGISTRY/app:1"
	[ "$(cached_steps "$output")" = 4 ]
}

@test "who finds a copy by its files does not vouch for it" {
	openssl genpkey -quiet -algorithm ed25519 -out key.pem 2>/dev/null || openssl genpkey -algorithm ed25519 -out key.pem
	openssl pkey -in key.pem -pubout -out key.pub
	stages apple
	build --cache-repo "$CACHE"
	machine two
	stages avocado
	run -0 build --cache-from "$CACHE"
	found_by_content "$output"
	# the alias is there; now it is passed on by somebody with a key
	run -0 build --cache-from "$CACHE" --cache-to "type=registry,ref=$REGISTRY/signed,mode=max" --cache-key key.pem
	[ "$(cached_steps "$output")" = 4 ]
	machine three
	run -0 build --cache-from "$REGISTRY/signed" --cache-trust key.pub
	grep -q 'entries that are not signed' <<<"$output"
	[ "$(cached_steps "$output")" = 2 ]
	grep -A1 'RUN mkdir' <<<"$output" | grep -q CACHED
}

@test "a new commit: every step runs, and it is said why and what helps" {
	project
	git init -q app
	commit 1700000000
	run -0 build
	[ "$(grep -c 'the commit time' <<<"$output")" = 0 ]
	run -0 build
	[ "$(cached_steps "$output")" = 3 ]
	commit 1700001000
	run -0 build --explain-cache
	[ "$(cached_steps "$output")" = 0 ]
	[ "$(grep -c 'the commit time changed: 1700000000 → 1700001000, so no step is cached; --timestamp=created' <<<"$output")" = 1 ]
	why "$output" | grep 'RUN echo' | grep -q 'the commit time changed: 1700000000 → 1700001000; --timestamp=created'
	# when something else changed as well, that is the reason
	commit 1700002000
	sed -i 's/echo first/echo 1st/' app/Dockerfile
	run -0 build
	[ "$(grep -c 'so no step is cached' <<<"$output")" = 0 ]
}

@test "commits share the cache with --timestamp=created, on another machine too" {
	project
	git init -q app
	commit 1700000000
	run -0 build --timestamp=created --cache-repo "$CACHE"
	commit 1700001000
	machine two
	run -0 build --timestamp=created --cache-repo "$CACHE" -t x:1
	[ "$(cached_steps "$output")" = 3 ]
	[ "$("$COOPER" inspect x:1 | jq -r '.. | .created? // empty' | head -1)" = 2023-11-14T22:30:00Z ]
	cp digest warm
	# the same from nothing
	run -0 build --timestamp=created --cache-repo "$CACHE"
	cmp digest warm
}

@test "values do not get into the store by explanations" {
	project
	sed -i '2i ARG TOKEN' app/Dockerfile
	build --build-arg TOKEN=verysecretvalue
	run -1 grep -r verysecretvalue "$COOPER_ROOT/cache"
}

@test "cache mounts travel with mode=max" {
	mkdir app
	cat >app/Dockerfile <<-DOCKER
		FROM $REGISTRY/base:1
		ARG RUN=1
		RUN --mount=type=cache,target=/c ls -l /c && echo run \$RUN >>/c/log && cp /c/log /log && ln -sf log /c/link
		USER 1000
	DOCKER
	build --cache-to "type=registry,ref=$CACHE"
	[ -z "$(tags cache m1-)" ]
	build --cache-to "type=registry,ref=$CACHE,mode=max" --build-arg RUN=2
	[ "$(tags cache m1- | wc -l)" = 1 ]
	machine two
	build -t app --cache-repo "$CACHE" --build-arg RUN=3
	[ "$(cooper cat app /log)" = "$(printf 'run 1\nrun 2\nrun 3')" ]
	# one that can not be read is as none
	rewrite cache "$(tags cache m1-)" '.annotations |= with_entries(.value |= gsub("\"payload\":\"ey"; "\"payload\":\"!!"))'
	machine three
	build -t app --cache-from "$CACHE" --build-arg RUN=4
	[ "$(cooper cat app /log)" = "run 4" ]
}

@test "cooper cache: ls, du, prune of the store" {
	project
	sed -i 's/^RUN cat.*/RUN --mount=type=cache,target=\/c echo x >\/c\/x/' app/Dockerfile
	build
	run -0 cooper cache ls
	[[ $output == *"RUN echo first"* ]]
	[[ $output == *"cache mount"* ]]
	run -0 cooper cache du
	[[ $output == *"Cache mounts: 1, "* ]]
	run -0 cooper cache prune --dry-run --keep-bytes 0
	[[ $output == "Would remove 3 "* ]]
	run -0 cooper cache prune --max-age 1h
	[[ $output == "Removed 0 "* ]]
	run -0 cooper cache prune --max-age 0s
	[[ $output == "Removed 3 "* ]]
	run -0 cooper cache du
	[[ $output == *"Entries: 0,"* ]]
	[[ $output == *"Cache mounts: 1, "* ]]
	cooper cache prune --mounts --keep-bytes 0
	[ -z "$(find "$COOPER_ROOT/mounts" -mindepth 1 -type d)" ]
	run -0 build
	[ "$(cached_steps "$output")" = 0 ]
	run -2 cooper cache empty
	run -2 cooper cache ls --keep-bytes 5
	run -2 cooper cache gc --max-age long
}

@test "cooper cache: ls and gc of a registry and of a directory" {
	project
	build --cache-repo "$CACHE" --cache-to type=local,dest=ci,mode=max
	run -0 cooper cache ls --cache-repo "$CACHE"
	[[ $output == *"RUN echo first"* ]]
	run -0 cooper cache gc --cache-repo "$CACHE" --max-age 1h
	[ "$(tags cache c1- | wc -l)" = 4 ]
	run -0 cooper cache gc --cache-repo "$CACHE" --keep-bytes 0
	[ -z "$(tags cache c1-)$(tags cache d1-)" ]
	run -0 cooper cache ls --cache-repo "$REGISTRY/never"
	machine two
	run -0 build --cache-repo "$CACHE"
	[ "$(cached_steps "$output")" = 0 ]
	run -0 cooper cache gc --cache-repo type=local,dest=ci --keep-bytes 0
	jq -e '.manifests == []' ci/index.json
	find ci/blobs -type f -exec touch -d '1 hour ago' {} +
	cooper cache gc --cache-repo type=local,dest=ci --keep-bytes 0
	[ -z "$(find ci/blobs -type f)" ]
}

@test "what belongs into a key and what does not" {
	project
	sed -i '2i ARG UNUSED\nARG USED' app/Dockerfile
	sed -i 's/^RUN cat/RUN --mount=type=secret,id=s,required=false cat/' app/Dockerfile
	echo value1 >s1; echo value2 >s2
	build --secret id=s,src=s1
	# times, secrets' values, ignored files and the base's name do not count
	touch app/file; touch -d '1 year ago' app/Dockerfile
	run -0 build --secret id=s,src=s2
	[ "$(cached_steps "$output")" = 3 ]
	cooper tag "$REGISTRY/base:1" "$REGISTRY/other:9"
	sed -i "s,^FROM .*,FROM $REGISTRY/other:9," app/Dockerfile
	run -0 build --secret id=s,src=s2
	[ "$(cached_steps "$output")" = 3 ]
	# modes, names, arguments and the network do
	chmod 600 app/file
	run -0 build
	[ "$(cached_steps "$output")" = 1 ]
	mv app/file app/file2; sed -i 's/^COPY.*/COPY file2 \/file/' app/Dockerfile
	run -0 build
	[ "$(cached_steps "$output")" -le 2 ]
	run -0 build --build-arg USED=1
	[ "$(cached_steps "$output")" = 0 ]
	run -0 build --build-arg USED=1 --network none
	[ "$(cached_steps "$output")" = 0 ]
	run -0 build --build-arg USED=1 --network none
	[ "$(cached_steps "$output")" = 3 ]
}
