# Functions for the scripts that run tests: counting, the servers for the tests, and warnings about tests that are
# left out. To be sourced, with `root` set. `clean_up` stops the servers and removes `tmp`.

. "$root/scripts/servers.sh"

US3_TEST_PUBLIC_KEY=test-public-key
US3_TEST_PRIVATE_KEY=test-private-key-nobody-may-see
export US3_TEST_PUBLIC_KEY US3_TEST_PRIVATE_KEY

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

# ---- counting ------------------------------------------------------------------------------------------

pass() {
    passed=$((passed + 1))
    echo "ok    $*"
}

fail() {
    failed=$((failed + 1))
    echo "FAIL  $*"
}

# check WHAT COMMAND…: one test, whose output is shown if it fails.
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

# missing WHAT WHY: a failure when REQUIRE_ALL=1, as in .ci/run; otherwise a warning, repeated at the end.
missing() {
    if [ "${REQUIRE_ALL:-0}" = 1 ]; then
        fail "$1: $2"
    else
        echo "*** NOT TESTED: $1: $2" | tee -a "$tmp/not_tested" >&2
    fi
}

# here_is PROGRAM WHAT PACKAGE: whether the program exists that the tests of WHAT need.
here_is() {
    command -v "$1" >/dev/null || {
        missing "$2" "$1 is not here (Debian: apt-get install $3)"
        return 1
    }
}

# summary NAME: the line that .ci/run counts. Its status is that of the tests.
summary() {
    [ ! -f "$tmp/not_tested" ] || cat "$tmp/not_tested" >&2
    echo "$1: $passed passed, $failed failed"
    [ "$failed" -eq 0 ]
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

# wanted NAME: whether it is among the names in `only`, or all are wanted.
wanted() {
    [ -z "$only" ] && return 0
    case " $only " in *" $1 "*) return 0 ;; esac
    return 1
}

# ---- servers -------------------------------------------------------------------------------------------

# build_callback_service FILE
build_callback_service() {
    # shellcheck disable=SC2086 # CC and CFLAGS are lists of words
    ${CC:-cc} -std=c99 -Wall -Wextra -Werror -pedantic ${CFLAGS:-} -o "$1" "$root/examples-c/callback_service.c"
}

# build_probe FILE LIB_DIR
build_probe() {
    # shellcheck disable=SC2086 # CC and CFLAGS are lists of words
    ${CC:-cc} -std=c99 -Wall -Wextra -Werror -pedantic ${CFLAGS:-} -I"$root/include" -o "$1" "$root/examples-c/probe.c" \
        "$root"/examples-c/probe/*.c -L"$2" -lus3 -lpthread -Wl,-rpath,"$2"
}

# start_test_servers DIR EMULATOR CALLBACK_SERVICE [EMULATOR_OPTION…]: both servers, with their files in DIR, and
#
#   US3_TEST_ENDPOINT   where uploads go; bucket "demo", and the keys above
#   US3_TEST_CONTROL    the emulator's control listener
#   US3_TEST_TLS        the same as the endpoint over TLS, with the certificate of US3_TEST_CA
#   US3_TEST_CALLBACK   the callback service, which answers {"received":{…}}
#   US3_TEST_CALLBACKS  file with a line for each callback that it received
#   US3_TEST_DIR        an empty folder
start_test_servers() {
    dir=$1 emulator_program=$2 callback_program=$3
    shift 3
    mkdir "$dir" "$dir/files"
    start_server callback "$dir/callbacks" http:// "$callback_program"
    start_server emulator "$dir/emulator" ready "$emulator_program" --listen 127.0.0.1:0 --bucket demo --strict \
        --missing-bucket missing --public-key "$US3_TEST_PUBLIC_KEY" --private-key "$US3_TEST_PRIVATE_KEY" --quiet \
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
{"public_key": "$US3_TEST_PUBLIC_KEY", "private_key": "$US3_TEST_PRIVATE_KEY",
 "bucket_name": "demo", "endpoint": "$US3_TEST_ENDPOINT"}
END
}

# ---- the library ---------------------------------------------------------------------------------------

# lay_out_prefix PREFIX LIB_DIR: what `make install` leaves there, as far as a program that is linked with the
# shared library looks: the test build has no static one.
lay_out_prefix() {
    mkdir -p "$1/lib/pkgconfig"
    ln -sfn "$root/include" "$1/include"
    ln -sf "$2"/libus3.so* "$1/lib"
    # shellcheck disable=SC2016 # variables of pkg-config's
    sed -e "s|@PREFIX@|$1|" -e 's|@LIBDIR@|${prefix}/lib|' -e 's|@INCLUDEDIR@|${prefix}/include|' \
        -e 's|@VERSION@|0|' -e 's|@LIBS_PRIVATE@||' "$root/packaging/us3.pc.in" >"$1/lib/pkgconfig/us3.pc"
}
