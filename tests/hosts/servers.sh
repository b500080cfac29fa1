# What the tests of every host need: a US3 emulator, a callback service, a folder. To be sourced.
#
# Before: root, emulator (the program) and lib (the folder of libus3.so) are set.
# host_servers NAME [OPTION…]: starts both, the emulator with more options if given, and exports
#
#   US3_TEST_LIBRARY    path of libus3.so.0
#   US3_TEST_ENDPOINT   where uploads go; bucket "demo", and the keys below
#   US3_TEST_CONTROL    the emulator's control listener
#   US3_TEST_CALLBACK   the callback service, which answers {"received":{…}}
#   US3_TEST_CALLBACKS  file with a line for each callback that it received
#   US3_TEST_DIR        an empty folder; config.json in it is for us3_client_from_file
#
# stop_servers ends them; remove_hosts, for a trap, ends them and removes what they left.
# left_out WHAT: says that tests did not run, which is a failure where REQUIRE_ALL is set, as .ci/run does.

. "$root/scripts/servers.sh"

US3_TEST_PUBLIC_KEY=test-public-key
US3_TEST_PRIVATE_KEY=test-private-key-nobody-may-see
export US3_TEST_PUBLIC_KEY US3_TEST_PRIVATE_KEY

hosts_tmp=$(mktemp -d)

remove_hosts() {
    stop_servers
    rm -rf "$hosts_tmp"
}

host_servers() {
    dir=$hosts_tmp/$1
    shift
    mkdir -p "$dir/files"
    # shellcheck disable=SC2086 # CC and CFLAGS are lists of words
    ${CC:-cc} -std=c99 ${CFLAGS:-} -o "$hosts_tmp/callback_service" "$root/examples-c/callback_service.c"
    start_server callback "$dir/callbacks" http:// "$hosts_tmp/callback_service"
    start_server emulator "$dir/emulator" ready "$emulator" --listen 127.0.0.1:0 --bucket demo \
        --public-key "$US3_TEST_PUBLIC_KEY" --private-key "$US3_TEST_PRIVATE_KEY" --quiet "$@"
    US3_TEST_LIBRARY=$lib/libus3.so.0
    US3_TEST_DIR=$dir/files
    US3_TEST_CALLBACK=$(server_url "$dir/callbacks")
    US3_TEST_CALLBACKS=$dir/callbacks
    US3_TEST_ENDPOINT=$(server_url "$dir/emulator")
    US3_TEST_CONTROL=$(sed -n 's/.* control=\([^ ]*\).*/\1/p' "$dir/emulator")
    export US3_TEST_LIBRARY US3_TEST_DIR US3_TEST_CALLBACK US3_TEST_CALLBACKS US3_TEST_ENDPOINT US3_TEST_CONTROL
    cat >"$US3_TEST_DIR/config.json" <<CONFIG
{"public_key": "$US3_TEST_PUBLIC_KEY", "private_key": "$US3_TEST_PRIVATE_KEY",
 "bucket_name": "demo", "endpoint": "$US3_TEST_ENDPOINT"}
CONFIG
}

left_out() {
    echo "************************************************************************" >&2
    echo "LEFT OUT: $*" >&2
    echo "************************************************************************" >&2
    [ -z "${REQUIRE_ALL:-}" ] || exit 1
    exit 0
}
