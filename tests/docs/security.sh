#!/bin/sh
# Checks that each row of the tables of SECURITY.md names tests that exist.
set -eu

cd "$(dirname "$0")/../.."
page=${1:-SECURITY.md}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# A test is a function: after #[test] in Rust, and given to RUN in C.
tests_in() {
    grep -rhA3 --include='*.rs' '^ *#\[\(tokio::\)\{0,1\}test' src tests emulator/src emulator/tests |
        sed -n 's/^ *\(async \)\{0,1\}fn \([a-z0-9_]*\)(.*/\2/p'
    sed -n 's/^ *RUN(\([a-z0-9_]*\));$/\1/p' tests/c/test_*.c
}

# Of each row that is no heading: its number, and the names in its last column.
rows() {
    awk -F '|' '/^\|/ && !/^\|-/ && !/^\| what / {
        rest = $(NF - 1); count = 0
        while (match(rest, /`[a-z0-9_]+`/)) {
            print NR, substr(rest, RSTART + 1, RLENGTH - 2)
            rest = substr(rest, RSTART + RLENGTH); count++
        }
        if (count == 0) print NR, "(none)"
    }' "$page"
}

tests_in | sort -u >"$tmp/tests"
rows >"$tmp/rows"
[ -s "$tmp/tests" ] && [ -s "$tmp/rows" ]
while read -r line name; do
    grep -qx -- "$name" "$tmp/tests" || echo "$page:$line: there is no test $name"
done <"$tmp/rows" >"$tmp/unknown"
cat "$tmp/unknown" >&2
[ ! -s "$tmp/unknown" ]
