#!/bin/sh
# Tests the Go package in bindings/go against an emulator and a callback service: gofmt, go vet, its tests with the
# race detector and the strictest checks of what is handed to C, its example program, and a module outside that
# uses it. One line for each test. What the documents show is run by tests/docs.
#
#   run.sh EMULATOR LIB_DIR [PATTERN]      PATTERN as in `go test -run`: only these tests of the package
#
# Reaches for no network. Without Go nothing runs, which is said; with REQUIRE_ALL=1 it is a failure.
set -eu

root=$(cd "$(dirname "$0")/../../.." && pwd)
package=$root/bindings/go
emulator=$1
lib=$(cd "$2" && pwd)
pattern=${3:-}
. "$root/scripts/testing.sh"
. "$root/tests/hosts/go/settings.sh"

# Longer than all tests of the package take.
TEST_TIMEOUT=600s

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

# In the words of run_counted; the rest of what go prints only when a test failed. Nothing may be skipped.
run_tests() {
    status=0
    (cd "$package" && check_pointers && go test -race -count=1 -v -timeout "$TEST_TIMEOUT" -run "$pattern" .) >"$tmp/tests" 2>&1 || status=$?
    sed -n 's/^--- PASS:/ok   /p; s/^--- FAIL:/FAIL /p; s/^ *--- SKIP:/FAIL  skipped:/p' "$tmp/tests"
    if grep -q 'no tests to run' "$tmp/tests"; then
        echo "FAIL  no test matches $pattern"
    fi
    [ "$status" -eq 0 ] || grep -vE '^(=== |--- PASS|    --- PASS)' "$tmp/tests"
    return "$status"
}

run_example() {
    (cd "$package" && go build -o "$tmp/policy_upload" ./examples/policy_upload) && upload "$tmp/policy_upload"
}

# upload PROGRAM: with the callback service, and without.
upload() {
    (cd "$US3_TEST_DIR" && "$1" config.json video.mp4 "$US3_TEST_CALLBACK" &&
        "$1" -callback-down config.json video.mp4 http://127.0.0.1:9)
}

# A module of somebody else's, made as the package's documentation says.
use_outside() {
    mkdir "$tmp/outside"
    cp "$package/examples/policy_upload/main.go" "$tmp/outside"
    (cd "$tmp/outside" && go mod init example.com/outside &&
        go mod edit -require=libus3/us3@v0.0.0 -replace="libus3/us3=$package" && go vet . && go build -o program .) &&
        upload "$tmp/outside/program"
}

vendored() {
    (cd "$tmp/outside" && go mod vendor && go build -mod=vendor -o vendored .)
}

here_is go "the Go package" golang-go && here_is pkg-config "the Go package" pkg-config || {
    summary "Go tests"
    exit
}
# As a user's who installed the library somewhere.
prefix=$root/build/test/prefix
lay_out_prefix "$prefix" "$lib"
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig" CGO_LDFLAGS="-Wl,-rpath,$prefix/lib"
build_callback_service "$tmp/callback_service"
start_test_servers "$tmp/servers" "$emulator" "$tmp/callback_service"
write_config
head -c 9000000 /dev/urandom >"$US3_TEST_DIR/video.mp4"
# What the package's examples read.
export CALLBACK_URL="$US3_TEST_CALLBACK"
check "gofmt" formatted
check "go vet" vetted
run_counted "go test" run_tests
if [ -z "$pattern" ]; then
    check "the example program" run_example
    check "a module outside that uses the package" use_outside
    check "the same, vendored" vendored
fi
summary "Go tests"
