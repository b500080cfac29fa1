#!/bin/sh
# Holds the table "Who may call whom" of docs/architecture.md against what the modules of src use.
set -eu

cd "$(dirname "$0")/../.."
page=docs/architecture.md
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# Tests of a module may use what they like.
modules_used_by() {
    for file in "src/$1.rs" "src/$1"/*.rs; do
        [ ! -f "$file" ] || [ "$(basename "$file")" = tests.rs ] || sed '/^#\[cfg(test)\]/,$d' "$file"
    done | sed -E ':each; s/crate::\{([a-z_]+)[^,}]*, */crate::\1 crate::{/; t each; s/crate::\{/crate::/' |
        grep -oE '\bcrate::[a-z_]+' | sed 's/crate:://' | sort -u | grep -vx "$1" || true
}

sed -n 's/^mod \([a-z_]*\);$/\1/p; s/^pub mod \([a-z_]*\);$/\1/p' src/lib.rs | sort | while read -r module; do
    echo "$module:" $(modules_used_by "$module")
done >"$tmp/code"
awk -F '|' '/^## Who may call whom/ {on = 1; next} /^## / {on = 0} on && /^\| `/ {print $2 ":" $4}' "$page" |
    tr -d '`' | sed 's/^ *//; s/ *: */: /; s/ *$//' | sort >"$tmp/page"
[ -s "$tmp/page" ]
diff "$tmp/page" "$tmp/code" || {
    echo "layers: < what $page says, > what src does" >&2
    exit 1
}
