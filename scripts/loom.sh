#!/bin/sh
# Runs the models of src/runtime/sync/tests.rs: small cases of the hand-made synchronisation in every interleaving, under loom.
#
#   loom.sh CARGO CARGO_FLAG…
#
# US3_LOOM_INTERRUPTIONS=3 in the environment tries more interleavings where the models limit them.
set -eu

cargo=$1
shift
# Only this crate is compiled with us3_loom; what it depends on is that of the other tests.
program=$("$cargo" rustc "$@" --package us3 --lib --profile test --message-format=json-render-diagnostics -- --cfg us3_loom |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
[ -n "$program" ] || {
    echo "loom.sh: cargo has told no test program" >&2
    exit 1
}
# A filter that finds nothing would pass.
"$program" --list sync::tests:: | grep ': test$' >/dev/null
exec "$program" sync::tests:: --nocapture
