#!/bin/sh
# Runs the fuzz targets, each for FUZZ_SECONDS (60): run.sh [TARGET…]
#
# Needs cargo-fuzz, and says so when it is missing. The sanitizer's options are unstable: without a nightly compiler the
# stable one is told to take them, for these builds alone. What it finds is in
# fuzz/artifacts: repair it, and put the input into fuzz/corpus under a name that says what it is, where
# `make test` replays it for ever. What libFuzzer collects besides stays in build/fuzz.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
seconds=${FUZZ_SECONDS:-60}
[ $# -gt 0 ] || set -- policy config checkpoint checkpoint_again response gateway likewise request

missing() {
    echo "make fuzz: $1 is missing: $2" >&2
    echo "make fuzz: without it, the committed corpora are replayed by: cargo test --test engine fuzz_corpus" >&2
    exit 1
}
command -v cargo-fuzz >/dev/null || missing cargo-fuzz "cargo install cargo-fuzz"
if command -v rustup >/dev/null && rustup run nightly rustc --version >/dev/null 2>&1; then
    nightly=+nightly
else
    nightly=
    export RUSTC_BOOTSTRAP=1
fi

cd "$root"
failed=
for target; do
    echo "== fuzz $target for $seconds s"
    mkdir -p "build/fuzz/$target"
    case $target in
        gateway | likewise | response) words=-dict=fuzz/dictionaries/gateway.dict ;;
        checkpoint*) words=-dict=fuzz/dictionaries/checkpoint.dict ;;
        *) words= ;;
    esac
    # New inputs go to the first folder; the committed corpus is only read.
    # shellcheck disable=SC2086 # empty, or a word each
    cargo $nightly fuzz run --fuzz-dir fuzz "$target" "build/fuzz/$target" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -timeout=25 -rss_limit_mb=4096 $words || failed="$failed $target"
done
if [ -n "$failed" ]; then
    echo "make fuzz: failed:$failed; the inputs are in fuzz/artifacts" >&2
    exit 1
fi
