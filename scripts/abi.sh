#!/bin/sh
# Compares the binary interface with the committed baseline, abi/libus3.abi, or writes a new one.
#
#   abi.sh check|update LIB_DIR
#
# The interface has two halves: the types and prototypes of the header, and the symbols and soname of the library.
# libabigail reads types from debug information. That of the library would contain every Rust type behind an opaque
# handle, and differ between compilers. So libabigail gets a C library that is generated from the header, with a stub
# for each function.
#
# Additions pass, with a note; a removal or change fails.
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

# All types are included, because no prototype uses the enums: they are received as numbers.

# Each prototype becomes a function that traps. Other declarations come from the included header.
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

# Sizes differ between machines; the baseline is for this one.
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
# The bits of abidiff's status: 1 and 2 are errors, 4 is a change, 8 an incompatible change.
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
