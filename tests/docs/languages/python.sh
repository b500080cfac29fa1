#!/bin/sh
# Runs a Python program of a document: python.sh FILE ARGUMENT…
set -eu

if ! command -v python3 >/dev/null; then
    echo "there is no Python (Debian: apt-get install python3)"
    exit 77
fi
export PYTHONPATH="$US3_ROOT/bindings/python" LD_LIBRARY_PATH="$US3_LIB"
exec python3 -W error "$@"
