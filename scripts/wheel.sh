#!/bin/sh
# Builds the Python wheel, with libus3.so in it.
#
#   wheel.sh PYTHON LIBRARY OUTPUT_DIR      PYTHON is one that has pip and hatchling
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
python=$1
library=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
output=$3

mkdir -p "$output"
rm -f "$output"/us3-*.whl
US3_WHEEL_LIBRARY=$library "$python" -m pip wheel --quiet --disable-pip-version-check --no-deps --no-index \
    --no-build-isolation --wheel-dir "$output" "$root/bindings/python"
ls "$output"/us3-*.whl
