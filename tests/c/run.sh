#!/bin/sh
# Builds and runs the C tests: every tests/c/test_*.c, each with a US3 emulator, a callback service
# and a folder of its own; the exported symbols; the programs in examples-c. One
# line for each test. As many run at the same time as there are processors; each is printed when it has ended.
#
#   run.sh EMULATOR LIB_DIR [NAME…]      only test_NAME.c, "exports" or "examples"
#
# C_TEST_BUILD in the environment is where programs are built, if not in build/test/c.
# C_TESTS_AT_ONCE in the environment is how many run at the same time.
# RUN_UNDER in the environment is put before each test program, such as valgrind with its options.
# CHECK_ONLY=text in the environment runs only the test functions whose name contains it,
# CHECK_WITHOUT="NAME…" leaves these out, and says so. Fails when
# a test fails, and also when something that a test needs is missing: nothing is skipped.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/tests/c
emulator=$1
lib=$(cd "$2" && pwd)
shift 2
only=$*
build=${C_TEST_BUILD:-$root/build/test/c}
at_once=${C_TESTS_AT_ONCE:-$(getconf _NPROCESSORS_ONLN)}
. "$root/scripts/testing.sh"

# Far longer than all tests of a program take; each test has a limit of its own besides.
PROGRAM_TIMEOUT_S=${US3_TEST_SLOW:+3600}
PROGRAM_TIMEOUT_S=${PROGRAM_TIMEOUT_S:-900}

compile() {
    # shellcheck disable=SC2086 # CC and CFLAGS are lists of words
    ${CC:-cc} -std=c99 -Wall -Wextra -Werror -pedantic ${CFLAGS:-} -I"$root/include" "$@"
}

link_test() {
    compile -o "$build/$1" "$here/$1.c" "$build"/lib_*.o -L"$lib" -lus3 -lpthread -ldl -Wl,-rpath,"$lib"
}

build_helpers() {
    mkdir -p "$build"
    rm -f "$build"/lib_*.o
    for source in "$here"/*.c; do
        name=$(basename "$source" .c)
        case $name in
            test_*) ;;
            *) compile -c -o "$build/lib_$name.o" "$source" ;;
        esac
    done
    build_callback_service "$build/callback_service"
    if wanted probe; then
        build_probe "$build/us3-probe" "$lib"
    fi
}

# Options for the emulator stand in the test's first comment, or are in emulator_extra.
emulator_extra=
emulator_options() {
    echo "$emulator_extra"
    [ ! -f "$here/$1.c" ] || sed -n 's/^ \* emulator options: //p' "$here/$1.c"
}

start_servers() {
    # shellcheck disable=SC2046 # options are words
    start_test_servers "$tmp/$1" "$emulator" "$build/callback_service" $(emulator_options "$1")
    start_server sink "$tmp/$1/sink" ready "$(dirname "$emulator")/us3-sink" "$tmp/$1/sink-ca.pem"
    US3_TEST_SINK=$(server_url "$tmp/$1/sink")
    export US3_TEST_SINK
    US3_TEST_LIBRARY=$lib/libus3.so
    US3_TEST_PROBE=$build/us3-probe
    US3_NOT_TESTED=$C_TEST_PARTS/not_tested
    export US3_TEST_LIBRARY US3_TEST_PROBE US3_NOT_TESTED
}

run_program() {
    echo "-- $1"
    start_servers "$1"
    # shellcheck disable=SC2086 # RUN_UNDER is a list of words
    run_counted "$1" timeout --foreground "$PROGRAM_TIMEOUT_S" ${RUN_UNDER:-} "$build/$1"
    stop_servers
    rm -rf "${tmp:?}/$1"
}

run_test() {
    if link_test "$1"; then
        run_program "$1"
    else
        fail "$1 does not compile"
    fi
}

# Exported is what the header declares, and nothing else.
check_exports() {
    "$root/scripts/declarations.sh" functions >"$tmp/declared"
    nm -D --defined-only "$lib/libus3.so" | awk '{print $3}' | sed 's/@.*//' | LC_ALL=C sort -u >"$tmp/exported"
    if [ -s "$tmp/declared" ] && diff "$tmp/declared" "$tmp/exported" >"$tmp/difference"; then
        pass "exports: the $(wc -l <"$tmp/declared" | tr -d ' ') functions of the header"
    else
        fail "exports: < declared in the header, > exported by the library"
        cat "$tmp/difference"
    fi
}

# run_example STATUS TEXT PROGRAM ARGUMENT…: ends with that status, and prints that text.
run_example() {
    expected=$1 text=$2 program=$3
    shift 3
    status=0
    (cd "$US3_TEST_DIR" && timeout 120 "$build/$program" config.json "$@") >"$tmp/example" 2>&1 || status=$?
    if [ "$status" -eq "$expected" ] && grep -q "$text" "$tmp/example"; then
        pass "examples: $program $*"
    else
        fail "examples: $program $* ended with status $status and printed"
        cat "$tmp/example"
    fi
}

