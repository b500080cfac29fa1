#!/bin/sh
# Runs cargo so that libus3 and its crates are compiled for a sanitizer, like the C tests.
#
#   sanitized-cargo.sh address|thread SUBCOMMAND [OPTION…]
#   sanitized-cargo.sh missing        names the Debian packages that are not here; nothing when all are
#
# The results are in target/sanitized, in a folder for each sanitizer. The sanitizer's runtime comes from clang and is
# linked into programs, so that libus3.so shares it with the C program that loads it. Rust only enables sanitizers in
# nightly compilers; RUSTC_BOOTSTRAP enables them in a stable one.
#
# For ThreadSanitizer the standard library is compiled too: otherwise the sanitizer would not see its locks and
# atomics, and would report each hand-over between threads as a race. AddressSanitizer works with the usual standard
# library, because its runtime checks every allocation and copy.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
CLANG=${CLANG:-clang-19}
HOST=x86_64-unknown-linux-gnu

# The first compiler that has the source of its standard library: of rustup (component rust-src), or Debian's.
find_rust() {
    for rustc in "${RUSTC:-rustc}" /usr/bin/rustc; do
        sysroot=$("$rustc" --print sysroot 2>/dev/null) || continue
        [ -f "$sysroot/lib/rustlib/src/rust/library/Cargo.lock" ] || continue
        RUSTC=$rustc
        case $rustc in
            # Not rustup's cargo, which brings its own compiler along.
            */*) CARGO=$(dirname "$rustc")/cargo ;;
            *) CARGO=${CARGO:-cargo} ;;
        esac
        return 0
    done
    return 1
}

list_missing() {
    find_rust || echo "rustc-web cargo-web rust-web-src (or: rustup component add rust-src)"
    command -v "$CLANG" >/dev/null || echo clang-19
    [ -f "$("$CLANG" -print-resource-dir 2>/dev/null)/lib/linux/libclang_rt.tsan-x86_64.a" ] || echo libclang-rt-19-dev
    command -v "llvm-symbolizer-${CLANG##*-}" >/dev/null || echo llvm-19
}

sanitizer=$1
shift
case $sanitizer in
    missing)
        list_missing
        exit
        ;;
    address) std= ;;
    thread) std="-Zbuild-std=std,panic_unwind,test -Zbuild-std-features=panic-unwind" ;;
    *)
        echo "sanitized-cargo: $sanitizer is neither address nor thread" >&2
        exit 1
        ;;
esac
find_rust

export RUSTC RUSTC_BOOTSTRAP=1 CC="$CLANG"
# The C parts of crates, and what links programs.
export CFLAGS_x86_64_unknown_linux_gnu="-fsanitize=$sanitizer"
export RUSTFLAGS="-Zsanitizer=$sanitizer -Zexternal-clangrt -Cunsafe-allow-abi-mismatch=sanitizer -Clinker=$CLANG -Clink-arg=-fsanitize=$sanitizer"
# Compiling takes longer than the tests, so nothing is optimised, and only the library has line numbers.
export CARGO_PROFILE_DEV_DEBUG=none CARGO_INCREMENTAL=0
subcommand=$1
shift
# shellcheck disable=SC2086 # a list of options
exec "$CARGO" "$subcommand" --locked --target-dir "$root/target/sanitized/$sanitizer" --target $HOST $std \
    --config 'profile.dev.package.us3.debug="line-tables-only"' "$@"
