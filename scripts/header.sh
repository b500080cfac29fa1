#!/bin/sh
# Builds the library, and compares include/us3.h with the header that the build has generated.
#
#   header.sh write CARGO COMMAND ARGUMENTS…    copies the header when it differs
#   header.sh check CARGO COMMAND ARGUMENTS…    fails when it differs, and changes nothing
set -eu

wish=$1
cargo=$2
command=$3
shift 3
root=$(cd "$(dirname "$0")/.." && pwd)
header=$root/include/us3.h

messages=$(mktemp)
trap 'rm -f "$messages"' EXIT
trap 'exit 1' HUP INT TERM
"$cargo" "$command" --message-format=json-render-diagnostics "$@" >"$messages"

# Only this package of the workspace has a build script.
made=$(sed -n 's/.*"reason":"build-script-executed","package_id":"path+.*"out_dir":"\([^"]*\)".*/\1/p' "$messages" | tail -n 1)/us3.h
[ -f "$made" ] || {
    echo "header: the build made no header" >&2
    exit 1
}
if cmp -s "$made" "$header"; then
    [ "$wish" = write ] || echo "header: include/us3.h is what the build generates"
elif [ "$wish" = write ]; then
    cp "$made" "$header" || {
        echo "header: include/us3.h is out of date and cannot be written" >&2
        exit 1
    }
    echo "header: include/us3.h was written anew: commit it"
else
    diff -u "$header" "$made" || true
    echo "header: include/us3.h was edited by hand, or src/ffi changed: run make header and commit include/us3.h" >&2
    exit 1
fi
