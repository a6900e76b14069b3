# shellcheck shell=bash
# The packages that building, the main job and the tests need. Sourced.
BUILD_PACKAGES="gcc cmake ninja-build pkg-config libc6-dev libarchive-dev libssl-dev libcurl4-openssl-dev
libjansson-dev libzstd-dev zlib1g-dev libdeflate-dev libseccomp-dev"
RUN_PACKAGES="git ca-certificates uidmap busybox-static docker-registry skopeo"
TEST_PACKAGES="clang libclang-rt-14-dev clang-format-14 libcmocka-dev bats jq umoci runc buildah crun nginx-light
apache2-utils golang-github-containers-common python3 mmdebstrap attr acl libcap2-bin codespell shellcheck procps
openssl xz-utils bzip2 zstd file gcc-aarch64-linux-gnu qemu-user-static
qemu-system-arm qemu-system-x86"

# install_packages NAME…: those that are missing; as root, else with sudo.
install_packages() {
	missing=
	for p in "$@"; do
		dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
	done
	[ -n "$missing" ] || return 0
	as_root=
	[ "$(id -u)" = 0 ] || as_root=sudo
	echo "installing:$missing"
	$as_root apt-get update -qq
	# shellcheck disable=SC2086
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
