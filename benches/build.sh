#!/bin/sh
# Compiles the programs that the benchmarks run.
#
#   build.sh BUILT_DIR LIB_DIR OUT      us3-sink is in BUILT_DIR, the library in LIB_DIR
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
built=$1 lib=$2 out=$3
mkdir -p "$out"
cp "$built/us3-sink" "$out/us3-sink"

compile() {
    name=$1
    shift
    # shellcheck disable=SC2086 # CC and CFLAGS are lists of words
    ${CC:-cc} -std=c11 -Wall -Wextra -Werror -pedantic ${CFLAGS:-} -o "$out/$name" "$root/benches/c/$name.c" "$@"
}

compile measure
compile load -ldl
compile raw -lpthread
compile upload -I"$root/include" -L"$lib" -lus3 -lpthread
# The one that needs a library which may not be there; run.py says what is left out.
rm -f "$out/curl_loop"
if echo '#include <curl/curl.h>' | ${CC:-cc} -E -x c - >/dev/null 2>&1; then
    compile curl_loop -lcurl
fi
