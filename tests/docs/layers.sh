#!/bin/sh
# Compares the table "Who may call whom" of docs/architecture.md with the code of src, and checks the limits of scripts/house.sh.
set -eu

cd "$(dirname "$0")/../.."
page=docs/architecture.md
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

scripts/house.sh uses >"$tmp/code"
awk -F '|' '/^## Who may call whom/ {on = 1; next} /^## / {on = 0} on && /^\| `/ {print $2 ":" $4}' "$page" |
    tr -d '`' | sed 's/^ *//; s/ *: */: /; s/: *$/:/; s/ *$//' | sort >"$tmp/page"
[ -s "$tmp/page" ]
diff "$tmp/page" "$tmp/code" || {
    echo "layers: < what $page says, > what src does" >&2
    exit 1
}
scripts/house.sh check
