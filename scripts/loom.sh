#!/bin/sh
# Runs the models of src/runtime/sync/tests.rs under loom: small cases of the project's own synchronisation, in every
# interleaving.
#
#   loom.sh CARGO CARGO_FLAG…
#
# US3_LOOM_INTERRUPTIONS=3 in the environment tries more interleavings where the models limit them.
set -eu

cargo=$1
shift
# Only this crate is compiled with us3_loom; its dependencies are those of the other tests.
program=$("$cargo" rustc "$@" --package us3 --lib --profile test --message-format=json-render-diagnostics -- --cfg us3_loom |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
[ -n "$program" ] || {
    echo "loom.sh: cargo has told no test program" >&2
    exit 1
}
# Without this check, a filter that matches no test would pass.
"$program" --list sync::tests:: | grep ': test$' >/dev/null
exec "$program" sync::tests:: --nocapture
