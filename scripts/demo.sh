#!/bin/sh
# Runs the demonstration: starts a local US3 and a callback service, compiles examples-c/policy_upload.c as a user
# would, and runs it. Stops and removes everything at its end.
#
#   demo.sh EMULATOR LIB_DIR
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
emulator=$1
lib=$(cd "$2" && pwd)
. "$root/scripts/servers.sh"

tmp=$(mktemp -d)
clean_up() {
    stop_servers
    rm -rf "$tmp"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM

step() {
    printf '\n== %s\n' "$*"
}
run() {
    printf '$ %s\n' "$*"
    "$@"
}

compile() {
    # shellcheck disable=SC2086 # CC and CFLAGS are lists of words
    run ${CC:-cc} -std=c99 -Wall ${CFLAGS:-} "$@"
}

cd "$root"
step "Compile the example against include/us3.h and libus3.so"
compile -o "$tmp/callback_service" examples-c/callback_service.c
compile -Iinclude -o "$tmp/policy_upload" examples-c/policy_upload.c -L"$lib" -lus3 -Wl,-rpath,"$lib"

step "A file of 20 MB, a callback service, a local US3"
head -c 20000000 /dev/urandom >"$tmp/video.bin"
start_server callback "$tmp/callback.out" http:// "$tmp/callback_service"
callback_url=$(server_url "$tmp/callback.out")
callback_pid=$server_pid
start_server emulator "$tmp/emulator.out" ready "$emulator" --listen 127.0.0.1:0 \
    --bucket demo --public-key demo-public-key --private-key demo-private-key --data-dir "$tmp/data"
endpoint=$(server_url "$tmp/emulator.out")
cat >"$tmp/config.json" <<EOF
{
    "public_key": "demo-public-key",
    "private_key": "demo-private-key",
    "bucket_name": "demo",
    "endpoint": "$endpoint"
}
EOF
cat "$tmp/config.json"

step "The five operations of the page; each object is deleted again"
run "$tmp/policy_upload" "$tmp/config.json" "$tmp/video.bin" "$callback_url"

step "What the callback service received"
tail -n +2 "$tmp/callback.out"

step "The same with the callback service down"
stop_server "$callback_pid"
run "$tmp/policy_upload" --callback-down "$tmp/config.json" "$tmp/video.bin" "$callback_url"

printf '\nThe demonstration ran to its end.\n'
