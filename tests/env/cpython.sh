#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# CPython's own tests inside RUN steps, compared with a run in a container.
#
#   tests/env/cpython.sh [--all] [-m MODULE... --] [ENVIRONMENT...]
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/env/cache.sh
make_cache
exec python3 tests/env/cpython.py "$@"
