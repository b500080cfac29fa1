#!/bin/sh
# Builds and runs the C++ tests: include/us3.hpp with every compiler and standard, every test_*.cpp, each with a
# US3 emulator, a callback service and a folder of its own, and examples-cpp.
#
#   run.sh EMULATOR LIB_DIR [MODE…]
#
# MODE   plain     everything, as it is (when no mode is given)
#        sanitize  the tests once more with AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer
#
# CXX names the compiler of the tests (c++). A compiler that is not here is left out, loudly; with REQUIRE_ALL=1 it
# is a failure. CHECK_ONLY=text runs only the test functions whose name contains it.
set -eu

root=$(cd "$(dirname "$0")/../../.." && pwd)
here=$root/tests/hosts/cpp
emulator=$1
lib=$(cd "$2" && pwd)
shift 2
[ $# -gt 0 ] || set -- plain
. "$root/scripts/testing.sh"

WARNINGS="-Wall -Wextra -Werror -pedantic -Wconversion -Wshadow"

# The flags of C++ code, which our own header must bear.
compile() {
    # shellcheck disable=SC2086 # lists of words
    ${CXX:-c++} -std=c++17 $WARNINGS ${CXXFLAGS:--O1 -g} $flags -I"$root/include" "$@"
}

# The helpers of the C tests, which have no warnings to be checked here.
build_helpers() {
    for source in "$root"/tests/c/*.c; do
        name=$(basename "$source" .c)
        case $name in
            test_*) ;;
            # shellcheck disable=SC2086
            *) ${CC:-cc} -std=c99 -g $flags -I"$root/include" -c -o "$build/lib_$name.o" "$source" ;;
        esac
    done
    build_callback_service "$build/callback_service"
}

# A program that includes nothing else, twice, and one that shares it between two files.
check_header() {
    for compiler in g++ clang++; do
        here_is $compiler "us3.hpp with $compiler" "g++ clang" || continue
        for standard in c++17 c++20; do
            # shellcheck disable=SC2086
            if $compiler -std=$standard $WARNINGS -fsyntax-only -I"$root/include" "$here/alone.cpp" &&
                $compiler -std=$standard $WARNINGS -fsyntax-only -I"$root/include" "$here"/test_*.cpp; then
                pass "us3.hpp with $compiler as $standard"
            else
                fail "us3.hpp with $compiler as $standard"
            fi
        done
    done
    # A function that is not inline would be there twice.
    if compile -o "$build/alone" "$here/alone.cpp" "$here/alone_too.cpp" -L"$lib" -lus3 -Wl,-rpath,"$lib" &&
        "$build/alone"; then
        pass "us3.hpp in two files of a program"
    else
        fail "us3.hpp in two files of a program"
    fi
}

# Every function of us3.h is used by us3.hpp, or is one that C++ has no use for.
check_reach() {
    grep -oE '\bus3_[a-z0-9_]+\(' "$root/include/us3.h" | tr -d '(' | sort -u >"$tmp/declared"
    # Initialisers are for hosts without macros; user_data is what C++ has closures for.
    grep -vE '_init$|^us3_task_user_data$' "$tmp/declared" >"$tmp/wanted"
    grep -oE '\bus3_[a-z0-9_]+' "$root/include/us3.hpp" | sort -u >"$tmp/used"
    if unreachable=$(comm -23 "$tmp/wanted" "$tmp/used") && [ -z "$unreachable" ] && [ -s "$tmp/wanted" ]; then
        pass "us3.hpp reaches all of us3.h"
    else
        fail "us3.hpp does not reach" $unreachable
    fi
}

run_test() {
    name=$(basename "$1" .cpp)
    echo "-- $name"
    if ! compile -pthread -o "$build/$name" "$1" "$build"/lib_*.o -L"$lib" -lus3 -ldl -Wl,-rpath,"$lib"; then
        fail "$name does not compile"
        return
    fi
    start_test_servers "$tmp/$name" "$emulator" "$build/callback_service"
    run_counted "$name" timeout --foreground 900 "$build/$name"
    stop_servers
}

check_example() {
    start_test_servers "$tmp/example" "$emulator" "$build/callback_service"
    write_config
    head -c 20000000 /dev/urandom >"$US3_TEST_DIR/video.bin"
    if compile -pthread -o "$build/policy_upload" "$root/examples-cpp/policy_upload.cpp" -L"$lib" -lus3 -Wl,-rpath,"$lib" &&
        timeout 120 "$build/policy_upload" "$US3_TEST_DIR/config.json" "$US3_TEST_DIR/video.bin" "$US3_TEST_CALLBACK" \
            >"$tmp/printed" &&
        [ "$(grep -c 'Name=Alice&Age=20' "$US3_TEST_CALLBACKS")" -eq 3 ] && grep -q '^  ETag   .' "$tmp/printed"; then
        pass "examples-cpp/policy_upload.cpp: three uploads, three callbacks"
    else
        fail "examples-cpp/policy_upload.cpp"
        cat "$tmp/printed" "$US3_TEST_CALLBACKS"
    fi
    stop_servers
}

# The example at the top of us3.hpp, as it stands but for the address of the callback.
check_header_example() {
    start_test_servers "$tmp/top" "$emulator" "$build/callback_service"
    write_config
    echo picture >"$US3_TEST_DIR/a.jpg"
    {
        printf '#include <us3.hpp>\n#include <iostream>\nint main()\n{\n'
        sed -n '/^#ifndef/q; s/^\/\/\/     //p' "$root/include/us3.hpp" | sed "s|https://example.com|$US3_TEST_CALLBACK|"
        printf '}\n'
    } >"$build/top.cpp"
    if compile -pthread -o "$build/top" "$build/top.cpp" -L"$lib" -lus3 -Wl,-rpath,"$lib" &&
        (cd "$US3_TEST_DIR" && timeout 60 "$build/top") && grep -q '/uploaded.*a.jpg' "$US3_TEST_CALLBACKS"; then
        pass "the example of us3.hpp"
    else
        fail "the example of us3.hpp"
    fi
    stop_servers
}

in_mode() {
    build=$root/build/test/cpp-$1
    mkdir -p "$build"
    build_helpers
    for source in "$here"/test_*.cpp; do
        run_test "$source"
    done
}

plain() {
    flags=
    in_mode plain
    check_header
    check_reach
    check_example
    check_header_example
}

sanitize() {
    flags="-fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all"
    export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1
    export UBSAN_OPTIONS=print_stacktrace=1 US3_TEST_SLOW=1
    in_mode sanitize
    unset US3_TEST_SLOW
}

cxx=${CXX:-c++}
here_is "${cxx%% *}" "the C++ binding" "g++, or name your compiler with CXX=…" || {
    summary "C++ tests"
    exit
}
for mode; do
    case $mode in
        plain | sanitize) "$mode" ;;
        *)
            echo "run.sh: $mode is neither plain nor sanitize" >&2
            exit 1
            ;;
    esac
done
summary "C++ tests"
