# What the scripts that run tests share: counting, and the servers that a test talks to. To be sourced, with
# `root` set, after which `clean_up` removes what was started and made.

. "$root/scripts/servers.sh"

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

# missing WHAT WHY: a failure when REQUIRE_ALL=1, as in .ci/run; otherwise said loudly and left out.
missing() {
    if [ "${REQUIRE_ALL:-0}" = 1 ]; then
        fail "$1: $2"
    else
        echo "NOT TESTED: $1: $2" >&2
    fi
}

# summary NAME: the line that .ci/run counts. Its status is that of the tests.
summary() {
    echo "$1: $passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}

# start_test_servers DIR EMULATOR CALLBACK_SERVICE [EMULATOR_OPTION…]: both servers, with their files in DIR, an
# empty folder for the test in US3_TEST_DIR, and their addresses in the variables of tests/c/support.h.
start_test_servers() {
    dir=$1 emulator_program=$2 callback_program=$3
    shift 3
    mkdir "$dir" "$dir/files"
    start_server callback "$dir/callbacks" http:// "$callback_program"
    start_server emulator "$dir/emulator" ready "$emulator_program" --listen 127.0.0.1:0 --bucket demo \
        --missing-bucket missing --public-key test-public-key --private-key test-private-key-nobody-may-see --quiet \
        --tls-ca "$dir/ca.pem" "$@"
    US3_TEST_DIR=$dir/files
    US3_TEST_CALLBACK=$(server_url "$dir/callbacks")
    US3_TEST_CALLBACKS=$dir/callbacks
    US3_TEST_ENDPOINT=$(server_url "$dir/emulator")
    US3_TEST_CONTROL=$(sed -n 's/.* control=\([^ ]*\).*/\1/p' "$dir/emulator")
    # By the number, which its certificate does not name.
    US3_TEST_TLS=https://127.0.0.1:$(sed -n 's/.* https=https:\/\/localhost:\([0-9]*\)$/\1/p' "$dir/emulator")
    US3_TEST_CA=$dir/ca.pem
    export US3_TEST_DIR US3_TEST_CALLBACK US3_TEST_CALLBACKS US3_TEST_ENDPOINT US3_TEST_CONTROL US3_TEST_TLS US3_TEST_CA
}

# config.json for the emulator, among the test's files.
write_config() {
    cat >"$US3_TEST_DIR/config.json" <<END
{"public_key": "test-public-key", "private_key": "test-private-key-nobody-may-see",
 "bucket_name": "demo", "endpoint": "$US3_TEST_ENDPOINT"}
END
}

# run_counted NAME COMMAND…: runs a test program, counts its lines "ok …" and "FAIL …", and shows them as they come.
run_counted() {
    counted=$1
    shift
    counted_status=0
    mkfifo "$tmp/lines"
    tee "$tmp/log" <"$tmp/lines" &
    tee_pid=$!
    # In the foreground, so that Ctrl-C reaches it.
    "$@" >"$tmp/lines" || counted_status=$?
    wait "$tee_pid"
    rm "$tmp/lines"
    passed=$((passed + $(grep -c '^ok ' "$tmp/log" || true)))
    failures=$(grep -c '^FAIL ' "$tmp/log" || true)
    failed=$((failed + failures))
    if [ "$counted_status" -ne 0 ] && [ "$failures" -eq 0 ]; then
        fail "$counted ended with status $counted_status before its end"
    fi
}
