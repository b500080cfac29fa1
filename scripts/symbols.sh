#!/bin/sh
# Adds the functions of include/us3.h that packaging/debian/libus3-0.symbols lacks to that file, as new in this
# version. Existing entries stay, because the first version of a function never changes.
#
#   symbols.sh VERSION
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
file=$root/packaging/debian/libus3-0.symbols

fresh=$(mktemp)
trap 'rm -f "$fresh"' EXIT
"$root/scripts/declarations.sh" functions | while read -r name; do
    grep -q "^ $name@" "$file" || echo " $name@Base $1"
done >"$fresh"
[ -s "$fresh" ] || exit 0
{
    grep -v '^ us3_' "$file"
    { grep '^ us3_' "$file"; cat "$fresh"; } | LC_ALL=C sort
} >"$fresh.all"
mv "$fresh.all" "$file"
echo "symbols: added to packaging/debian/libus3-0.symbols:$(sed 's/@.*//' "$fresh" | tr '\n' ' ')"
