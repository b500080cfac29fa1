#!/bin/sh
# Compiles include/us3.h alone, as a program's only include, as C99, C17 and C++17.
#
# REQUIRE_CXX=1 makes a missing C++ compiler a failure; without it, that is said and left out.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' HUP INT TERM

passed=0
failed=0

check() {
    label=$1
    shift
    if "$@" -Wall -Wextra -Werror -pedantic -fsyntax-only -I"$root/include"; then
        passed=$((passed + 1))
        echo "ok    us3.h alone as $label"
    else
        failed=$((failed + 1))
        echo "FAIL  us3.h alone as $label"
    fi
}

printf '#include <us3.h>\nint main(void) { us3_result result = US3_RESULT_INIT; us3_result_clear(&result); return 0; }\n' \
    | tee "$tmp/alone.c" >"$tmp/alone.cpp"
# shellcheck disable=SC2086 # compilers are lists of words
check C99 ${CC:-cc} -std=c99 "$tmp/alone.c"
# shellcheck disable=SC2086
check C17 ${CC:-cc} -std=c17 "$tmp/alone.c"
cxx=${CXX:-c++}
if command -v "${cxx%% *}" >/dev/null; then
    # shellcheck disable=SC2086
    check C++17 $cxx -std=c++17 "$tmp/alone.cpp"
elif [ "${REQUIRE_CXX:-0}" = 1 ]; then
    failed=$((failed + 1))
    echo "FAIL  us3.h alone as C++17: there is no C++ compiler ($cxx)"
else
    echo "NOT TESTED: us3.h as C++17, because there is no C++ compiler ($cxx). Install one, or name yours with CXX=…" >&2
fi
echo "Header: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
