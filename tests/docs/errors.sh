#!/bin/sh
# Compares docs/errors.md with the code.
#
#   errors.sh complete     it lists every status of include/us3.h, and every RetCode that the code knows
#   errors.sh messages     each failure that it shows is met for real, and reads as it says;
#                          US3_WRITE_DOCS=1 in the environment writes the messages anew
#
# EMULATOR and US3_LIB are in the environment, as for run.sh.
set -eu

cd "$(dirname "$0")/../.."
root=$PWD
page=docs/errors.md
. scripts/testing.sh

complete() {
    sed -n 's/^ *\(US3_[A-Z_]*\) = \([0-9]*\),$/| `\1` | \2 |/p' include/us3.h | grep -v '_OBJECT_\|_CALLBACK_[NDUR]\|_MODE_\|_LOG_' >"$tmp/wanted"
    # From the table of the header, and from the code, which knows some more.
    sed -n 's/^ \*     [1-5][0-9][0-9]  *\(-\{0,1\}[0-9][0-9]*\)  .*/| \1 |/p' include/us3.h >>"$tmp/wanted"
    sed -n 's/^ *ret_code: \(-\{0,1\}[0-9][0-9_]*\),$/| \1 |/p' src/protocol/advice.rs | tr -d _ >>"$tmp/wanted"
    [ "$(wc -l <"$tmp/wanted")" -ge 30 ] || { echo "errors.sh: finds too few statuses and codes in the code" >&2; exit 1; }
    sort -u "$tmp/wanted" | while read -r cells; do
        grep -qF -- "$cells" "$page" || echo "$page has no row with $cells"
    done >"$tmp/absent"
    cat "$tmp/absent"
    [ ! -s "$tmp/absent" ]
}

# What differs from run to run, made the same.
plain() {
    sed -E "s#$tmp/files#/srv#g; s#127\.0\.0\.1:$emulator_port#127.0.0.1:7380#g
        s#localhost:[0-9]+#localhost:7443#g
        s#[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}#3f2a…#g; s#[0-9a-f]{32}#7d41…#g
        s#(failed to lookup address information: )[^;]*#\1Name or service not known#g
        s#partNumber=[0-9]+#partNumber=0#g
        s#process [0-9]+; process [0-9]+#process 4711; process 4712#g"
}

# The emulator with a rule for each failure that it plays.
start_emulator() {
    set --
    while read -r rule; do
        set -- "$@" --rule "$rule"
    done <tests/docs/failures.rules
    start_server emulator "$tmp/emulator" ready "$EMULATOR" --listen 127.0.0.1:0 --quiet --tls-ca "$tmp/ca.pem" \
        --missing-bucket dmeo "$@"
}

messages() {
    # shellcheck disable=SC2086 # CC and CFLAGS are lists of words
    ${CC:-cc} -std=c99 -Wall -Wextra -Werror -pedantic ${CFLAGS:-} -Iinclude -o "$tmp/failures" tests/docs/failures.c \
        -L"$US3_LIB" -lus3 -Wl,-rpath,"$US3_LIB"
    build_callback_service "$tmp/callback_service"
    start_server callback "$tmp/callbacks" http:// "$tmp/callback_service"
    start_emulator
    ENDPOINT=$(server_url "$tmp/emulator")
    HTTPS_URL=$(grep -o 'https://[^ ]*' "$tmp/emulator")
    CALLBACK_URL=$(server_url "$tmp/callbacks")
    # The discard port, which nobody serves.
    REFUSED_URL=http://127.0.0.1:9
    export ENDPOINT HTTPS_URL CALLBACK_URL REFUSED_URL
    emulator_port=${ENDPOINT##*:}
    mkdir "$tmp/files"
    (cd "$tmp/files" && "$tmp/failures") >"$tmp/raw"
    {
        awk '/<!-- messages: begin -->/ {print; exit} {print}' "$page"
        plain <"$tmp/raw" | awk 'NF == 0 {next} title == "" {title = $0; next}
            {print "\n**" title "**\n\n> " $0; title = ""}'
        awk '/<!-- messages: end -->/ {on = 1; print ""} on' "$page"
    } >"$tmp/page"
    if [ "${US3_WRITE_DOCS:-0}" = 1 ]; then
        cp "$tmp/page" "$page"
    fi
    diff -u "$root/$page" "$tmp/page"
}

case ${1:-} in
    complete | messages) "$1" ;;
    *)
        echo "errors.sh: complete or messages" >&2
        exit 2
        ;;
esac
