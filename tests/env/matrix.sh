#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The environment matrix: makes what it needs once (a minimal Debian, a root file system for the job containers),
# then builds everywhere and compares. Needs root and the package mirror.
#
#   tests/env/matrix.sh [--full] [-d DOCKERFILE... --] [ENVIRONMENT...]
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${COOPER_MATRIX_CACHE:=/var/tmp/cooper-matrix-cache}"
export COOPER_MATRIX_CACHE
[ "$(id -u)" = 0 ] || { echo "matrix: needs root" >&2; exit 1; }
[ -x build/cooper ] || { echo "matrix: build/cooper is missing" >&2; exit 1; }
mkdir -p "$COOPER_MATRIX_CACHE"

tests/env/rootfs.sh debian
exec python3 tests/env/matrix.py "$@"
