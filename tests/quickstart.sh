#!/usr/bin/env bash
# The main job on a fresh Debian 12: install, build cooper, build a base and a sample application, push
# both to a registry on loopback, and show the result with another tool. Nothing but the package
# mirror is needed from the network.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/lib/packages.sh
. tests/lib/registry.sh

step() { printf '\n\033[1m==> %s\033[0m\n' "$*"; }

step "packages"
# shellcheck disable=SC2086
install_packages $BUILD_PACKAGES $RUN_PACKAGES

step "cooper itself"
cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCOOPER_TESTS=OFF >build.log 2>&1 || { cat build.log; exit 1; }
ninja -C build cooper >>build.log 2>&1 || { tail -50 build.log; exit 1; }
rm -f build.log
cooper=$PWD/build/cooper
"$cooper" version

work=$(mktemp -d)
trap 'kill "${REGISTRY_PID:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
export COOPER_ROOT=$work/store

step "a registry on loopback"
registry_start "$work/registry"
echo "$REGISTRY"

step "a base image from one static program"
mkdir "$work/base"
cp testdata/base/Dockerfile "$work/base/"
cp "$(command -v busybox)" "$work/base/busybox"
"$cooper" build --user-policy=off -t "$REGISTRY/base:1" --push "$work/base"

step "the sample application"
"$cooper" build -t "$REGISTRY/sample:1" --build-arg "BASE=$REGISTRY/base:1" --build-arg VERSION=1.0 --push testdata/sample

step "the same again: everything comes from the cache"
"$cooper" build -t "$REGISTRY/sample:1" --build-arg "BASE=$REGISTRY/base:1" --build-arg VERSION=1.0 --push testdata/sample

step "what another tool sees"
skopeo inspect --tls-verify=false "docker://$REGISTRY/sample:1"

step "a look inside without running it"
"$cooper" history "$REGISTRY/sample:1"
"$cooper" cat "$REGISTRY/sample:1" /srv/www/hello.html
echo
echo "It works. Next: $cooper --help"
