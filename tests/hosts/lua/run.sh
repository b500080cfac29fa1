#!/bin/sh
# Runs the tests of bindings/lua: each test_*.lua here with a US3 emulator and a callback service, the examples,
# and the README's program. One line for each test.
#
#   run.sh EMULATOR LIB_DIR [NAME…]      only test_NAME.lua, or "examples"
#
# CHECK_ONLY=text in the environment runs only the tests whose name contains it. Without LuaJIT nothing
# runs, which is said, and is a failure where REQUIRE_ALL is set.
set -eu

root=$(cd "$(dirname "$0")/../../.." && pwd)
here=$root/tests/hosts/lua
emulator=$1
lib=$(cd "$2" && pwd)
shift 2
only=$*
. "$root/tests/hosts/servers.sh"
trap remove_hosts EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM

LUAJIT=${LUAJIT:-luajit}
command -v "$LUAJIT" >/dev/null ||
    left_out "the LuaJIT tests, because $LUAJIT is not here (Debian: apt-get install luajit)"
command -v curl >/dev/null || left_out "the LuaJIT tests, because curl is not here (Debian: apt-get install curl)"

# Far longer than all tests of a program take.
PROGRAM_TIMEOUT_S=${HOST_TEST_TIMEOUT_S:-300}
LUA_PATH="$root/bindings/lua/?.lua;$root/bindings/lua/examples/?.lua;$here/?.lua"
export LUA_PATH

passed=0
failed=0

pass() {
    passed=$((passed + 1))
    echo "ok    $*"
}

fail() {
    failed=$((failed + 1))
    echo "FAIL  $*"
}

wanted() {
    [ -z "$only" ] && return 0
    case " $only " in *" $1 "*) return 0 ;; esac
    return 1
}

run_program() {
    echo "-- $1"
    host_servers "$1"
    status=0
    US3_LIBRARY=$US3_TEST_LIBRARY timeout --foreground "$PROGRAM_TIMEOUT_S" "$LUAJIT" "$here/$1.lua" \
        >"$hosts_tmp/log" 2>&1 || status=$?
    cat "$hosts_tmp/log"
    passed=$((passed + $(grep -c '^ok ' "$hosts_tmp/log" || true)))
    failures=$(grep -c '^FAIL ' "$hosts_tmp/log" || true)
    failed=$((failed + failures))
    if [ "$status" -ne 0 ] && [ "$failures" -eq 0 ]; then
        fail "$1 ended with status $status before its end"
    fi
    stop_servers
}

# run_example TEXT PROGRAM ARGUMENT…: succeeds, and prints that text.
run_example() {
    expected=$1
    shift
    if (cd "$US3_TEST_DIR" && US3_LIBRARY=$US3_TEST_LIBRARY CALLBACK_URL=$US3_TEST_CALLBACK \
        timeout 120 "$LUAJIT" "$@") >"$hosts_tmp/example" 2>&1 && grep -q "$expected" "$hosts_tmp/example"; then
        pass "examples: $(basename "$1")"
    else
        fail "examples: $* printed"
        cat "$hosts_tmp/example"
    fi
}

check_examples() {
    echo "-- examples"
    host_servers examples
    head -c 300000 /dev/urandom >"$US3_TEST_DIR/video.mp4"
    run_example '100 of 100 uploads stored' "$root/bindings/lua/examples/poll.lua" config.json video.mp4 poll/
    run_example '50 of 50 uploads stored and called back' "$root/bindings/lua/examples/scheduler.lua" \
        config.json video.mp4 resty/ 50
    awk '/^```lua$/ {on = 1; next} /^```$/ {on = 0} on' "$root/README.md" >"$hosts_tmp/readme.lua"
    run_example 'the callback service answered {"received"' "$hosts_tmp/readme.lua" video.mp4 "$US3_TEST_CALLBACK"
    cp "$US3_TEST_DIR/video.mp4" "$US3_TEST_DIR/a.jpg"
    awk '/^```lua$/ {on = 1; next} /^```$/ {on = 0} on' "$root/bindings/lua/README.md" |
        sed "s|https://example.com/uploaded|$US3_TEST_CALLBACK|" >"$hosts_tmp/manual.lua"
    run_example 'stored, and answered {"received"' "$hosts_tmp/manual.lua"
    stop_servers
}

if CC=${CC:-cc} "$root/scripts/lua-cdef.sh" --check; then
    pass "cdef: it is what include/us3.h says"
else
    fail "cdef: it is stale"
fi
for source in "$here"/test_*.lua; do
    name=$(basename "$source" .lua)
    if wanted "${name#test_}"; then
        run_program "$name"
    fi
done
if wanted examples; then
    check_examples
fi
echo "Lua tests: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