# Ctrl-C, while the emulator keeps every part waiting.
interrupt_example() {
    emulator_extra='--rule {"call":"part","fault":{"stall":{}}}'
    start_servers interrupted
    emulator_extra=
    write_config
    head -c 30000000 /dev/zero >"$US3_TEST_DIR/large"
    (cd "$US3_TEST_DIR" && timeout --foreground --signal INT 2 "$build/progress_bar" config.json large k) \
        >"$tmp/example" 2>&1 || true
    if grep -q '^cancelled$' "$tmp/example"; then
        pass "examples: progress_bar cancelled with Ctrl-C"
    else
        fail "examples: progress_bar cancelled with Ctrl-C printed"
        cat "$tmp/example"
    fi
    stop_servers
}

# An upload whose process was killed, while the emulator keeps every part waiting.
sweep_example() {
    emulator_extra='--rule {"call":"part","fault":{"stall":{}}}'
    start_servers swept
    emulator_extra=
    write_config
    head -c 30000000 /dev/zero >"$US3_TEST_DIR/large"
    (cd "$US3_TEST_DIR" && timeout --signal KILL 2 "$build/progress_bar" config.json large left/k) >/dev/null 2>&1 || true
    run_example 0 '1 unfinished uploads, 1 of them young; 0 to abort' sweep
    run_example 0 '^would abort .* of left/k$' sweep --hours 0 left/
    run_example 0 '^0 unfinished uploads' sweep --hours 0 --abort other/
    run_example 0 '^aborted .* of left/k$' sweep --hours 0 --abort
    run_example 0 '^0 unfinished uploads' sweep --hours 0 --abort
    stop_servers
}

# The programs that a user copies from.
check_examples() {
    for program in progress_bar event_loop multipart_steps sweep; do
        compile -o "$build/$program" "$root/examples-c/$program.c" -L"$lib" -lus3 -lpthread -Wl,-rpath,"$lib"
    done
    start_servers examples
    write_config
    head -c 20000000 /dev/urandom >"$US3_TEST_DIR/large"
    echo hello >"$US3_TEST_DIR/small"
    run_example 0 '100%' progress_bar large a/large
    run_example 0 'stored as b/stream' progress_bar - b/stream <"$US3_TEST_DIR/large"
    run_example 1 'cannot open file' progress_bar no-such-file k
    run_example 0 '10002 operations on 3334 objects, 0 failed' event_loop small many/ 10000
    run_example 0 'Second finish: US3_OK' multipart_steps large c/steps "$US3_TEST_CALLBACK"
    stop_servers
    interrupt_example
    sweep_example
}

# The names, those first that take longest.
names() {
    echo probe memory operations hazards logger
    for source in "$here"/test_*.c; do
        name=$(basename "$source" .c)
        echo "${name#test_}"
    done
    echo exports examples
}

run_one() {
    case $1 in
        exports) check_exports ;;
        examples) check_examples ;;
        *) run_test "test_$1" ;;
    esac
}

# run_all NAME…: each in a process of its own, which is this script with C_TEST_PARTS set to the folder of their outputs.
run_all() {
    C_TEST_PARTS=$tmp/parts
    export C_TEST_PARTS
    mkdir "$C_TEST_PARTS"
    # shellcheck disable=SC2016 # the variables are those of the inner shell
    printf '%s\n' "$@" | xargs -P "$at_once" -I NAME sh -c '
        log=$C_TEST_PARTS/$4.log
        "$1" "$2" "$3" "$4" >"$log" 2>&1 || echo "$4" >>"$C_TEST_PARTS/failed"
        flock "$C_TEST_PARTS" cat "$log"' sh "$here/run.sh" "$emulator" "$lib" NAME
    for name; do
        passed=$((passed + $(grep -c '^ok ' "$C_TEST_PARTS/$name.log" || true)))
        failures=$(grep -c '^FAIL ' "$C_TEST_PARTS/$name.log" || true)
        failed=$((failed + failures))
        if [ "$failures" -eq 0 ] && grep -qx "$name" "$C_TEST_PARTS/failed" 2>/dev/null; then
            fail "$name ended before its end"
        fi
    done
    [ ! -f "$C_TEST_PARTS/not_tested" ] || mv "$C_TEST_PARTS/not_tested" "$tmp/not_tested"
}

if [ -n "${C_TEST_PARTS:-}" ]; then
    begun=$(date +%s)
    run_one "$only"
    echo "-- $only took $(($(date +%s) - begun)) s"
    [ "$failed" -eq 0 ]
    exit
fi

build_helpers
to_run=
for name in $(names); do
    case " $to_run " in
        *" $name "*) ;;
        *) ! wanted "$name" || to_run="$to_run $name" ;;
    esac
done
[ -n "$to_run" ] || fail "no C test is named $only"
# shellcheck disable=SC2086 # a list of names
run_all $to_run
summary "C tests"
