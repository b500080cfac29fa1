#!/bin/sh
# Tests the Go package in bindings/go against an emulator and a callback service: gofmt, go vet, its tests with the
# race detector and the strictest checks of what is handed to C, its example program, the README's example, and
# a module outside that uses it. One line for each test.
#
#   run.sh EMULATOR LIB_DIR [PATTERN]      PATTERN as in `go test -run`: only these tests of the package
#
# Reaches for no network. Where Go is not installed, says so and leaves the tests out; with REQUIRE_ALL=1 in the
# environment, that is a failure.
set -eu

root=$(cd "$(dirname "$0")/../../.." && pwd)
package=$root/bindings/go
emulator=$1
lib=$(cd "$2" && pwd)
pattern=${3:-}
build=$root/build/test/go
. "$root/scripts/servers.sh"

# Longer than all tests of the package take.
TEST_TIMEOUT=600s

for tool in go pkg-config "${CC:-cc}"; do
    command -v "${tool%% *}" >/dev/null && continue
    echo "WARNING: the Go tests are LEFT OUT: ${tool%% *} is not here (Debian: apt-get install golang-go pkg-config gcc)" >&2
    [ "${REQUIRE_ALL:-0}" != 1 ] || exit 1
    exit 0
done

passed=0
failed=0
tmp=$(mktemp -d)
clean_up() {
    stop_servers
    rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM

pass() {
    passed=$((passed + 1))
    echo "ok    $*"
}

fail() {
    failed=$((failed + 1))
    echo "FAIL  $*"
}

# check WHAT COMMAND…: passes when the command succeeds; shows what it printed when it does not.
check() {
    what=$1
    shift
    if "$@" >"$tmp/output" 2>&1; then
        pass "$what"
    else
        fail "$what"
        cat "$tmp/output"
    fi
}

# What a user's PKG_CONFIG_PATH does, for the library of the source tree. The rpath is this tree's too.
describe_library() {
    mkdir -p "$build/pkgconfig"
    cat >"$build/pkgconfig/us3.pc" <<END
Name: us3
Description: libus3 as it lies in the source tree
Version: 0
Cflags: -I$root/include
Libs: -L$lib -lus3 -Wl,-rpath,$lib
END
    export PKG_CONFIG_PATH="$build/pkgconfig"
}

keep_go_at_home() {
    export GOCACHE="$build/cache" GOPATH="$build/path" GOPROXY=off GOFLAGS=-mod=mod GOWORK=off GOTOOLCHAIN=local CGO_ENABLED=1
}

start() {
    ${CC:-cc} -std=c99 -o "$build/callback_service" "$root/examples-c/callback_service.c"
    start_server callback "$tmp/callbacks" http:// "$build/callback_service"
    start_server emulator "$tmp/emulator" ready "$emulator" --listen 127.0.0.1:0 --bucket demo \
        --public-key test-public-key --private-key test-private-key-nobody-may-see --quiet
    US3_TEST_CALLBACK=$(server_url "$tmp/callbacks")
    US3_TEST_ENDPOINT=$(server_url "$tmp/emulator")
    US3_TEST_CONTROL=$(sed -n 's/.* control=\([^ ]*\).*/\1/p' "$tmp/emulator")
    # What the package's examples read.
    CALLBACK_URL=$US3_TEST_CALLBACK
    export US3_TEST_CALLBACK US3_TEST_ENDPOINT US3_TEST_CONTROL CALLBACK_URL
}

formatted() {
    unformatted=$(gofmt -l "$package") || return
    [ -z "$unformatted" ] || { echo "$unformatted" && false; }
}

vetted() {
    (cd "$package" && go vet ./...)
}

# The strictest look at the pointers that C is given: those stored in memory of C too. From Go 1.21 on it is chosen when
# a program is built.
check_pointers() {
    case $(go env GOVERSION) in
        go1.19* | go1.20*) export GODEBUG=cgocheck=2 ;;
        *) export GODEBUG=cgocheck=1 GOEXPERIMENT=cgocheck2 ;;
    esac
}

run_tests() {
    status=0
    (cd "$package" && check_pointers && go test -race -count=1 -v -timeout "$TEST_TIMEOUT" -run "$pattern" .) >"$tmp/tests" 2>&1 || status=$?
    grep -E '^(--- |    --- FAIL)' "$tmp/tests" | sed 's/^--- PASS:/ok   /; s/^--- FAIL:/FAIL /' || true
    passed=$((passed + $(grep -c '^--- PASS' "$tmp/tests" || true)))
    failures=$(grep -c '^--- FAIL' "$tmp/tests" || true)
    failed=$((failed + failures))
    if grep -q 'no tests to run' "$tmp/tests"; then
        fail "no test matches $pattern"
    fi
    # Nothing is skipped.
    if grep '^ *--- SKIP' "$tmp/tests"; then
        fail "a test was skipped"
    fi
    if [ "$status" -ne 0 ]; then
        [ "$failures" -gt 0 ] || fail "go test ended with status $status"
        grep -vE '^(=== |--- PASS|    --- PASS)' "$tmp/tests"
    fi
}

write_config() {
    cat >"$tmp/config.json" <<END
{"public_key": "test-public-key", "private_key": "test-private-key-nobody-may-see",
 "bucket_name": "demo", "endpoint": "$US3_TEST_ENDPOINT"}
END
    head -c 9000000 /dev/urandom >"$tmp/video.mp4"
}

run_example() {
    (cd "$package" && go build -o "$build/policy_upload" ./examples/policy_upload) &&
        (cd "$tmp" && "$build/policy_upload" config.json video.mp4 "$US3_TEST_CALLBACK") &&
        (cd "$tmp" && "$build/policy_upload" -callback-down config.json video.mp4 http://127.0.0.1:9)
}

# outside NAME DOCUMENT: makes a module of somebody else's, as the package's documentation says, out of the Go program
# in a document.
outside() {
    mkdir "$tmp/$1"
    awk '/^```go$/ {on = 1; next} /^```$/ {on = 0} on' "$root/$2" >"$tmp/$1/main.go"
    cp "$tmp/config.json" "$tmp/$1"
    (cd "$tmp/$1" && go mod init "example.com/$1" &&
        go mod edit -require=libus3/us3@v0.0.0 -replace="libus3/us3=$package" && go vet . && go build -o upload .)
}

run_readme() {
    outside readme README.md &&
        (cd "$tmp/readme" && ./upload "$tmp/video.mp4" "$US3_TEST_CALLBACK" >output && grep 'callback service answered {' output)
}

vendored() {
    (cd "$tmp/readme" && go mod vendor && go build -mod=vendor -o vendored .)
}

run_migrated() {
    outside migrated docs/go-migration.md &&
        (cd "$tmp/migrated" && ./upload 2>output && [ "$(grep -c 'callback service answered {' output)" -eq 4 ])
}

describe_library
keep_go_at_home
start
check "gofmt" formatted
check "go vet" vetted
run_tests
if [ -z "$pattern" ]; then
    write_config
    check "the example program" run_example
    check "the README's example, in a module outside" run_readme
    check "the same, vendored" vendored
    check "the program of docs/go-migration.md" run_migrated
fi
echo "Go tests: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
