#!/bin/sh
# Writes bindings/lua/us3/cdef.lua, the declarations of the header for LuaJIT.
#
#   lua-cdef.sh            writes it
#   lua-cdef.sh --check    fails when it is not what would be written
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
output=$root/bindings/lua/us3/cdef.lua

cdef() {
    echo "-- Generated from include/us3.h by scripts/lua-cdef.sh: run make bindings."
    echo
    echo 'require("ffi").cdef[['
    "$root/scripts/declarations.sh"
    echo ']]'
    echo
    echo "return {"
    "$root/scripts/declarations.sh" numbers | sed 's/\(.*\) \(.*\)/    \1 = \2,/'
    echo "}"
}

fresh=$(mktemp)
trap 'rm -f "$fresh"' EXIT
cdef >"$fresh"
grep -q us3_version "$fresh" || {
    echo "lua-cdef: include/us3.h declares nothing" >&2
    exit 1
}
if [ "${1:-}" != --check ]; then
    cat "$fresh" >"$output"
elif ! diff -u "$output" "$fresh"; then
    echo "lua-cdef: bindings/lua/us3/cdef.lua is not what include/us3.h says: run make bindings and commit it" >&2
    exit 1
fi
