#!/bin/sh
# Prints the declarations of include/us3.h as a C99 program sees them, without comments, directives and system
# headers. The bindings are generated from them.
#
#   declarations.sh [declarations]     types and functions, one piece per line
#   declarations.sh functions          the name of each function
#   declarations.sh numbers            NAME VALUE for each enumerator and US3_VERSION_… macro
set -eu

header=$(cd "$(dirname "$0")/.." && pwd)/include/us3.h

declarations() {
    # The includes are removed, so that bool and the integer types are not expanded. shellcheck disable=SC2086 # CC is
    # a list of words
    sed '/^#include </d' "$header" | ${CC:-cc} -std=c99 -E -P -x c - | sed 's/[[:space:]][[:space:]]*/ /g; s/ $//; /^$/d'
}

numbers() {
    sed -n 's/^#define \(US3_VERSION_[A-Z]*\) \([0-9][0-9]*\)$/\1 \2/p' "$header"
    declarations | sed -n 's/^ *\(US3_[A-Z0-9_]*\) = \(-\{0,1\}[0-9][0-9]*\),\{0,1\}$/\1 \2/p'
}

functions() {
    declarations | grep -oE '\bus3_[a-z0-9_]+ *\(' | tr -d ' (' | LC_ALL=C sort -u
}

"${1:-declarations}"
