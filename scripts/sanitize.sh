#!/bin/sh
# Runs tests under tools that check memory and threads.
#
#   sanitize.sh EMULATOR LIB_DIR VERSION MAJOR [memcheck|address|thread…]      all of them without a name
#
# memcheck  every C test under valgrind, with the library as it is: no invalid or uninitialised access, and not a byte
#           definitely or possibly lost, in the test or in any process that it forks. What may be passed over, and
#           why, stands in tests/c/valgrind.supp.
# address   every C test, with the library, the tests, the examples and the helpers compiled with AddressSanitizer and
#           LeakSanitizer, the C of these with UndefinedBehaviorSanitizer as well.
# thread    the C and Rust tests in which the host and the library use each other from many threads, with the library,
#           the standard library of Rust and the tests compiled with ThreadSanitizer. What may be passed over in
#           the Rust tests, and why, stands in tests/support/tsan.supp.
#
# address and thread need what scripts/sanitized-cargo.sh names; without it they are left out, loudly, and with
# REQUIRE_ALL=1 that is a failure. TESTS in the environment picks tests as for run.sh, and leaves out the Rust tests.
# US3_TEST_SLOW tells the tests that they run many times slower than they are meant to: less content, more patience.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
here=$root/tests/c
emulator=$1
lib=$2
version=$3
major=$4
shift 4
. "$root/scripts/testing.sh"

THREADED="threads jobs multipart tasks task_life queue starts reader logger guest hazards settle stress"
# Not limits and retries, whose time limits are too short for ThreadSanitizer, nor truth, which takes minutes.
THREADED_ENGINE="tasks:: streams:: policies_once:: hostile_service::"
# Limits the process's address space, of which these tools themselves take more than it leaves.
LIMITING="threads_and_large_blocks_are_refused on_complete_gets_a_thread_as_soon_as_there_may_be_one"
CLANG=${CLANG:-clang-19}
export CLANG US3_TEST_SLOW=1

begin_tool() {
    echo "== $1"
    begun=$(date +%s)
}

end_tool() {
    echo "-- $1 took $(($(date +%s) - begun)) s"
}

# c_tests LIB_DIR TESTS VARIABLE=VALUE…: with the current tool. What prints and counts its own tests.
c_tests() {
    dir=$1 tests=$2
    shift 2
    # shellcheck disable=SC2086 # tests is a list of words
    env C_TEST_BUILD="$root/build/test/$tool" "$@" "$here/run.sh" "$emulator" "$dir" $tests || fail "C tests under $tool"
}

# sanitized SUBCOMMAND OPTION…: cargo, compiling for the current tool.
sanitized() {
    "$root/scripts/sanitized-cargo.sh" "$tool" "$@"
}

# can_sanitize WHAT: whether all that address and thread need is here.
can_sanitize() {
    packages=$("$root/scripts/sanitized-cargo.sh" missing | tr '\n' ' ')
    [ -z "$packages" ] && return 0
    missing "$1" "not here are the Debian packages ${packages% }"
    return 1
}

# The library that was just built, into build/test/TOOL/lib. In deps, because `cargo test` puts it nowhere else.
lay_out_sanitized() {
    "$root/scripts/lay-out-library.sh" "$root/target/sanitized/$tool/x86_64-unknown-linux-gnu/debug/deps" \
        "$root/build/test/$tool/lib" "$version" "$major"
}

memcheck() {
    here_is valgrind "the C tests under memcheck" valgrind || return 0
    begin_tool memcheck
    c_tests "$lib" "${TESTS:-}" CHECK_WITHOUT="$LIMITING" RUN_UNDER="valgrind --quiet --error-exitcode=99
        --leak-check=full --exit-on-first-error=yes
        --show-leak-kinds=definite,possible --errors-for-leak-kinds=definite,possible --num-callers=100
        --fair-sched=yes --max-threads=2000 --suppressions=$here/valgrind.supp"
    end_tool memcheck
}

address() {
    can_sanitize AddressSanitizer || return 0
    begin_tool "AddressSanitizer, LeakSanitizer, UndefinedBehaviorSanitizer"
    sanitized rustc --package us3 --lib --crate-type cdylib
    lay_out_sanitized
    end_tool "building for AddressSanitizer"
    c_tests "$root/build/test/address/lib" "${TESTS:-}" CC="$CLANG" \
        CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all" \
        CHECK_WITHOUT="$LIMITING" UBSAN_OPTIONS=print_stacktrace=1 \
        ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1
    end_tool address
}

thread() {
    can_sanitize ThreadSanitizer || return 0
    begin_tool ThreadSanitizer
    # In one call, because the library alone has crates with fewer features, and all would be compiled twice.
    sanitized test --no-run --package us3 --lib --test engine --test soak
    lay_out_sanitized
    end_tool "building for ThreadSanitizer"
    TSAN_OPTIONS=history_size=7:exitcode=66:die_after_fork=0:external_symbolizer_path=$(command -v "llvm-symbolizer-${CLANG##*-}")
    export TSAN_OPTIONS
    c_tests "$root/build/test/thread/lib" "${TESTS:-$THREADED}" CC="$CLANG" \
        CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=thread"
    end_tool "ThreadSanitizer over the C tests"
    if [ -n "${TESTS:-}" ]; then
        echo "left out: the Rust tests, because TESTS picks C tests"
    else
        TSAN_OPTIONS=$TSAN_OPTIONS:suppressions=$root/tests/support/tsan.supp
        sanitized test --no-fail-fast --package us3 --lib --test soak || fail "Rust tests under thread"
        # shellcheck disable=SC2086 # a list of names
        sanitized test --package us3 --test engine -- $THREADED_ENGINE || fail "tests of the engine under thread"
    fi
    end_tool thread
}

[ $# -gt 0 ] || set -- memcheck address thread
for tool; do
    case $tool in
        memcheck | address | thread) "$tool" ;;
        *)
            echo "sanitize: $tool is none of memcheck, address, thread" >&2
            exit 1
            ;;
    esac
done
[ ! -f "$tmp/not_tested" ] || cat "$tmp/not_tested" >&2
[ "$failed" -eq 0 ]
