#!/bin/sh
# Compiles include/us3.h alone, as a program's only include, as C99, C17 and C++17.
#
# A C++ compiler that is missing is said, and left out; with REQUIRE_ALL=1 it is a failure.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/scripts/testing.sh"

# compiles STANDARD COMMAND…
compiles() {
    standard=$1
    shift
    check "us3.h alone as $standard" "$@" -Wall -Wextra -Werror -pedantic -fsyntax-only -I"$root/include"
}

printf '#include <us3.h>\nint main(void) { us3_result result = US3_RESULT_INIT; us3_result_clear(&result); return 0; }\n' \
    | tee "$tmp/alone.c" >"$tmp/alone.cpp"
# shellcheck disable=SC2086 # compilers are lists of words
compiles C99 ${CC:-cc} -std=c99 "$tmp/alone.c"
# shellcheck disable=SC2086
compiles C17 ${CC:-cc} -std=c17 "$tmp/alone.c"
cxx=${CXX:-c++}
if here_is "${cxx%% *}" "us3.h alone as C++17" "g++, or name your compiler with CXX=…"; then
    # shellcheck disable=SC2086
    compiles C++17 $cxx -std=c++17 "$tmp/alone.cpp"
fi
summary "Header"
