#!/bin/sh
# The C tests with tools that watch memory and threads.
#
#   sanitize.sh EMULATOR LIB_DIR [memcheck|address|thread…]      all of them without a name
#
# memcheck  every C test under valgrind: no invalid or uninitialised access, and not a byte definitely or
#           possibly lost, in the test or in any process that it forks. What may be passed over, and why,
#           stands in tests/c/valgrind.supp.
# address   tests, examples and helpers compiled with AddressSanitizer, LeakSanitizer and
#           UndefinedBehaviorSanitizer; the library as it is, its heap watched all the same.
# thread    the tests in which the host and the library use each other from many threads, compiled with
#           ThreadSanitizer: whether the host's side of the border is free of races. The library is as it is;
#           tests/c/tsan_border.h stands for what it promises about callbacks and waiting, tests/c/tsan.supp says
#           what is passed over, and why. Left out, by name, is what forks with threads running and
#           uses threads in the child, which ThreadSanitizer cannot follow.
#
# TESTS in the environment picks tests as for run.sh. US3_TEST_SLOW tells the tests that they run many
# times slower than they are meant to: less content, more patience.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
here=$root/tests/c
emulator=$1
lib=$2
shift 2
THREADED="threads jobs multipart tasks task_life reader logger guest hazards stress"
# Limits the process's address space, of which these tools themselves take more than it leaves.
LIMITING="threads_and_large_blocks_are_refused on_complete_gets_a_thread_as_soon_as_there_may_be_one"
# Use threads in a child: ThreadSanitizer cannot follow, and a thread of the parent may be in AddressSanitizer's allocator at
# the fork, whose lock the child then waits for. memcheck runs them.
FORKING="a_forked_child_is_told a_prefork_server a_forked_child_sets_its_own"
export US3_TEST_SLOW=1

failed=

run() {
    name=$1
    shift
    begin=$(date +%s)
    # shellcheck disable=SC2086 # TESTS is a list of words
    C_TEST_BUILD=$root/build/test/$name "$@" "$here/run.sh" "$emulator" "$lib" ${TESTS:-} || failed="$failed $name"
    echo "-- $name took $(($(date +%s) - begin)) s"
}

memcheck() {
    command -v valgrind >/dev/null || {
        echo "memcheck needs valgrind, and it is not here (Debian: apt-get install valgrind)" >&2
        exit 1
    }
    echo "== memcheck"
    run memcheck env CHECK_WITHOUT="$LIMITING" RUN_UNDER="valgrind --quiet --error-exitcode=99 --leak-check=full
        --exit-on-first-error=yes
        --show-leak-kinds=definite,possible --errors-for-leak-kinds=definite,possible --num-callers=100
        --fair-sched=yes --max-threads=2000 --suppressions=$here/valgrind.supp"
}

address() {
    echo "== AddressSanitizer, LeakSanitizer, UndefinedBehaviorSanitizer"
    run address env CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all" \
        CHECK_WITHOUT="$LIMITING $FORKING" ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1 \
        UBSAN_OPTIONS=print_stacktrace=1
}

thread() {
    echo "== ThreadSanitizer"
    TESTS=${TESTS:-$THREADED}
    run thread env CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=thread" \
        CHECK_WITHOUT="$FORKING" TSAN_OPTIONS="suppressions=$here/tsan.supp:die_after_fork=0:history_size=7:exitcode=66"
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
if [ -n "$failed" ]; then
    echo "sanitize: failed:$failed" >&2
    exit 1
fi
