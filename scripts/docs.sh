#!/bin/sh
# The API reference: generated from include/us3.h with Doxygen, every warning an error.
#
#   docs.sh build VERSION     into build/docs/html
#   docs.sh check VERSION     only looks for warnings
#
# Without Doxygen it says so and succeeds; with REQUIRE_ALL=1 in the environment it fails.
set -eu

cd "$(dirname "$0")/.."
mode=$1
export DOCS_VERSION="$2"

if ! command -v doxygen >/dev/null; then
    echo "docs: LEFT OUT: Doxygen is not here (Debian: apt-get install doxygen)" >&2
    [ "$mode" = check ] && [ "${REQUIRE_ALL:-0}" != 1 ]
    exit
fi

case $mode in
    build)
        export DOCS_OUTPUT=build/docs
        mkdir -p "$DOCS_OUTPUT"
        doxygen docs/Doxyfile
        echo "docs: $DOCS_OUTPUT/html/index.html"
        ;;
    check)
        DOCS_OUTPUT=$(mktemp -d)
        export DOCS_OUTPUT
        trap 'rm -rf "$DOCS_OUTPUT"' EXIT
        doxygen docs/Doxyfile
        echo "docs: every function, member, value and macro of include/us3.h is documented"
        ;;
    *)
        echo "docs.sh: build or check, not $mode" >&2
        exit 2
        ;;
esac
