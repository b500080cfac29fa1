#!/bin/sh
# Generates the API reference from include/us3.h with Doxygen. Every warning is an error.
#
#   docs.sh build VERSION     into build/docs/html
#   docs.sh check VERSION     only looks for warnings
#
# Without Doxygen, a warning says that the check is left out; with REQUIRE_ALL=1 that is a failure.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
export DOCS_VERSION="$2"
. "$root/scripts/testing.sh"

case $1 in
    build)
        command -v doxygen >/dev/null || {
            echo "make docs needs Doxygen, and it is not here (Debian: apt-get install doxygen)" >&2
            exit 1
        }
        export DOCS_OUTPUT=build/docs
        mkdir -p "$DOCS_OUTPUT"
        doxygen docs/Doxyfile
        echo "docs: $DOCS_OUTPUT/html/index.html"
        ;;
    check)
        export DOCS_OUTPUT="$tmp"
        if here_is doxygen "the documentation of the header" doxygen; then
            check "every function, member, value and macro of include/us3.h is documented" doxygen docs/Doxyfile
        fi
        summary "Reference"
        ;;
    *)
        echo "docs.sh: build or check, not $1" >&2
        exit 2
        ;;
esac
