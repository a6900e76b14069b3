#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The environment matrix: builds the same Dockerfiles everywhere and compares.
#
#   tests/env/matrix.sh [--no-heavy] [--install] [-d DOCKERFILE... --] [ENVIRONMENT...]
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/env/cache.sh
make_cache
exec python3 tests/env/matrix.py "$@"
