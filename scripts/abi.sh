#!/bin/sh
# Compares the binary interface with the committed baseline, abi/libus3.abi, or writes a new one.
#
#   abi.sh check|update LIB_DIR
#
# The interface has two halves: the types and prototypes that a C program is compiled with, which are the
# header's, and the symbols and the soname that it is linked with, which are the library's. libabigail
# reads types from debug information. The library's own would show every Rust type behind an opaque handle,
# different for each compiler; so it is given a C library made of the header, each function a stub.
#
# What was added passes, with a note; what was removed or changed fails.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
mode=$1
lib=$2/libus3.so
baseline=$root/abi/libus3.abi
build=$root/build/abi

for tool in abidw abidiff readelf nm; do
    command -v "$tool" >/dev/null || {
        echo "The binary interface is compared with libabigail and binutils, and $tool is not here (Debian: apt-get install abigail-tools binutils)" >&2
        exit 1
    }
done

# Enums are used by no prototype, since numbers are received from C: hence all types.

# Each prototype as a function that traps; what else the header declares is left out, having been included.
stubs() {
    echo '#include <us3.h>'
    compile -E -P -x c "$root/include/us3.h" | tr '\n' ' ' | tr -s ' ' | tr ';{}' '\n\n\n' |
        grep -E '\bus3_[a-z0-9_]+ ?\(' | grep -v typedef | sed 's/$/ { __builtin_trap(); }/'
}

compile() {
    # shellcheck disable=SC2086 # CC is a list of words
    ${CC:-cc} -I"$root/include" "$@"
}

symbols_of_library() {
    nm -D --defined-only "$lib" | awk '{print $3}' | sed 's/@.*//' | sort -u
}

symbols_of_baseline() {
    sed -n "s/.*<elf-symbol name='\([^']*\)'.*/\1/p" "$baseline" | sort -u
}

# Sizes differ between machines, and the baseline is of this one.
if [ "$(uname -m)" != x86_64 ]; then
    echo "abi: NOT COMPARED, because abi/libus3.abi is of x86_64, and this is $(uname -m)" >&2
    exit 0
fi

mkdir -p "$build"
stubs >"$build/stubs.c"
soname=$(readelf -d "$lib" | sed -n 's/.*soname: \[\(.*\)\]/\1/p')
compile -std=c99 -Wall -Wextra -Wno-unused-parameter -Werror -g -O0 \
    -fno-eliminate-unused-debug-types -fPIC -shared -nostdlib -Wl,-soname,"$soname" -o "$build/libus3.so" "$build/stubs.c"
abidw --no-show-locs --no-corpus-path --no-comp-dir-path --short-locs --load-all-types --type-id-style hash "$build/libus3.so" |
    sed "s| path='[^']*'||" >"$build/libus3.abi"

if [ "$mode" = update ]; then
    cp "$build/libus3.abi" "$baseline"
    echo "abi: abi/libus3.abi describes $(symbols_of_baseline | wc -l | tr -d ' ') functions"
    exit 0
fi

failed=0
symbols_of_library >"$build/exported"
symbols_of_baseline >"$build/expected"
if missing=$(comm -13 "$build/exported" "$build/expected") && [ -n "$missing" ]; then
    echo "abi: the library no longer exports" $missing >&2
    failed=1
fi
# The bits of its status: 1 and 2 are errors, 4 a change, 8 one that is surely incompatible.
status=0
abidiff --no-added-syms --non-reachable-types "$baseline" "$build/libus3.abi" || status=$?
[ "$status" -eq 0 ] || failed=1
if [ "$failed" -ne 0 ]; then
    echo "abi: programs that were compiled with the interface of abi/libus3.abi may break. CONTRIBUTING.md says when to run make abi-update" >&2
    exit 1
fi
added=$(comm -23 "$build/exported" "$build/expected")
[ -z "$added" ] || echo "abi: added since the baseline, which make abi-update brings up to date:" $added
echo "abi: compatible with abi/libus3.abi"
