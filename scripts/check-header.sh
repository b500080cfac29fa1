#!/bin/sh
# Fails when include/us3.h is not what the build generates from src/ffi; leaves the file as it was.
#
#   check-header.sh CARGO build ARGUMENTS…
set -eu

cd "$(dirname "$0")/.."
header=include/us3.h
saved=$(mktemp)
restore() {
    cp "$saved" "$header"
    rm -f "$saved"
}
cp "$header" "$saved"
trap restore EXIT
trap 'exit 1' HUP INT TERM

# The build script writes a header that is missing.
rm "$header"
"$@"
if ! diff -u "$saved" "$header"; then
    echo "check-header: $header was edited by hand, or src/ffi changed without a build: run make and commit $header" >&2
    exit 1
fi
echo "check-header: $header is what the build generates"
