#!/bin/sh
# Runs the tests of bindings/lua: each test_*.lua here with a US3 emulator and a callback service, and the examples.
# One line for each test. What the documents show is run by tests/docs.
#
#   run.sh EMULATOR LIB_DIR [NAME…]      only test_NAME.lua, or "examples"
#
# CHECK_ONLY=text in the environment runs only the tests whose name contains it. Without LuaJIT nothing
# runs, which is said; with REQUIRE_ALL=1 it is a failure.
set -eu

root=$(cd "$(dirname "$0")/../../.." && pwd)
here=$root/tests/hosts/lua
emulator=$1
lib=$(cd "$2" && pwd)
shift 2
only=$*
. "$root/scripts/testing.sh"

LUAJIT=${LUAJIT:-luajit}
# Far longer than all tests of a program take.
PROGRAM_TIMEOUT_S=${HOST_TEST_TIMEOUT_S:-300}
LUA_PATH="$root/bindings/lua/?.lua;$root/bindings/lua/examples/?.lua;$here/?.lua"
US3_LIBRARY=$lib/libus3.so.0
export LUA_PATH US3_LIBRARY

start_servers() {
    start_test_servers "$tmp/$1" "$emulator" "$tmp/callback_service"
    write_config
}

run_program() {
    echo "-- $1"
    start_servers "$1"
    run_counted "$1" timeout --foreground "$PROGRAM_TIMEOUT_S" "$LUAJIT" "$here/$1.lua"
    stop_servers
}

# prints TEXT PROGRAM ARGUMENT…: succeeds, and prints that text.
prints() {
    expected=$1
    shift
    (cd "$US3_TEST_DIR" && timeout 120 "$LUAJIT" "$@") >"$tmp/printed" 2>&1 && grep "$expected" "$tmp/printed" || {
        cat "$tmp/printed"
        return 1
    }
}

check_examples() {
    echo "-- examples"
    start_servers examples
    head -c 300000 /dev/urandom >"$US3_TEST_DIR/video.mp4"
    check "examples: poll.lua" prints '100 of 100 uploads stored' \
        "$root/bindings/lua/examples/poll.lua" config.json video.mp4 poll/
    export CALLBACK_URL="$US3_TEST_CALLBACK"
    check "examples: scheduler.lua" prints '50 of 50 uploads stored and called back' \
        "$root/bindings/lua/examples/scheduler.lua" config.json video.mp4 resty/ 50
    stop_servers
}

here_is "$LUAJIT" "the LuaJIT binding" luajit && here_is curl "the LuaJIT binding" curl || {
    summary "Lua tests"
    exit
}
build_callback_service "$tmp/callback_service"
check "cdef: it is what include/us3.h says" env CC="${CC:-cc}" "$root/scripts/lua-cdef.sh" --check
for source in "$here"/test_*.lua; do
    name=$(basename "$source" .lua)
    if wanted "${name#test_}"; then
        run_program "$name"
    fi
done
if wanted examples; then
    check_examples
fi
summary "Lua tests"
