#!/bin/sh
# Runs a Python program of a document: python.sh FILE ARGUMENT…
set -eu

if ! command -v python3 >/dev/null; then
    echo "there is no Python (Debian: apt-get install python3)"
    exit 77
fi
export PYTHONPATH="$US3_ROOT/bindings/python/src" PYTHONDONTWRITEBYTECODE=1 US3_LIBRARY="$US3_LIB/libus3.so.0"
exec python3 -W error "$@"
