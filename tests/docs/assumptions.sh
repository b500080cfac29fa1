#!/bin/sh
# Compares docs/assumptions.md with the reports of `make probe` on the emulator: as it is, and with each assumption
# broken.
#
# EMULATOR and US3_LIB are in the environment, as for run.sh. US3_WRITE_DOCS=1 writes the reports anew.
set -eu

cd "$(dirname "$0")/../.."
root=$PWD
page=docs/assumptions.md
. scripts/testing.sh

# The discard port, which nobody serves.
DEAD="--dead-callback http://127.0.0.1:9/"

# start_emulator [OPTION…]: and its config.json.
start_emulator() {
    start_server emulator "$tmp/emulator" ready "$EMULATOR" --listen 127.0.0.1:0 --quiet --write-config "$tmp/config.json" "$@"
}

# probe STATUS REPORT COMMAND…: must end with that status.
probe() {
    expected=$1 report=$2
    shift 2
    status=0
    "$@" >"$report" 2>"$tmp/messages" || status=$?
    [ "$status" = "$expected" ] && return
    echo "ended with status $status, not $expected: $*" >&2
    cat "$tmp/messages" "$report" >&2
    exit 1
}

# What differs from run to run, made the same.
plain() {
    sed -E "s#20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z#2026-01-31T12:00:00Z#
        s#(Date = -?[0-9]*)[01] s#\10 s#; s#Date = -0 s#Date = 0 s#
        s#127\.0\.0\.1:[0-9]+#127.0.0.1:7380#g; s#[0-9]+ requests#40 requests#
        s#[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}#3f2a…#g; s#[0-9a-f]{32}#7d41…#g; s#[0-9a-f]{16}#9c3e…#g
        s#AQAAA[A-Za-z0-9_-]{27}#AQAA…#g; s#[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9:  ]+ GMT#Sat, 31 Jan 2026 12:00:00 GMT#g
        s#^[A-Za-z0-9_-]{27}=\$#D5La…#; s#answered [0-9]+ ms#answered 1 ms#"
}

sound() {
    start_emulator
    # The library of the tests, as it is.
    probe 0 "$tmp/sound" make --silent --assume-old=lib probe LIB_DIR="$US3_LIB" PROBE_DIR="$tmp/probe" CONFIG="$tmp/config.json" \
        LISTEN=127.0.0.1:0 PROBE_OPTIONS="$DEAD"
    stop_servers
    # An object may be there at once, or a moment later.
    sed -E 's/, absent at [0-9]+ ms//; s/(there|came) [0-9]+ ms/\1 7 ms/g' "$tmp/sound" | plain >"$tmp/plain"
    {
        sed -n '/^libus3 /p; /^| /p; /^|---/p; /^Afterwards/p' "$tmp/plain" | sed 's/^| | libus3/\n&/; s/^Afterwards/\n&/'
        # One request of the many.
        printf '\n'
        sed -n '/^## A5$/,/^## A6$/p' "$tmp/plain" | sed -n '/again$/,/^```$/p' | sed '1s/^[0-9]*\. //'
    } >"$tmp/sound.md"
}

broken() {
    printf '%s\n' '| | seen | verdict |' '|---|---|---|'
    for assumption in A1 A2 A3 A4 A5 A6 A7 A8 A9 A10; do
        start_emulator --break "$assumption"
        # The emulator is late by a second.
        bound_ms=70000
        [ "$assumption" != A2 ] || bound_ms=400
        # shellcheck disable=SC2086 # an option and its value
        probe 1 "$tmp/broken" "$tmp/probe/us3-probe" --listen 127.0.0.1:0 $DEAD --bound-ms "$bound_ms" "$tmp/config.json"
        stop_servers
        [ "$(grep -c '| \*\*BROKEN\*\* |$' "$tmp/broken")" = 1 ] || { cat "$tmp/broken" >&2; exit 1; }
        grep '| \*\*BROKEN\*\* |$' "$tmp/broken" | plain |
            sed -E 's/there [0-9]+ ms/there 1504 ms/; s/absent at [0-9]+ ms/absent at 704 ms/; s/came [0-9]+ ms/came 1004 ms/
                s/^(\| A[0-9]+ \|) .* \| (.* \| \*\*BROKEN\*\* \|)$/\1 \2/'
    done
}

# between NAME FILE: the page with this file between the comments of this name.
between() {
    awk -v name="$1" -v file="$2" '
        index($0, "<!-- " name ": begin -->") {print; print ""; while ((getline line < file) > 0) print line; print ""; skip = 1}
        index($0, "<!-- " name ": end -->") {skip = 0}
        !skip && !index($0, "<!-- " name ": begin -->")'
}

sound
broken >"$tmp/broken.md"
between sound "$tmp/sound.md" <"$page" | between broken "$tmp/broken.md" >"$tmp/page"
if [ "${US3_WRITE_DOCS:-0}" = 1 ]; then
    cp "$tmp/page" "$page"
fi
diff -u "$root/$page" "$tmp/page"
