#!/bin/sh
# Prints what the licences of the Rust libraries in libus3 require: name, version, licence and licence texts of each.
#
#   third-party.sh CARGO
set -eu

cd "$(dirname "$0")/.."
cargo=$1
sources=${CARGO_HOME:-$HOME/.cargo}/registry/src

libraries=$($cargo tree --locked --offline --package us3 --edges normal,no-proc-macro --prefix none --format '{p}|{l}' |
    sed -n 's/ (\*)$//; s/^\([^ ]*\) v\([^ |]*\)[^|]*|\(.*\)$/\1 \2 \3/p' | grep -v '^us3 ' | sort -u)

echo "libus3 contains these Rust libraries."
echo
echo "$libraries" | awk '{printf "%s %s:", $1, $2; for (i = 3; i <= NF; i++) printf " %s", $i; print ""}'
echo "$libraries" | while read -r name version _; do
    for text in "$sources"/*/"$name-$version"/*; do
        case $(basename "$text") in
            LICENSE* | LICENCE* | COPYING* | COPYRIGHT* | NOTICE*) ;;
            *) continue ;;
        esac
        [ -f "$text" ] || continue
        printf '\n---- %s %s, %s\n\n' "$name" "$version" "$(basename "$text")"
        cat "$text"
    done
done
