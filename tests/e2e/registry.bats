#!/usr/bin/env bats
# Registries: credentials, pull, push, and the local store's names.

load helper
bats_require_minimum_version 1.5.0
setup() { common_setup; }
teardown() { common_teardown; }

@test "login, push, pull, logout against a registry with passwords" {
	htpasswd -Bbn user 'pass:word' >htpasswd
	registry_start "$T/registry" "$T/htpasswd"
	make_base base
	cooper tag base "$REGISTRY/team/base:1"
	run -7 cooper push "$REGISTRY/team/base:1"
	[[ $output == *login* ]]
	echo wrong >wrong && run -7 cooper login -u user --password-stdin "$REGISTRY" <wrong
	[ ! -e docker/config.json ] || ! grep -q auths.*user docker/config.json
	printf 'pass:word' | cooper login -u user --password-stdin "$REGISTRY"
	[ "$(stat -c %a docker/config.json)" = 600 ]
	cooper push "$REGISTRY/team/base:1"
	skopeo inspect --tls-verify=false --creds 'user:pass:word' "docker://$REGISTRY/team/base:1" >/dev/null
	COOPER_ROOT=$T/second cooper pull "$REGISTRY/team/base:1"
	COOPER_ROOT=$T/second run -0 cooper images
	[[ $output == *team/base* ]]
	cooper logout "$REGISTRY"
	run -7 cooper pull "$REGISTRY/team/base:1"
}

@test "what skopeo pushes, cooper builds on: OCI and docker manifests" {
	registry_start "$T/registry"
	make_base base
	cooper save base -o base.tar
	skopeo copy -q --dest-tls-verify=false oci-archive:base.tar "docker://$REGISTRY/oci:1"
	skopeo copy -q --format v2s2 --dest-tls-verify=false oci-archive:base.tar "docker://$REGISTRY/docker:1"
	for kind in oci docker; do
		COOPER_ROOT=$T/store-$kind
		printf 'FROM %s/%s:1\nRUN echo ok >/ok\n' "$REGISTRY" $kind >Dockerfile
		cooper build -q --user-policy=off -t "$REGISTRY/on-$kind:1" --push .
		skopeo inspect --tls-verify=false "docker://$REGISTRY/on-$kind:1" >/dev/null
	done
}

@test "pushing again uploads nothing, another repository mounts" {
	registry_start "$T/registry"
	make_base "$REGISTRY/a:1"
	cooper push "$REGISTRY/a:1"
	cooper tag "$REGISTRY/a:1" "$REGISTRY/a:2"
	run -0 cooper push "$REGISTRY/a:2"
	printf 'FROM %s/a:1\nUSER 1000\n' "$REGISTRY" >Dockerfile
	COOPER_ROOT=$T/second cooper build -q --user-policy=off -t "$REGISTRY/b:1" --push .
	# a metadata-only build never fetched a layer
	[ -z "$(find "$T/second/blobs" -size +100k)" ]
	# the gate reads the image's passwd, but unpacks nothing
	COOPER_ROOT=$T/third cooper build -q -t "$REGISTRY/b:1" --push .
	[ -z "$(find "$T/third/layers" -mindepth 1 2>/dev/null)" ]
	skopeo copy -q --src-tls-verify=false "docker://$REGISTRY/b:1" dir:b
}

@test "images, tag, rmi, prune" {
	make_base base other:2
	run -0 cooper images
	[[ $output == *base*latest* ]]
	[[ $output == *other*2* ]]
	cooper rmi other:2
	run cooper images
	[[ $output != *other* ]]
	cooper prune
	run -0 cooper ls base /bin
	[[ $output == *busybox* ]]
	cooper rmi base
	cooper prune --all 2>/dev/null || cooper prune -a 2>/dev/null || cooper prune
	[ -z "$(find "$COOPER_ROOT/blobs" -type f)" ]
}

@test "a look into an image of a registry shows its download on a terminal only, and before the answer" {
	registry_start "$T/registry"
	make_base base
	cooper push -q base "$REGISTRY/base:1"
	COOPER_ROOT=$T/silent cooper ls "$REGISTRY/base:1" >names 2>said
	[ ! -s said ]
	grep -q '^bin' names
	COOPER_ROOT=$T/seen TERM=xterm script -qec "$COOPER ls $REGISTRY/base:1" /dev/null >typescript </dev/null
	grep -q 'pull' typescript
	[ "$(grep -n 'pull' typescript | tail -1 | cut -d: -f1)" -lt "$(grep -nE '(^|[^a-z/])bin' typescript | tail -1 | cut -d: -f1)" ]
	# what failed is said once
	COOPER_ROOT=$T/none TERM=xterm run -4 script -qec "$COOPER cat $REGISTRY/none:1 /x" /dev/null </dev/null
	[ "$(grep -c 'error:' <<<"$output")" = 1 ]
}

@test "a look inside: inspect, history, ls, cat, export, save" {
	make_base base
	printf 'FROM base\nENV A=b\nRUN echo text >/file && chmod 640 /file\nUSER 1000\nCMD ["sh"]\n' >Dockerfile
	cooper build -q -t app .
	cooper inspect app | jq -e .
	run -0 cooper history app
	[[ $output == *"CREATED BY"* ]]
	[[ $output == *"RUN"* ]]
	run -0 cooper ls -l app /
	[[ $output == *-rw-r-----*file* ]]
	[ "$(cooper cat app /file)" = text ]
	cooper export app | tar -tf - | grep -qx file
	cooper save app -o app.tar
	cooper save app | tar -tf - | grep -q index.json
	for spec in oci-archive:app.tar docker-archive:app.tar; do
		[ "$(cooper cat $spec /file)" = text ]
	done
	mkdir layout && tar -C layout -xf app.tar
	[ "$(cooper cat oci:layout /file)" = text ]
	run -4 cooper cat app /no/such/file
}

@test "the name of a file or directory is no image's: how it is written" {
	make_base base
	cooper save -o base.tar base
	cooper save --format oci-dir -o layout base
	for name in base.tar ./base.tar; do
		run ! cooper ls "$name"
		[[ $output == *"docker-archive:$name"* ]]
	done
	run ! cooper ls layout
	[[ $output == *"oci:layout"* ]]
}
