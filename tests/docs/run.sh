#!/bin/sh
# Runs the examples of all documents, as README.md beside this file says, and checks their links. One
# line for each example; the last line counts them.
#
#   run.sh EMULATOR LIB_DIR [PAGE…]
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
EMULATOR=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
US3_LIB=$(cd "$2" && pwd)
shift 2
US3_ROOT=$root
US3_PREFIX=$root/build/test/prefix
DOCS=$root/tests/docs
CHECK_JSON=$DOCS/check-json.sh
export EMULATOR US3_LIB US3_ROOT US3_PREFIX DOCS CHECK_JSON
. "$root/scripts/testing.sh"
. "$root/tests/hosts/go/settings.sh"

# Far longer than any page takes.
PAGE_TIMEOUT_S=${US3_TEST_SLOW:+600}
PAGE_TIMEOUT_S=${PAGE_TIMEOUT_S:-120}

cd "$root"
if [ "$#" -eq 0 ]; then
    set -- include/us3.h README.md README.zh-CN.md CONTRIBUTING.md SECURITY.md docs/*.md emulator/README.md bindings/*/README.md
fi

build_helpers() {
    lay_out_prefix "$US3_PREFIX" "$US3_LIB"
    build_callback_service "$tmp/callback_service"
    # shellcheck disable=SC2086 # CC and CFLAGS are lists of words
    ${CC:-cc} -std=c99 -Wall -Wextra -Werror ${CFLAGS:-} -Iinclude -o "$tmp/check_json" tests/docs/check_json.c \
        -L"$US3_LIB" -lus3 -Wl,-rpath,"$US3_LIB"
    CHECK_JSON_PROGRAM=$tmp/check_json
    export CHECK_JSON_PROGRAM
    # The emulator under its name, on the page's ports unless the page says others.
    mkdir "$tmp/bin"
    cat >"$tmp/bin/us3-emulator" <<'END'
#!/bin/sh
case " $* " in *" --control "*) ;; *) set -- --control "127.0.0.1:$CONTROL_PORT" "$@" ;; esac
case " $* " in *" --listen "*) ;; *) set -- --listen "127.0.0.1:$EMULATOR_PORT" "$@" ;; esac
exec "$EMULATOR" "$@"
END
    chmod +x "$tmp/bin/us3-emulator"
}

# Three ports that were free a moment ago.
choose_ports() {
    "$EMULATOR" --listen 127.0.0.1:0 --tls-ca "$tmp/ca.pem" --quiet --until-stdin-ends </dev/null >"$tmp/ports"
    EMULATOR_PORT=$(sed 's/.* ready http:[^:]*:\([0-9]*\) .*/\1/' "$tmp/ports")
    CONTROL_PORT=$(sed 's/.* control=http:[^:]*:\([0-9]*\) .*/\1/' "$tmp/ports")
    CALLBACK_PORT=$(sed 's/.*https=https:[^:]*:\([0-9]*\)$/\1/' "$tmp/ports")
    export EMULATOR_PORT CONTROL_PORT CALLBACK_PORT
}

# The folder that a page's script runs in.
furnish() {
    mkdir -p "$dir/build" "$dir/out"
    ln -s "$root/include" "$root/examples-c" "$root/bindings" "$dir"
    ln -s "$US3_LIB" "$dir/build/lib"
    head -c 10000000 /dev/zero >"$dir/video.mp4"
    case $1 in
        *.h) awk -f "$DOCS/header.awk" "$1" >"$dir/source.md" ;;
        *) cp "$1" "$dir/source.md" ;;
    esac
    sed "s/127\.0\.0\.1:7380/127.0.0.1:$EMULATOR_PORT/g; s/127\.0\.0\.1:7381/127.0.0.1:$CONTROL_PORT/g
        s/127\.0\.0\.1:8000/127.0.0.1:$CALLBACK_PORT/g; s/\(\"127\.0\.0\.1\", \)8000/\1$CALLBACK_PORT/g" "$dir/source.md" |
        sed "s|/opt/us3|$US3_PREFIX|g; s|/path/to/libus3|$root|g" >"$dir/page.md"
    awk -f "$DOCS/page.awk" "$dir/page.md" >"$dir/script"
}

start_beside() {
    grep -q '^<!-- test: alone -->$' "$dir/page.md" && return
    start_server callback "$dir/callbacks" http:// "$tmp/callback_service" --listen "127.0.0.1:$CALLBACK_PORT"
    start_server emulator "$dir/emulator" ready "$EMULATOR" --listen "127.0.0.1:$EMULATOR_PORT" \
        --control "127.0.0.1:$CONTROL_PORT" --write-config "$dir/config.json"
}

tell() {
    while read -r verb line what; do
        case $verb in
            ok) pass "$1:$line $what" ;;
            fragment) echo "--    $1:$line not run, $what" ;;
            missing) missing "$1:$line" "$what" ;;
            *) fail "$1:$line $what" ;;
        esac
    done <"$dir/report"
}

# What the page needs at its top and is not here.
absent_for() {
    for program in $(sed -n '/^#/q; s/^<!-- test: needs \(.*\) -->$/\1/p' "$1"); do
        command -v "$program" >/dev/null || echo "$program"
    done
}

run_page() {
    absent=$(absent_for "$1")
    if [ -n "$absent" ]; then
        missing "$1" "$(echo $absent) is not here"
        return
    fi
    dir=$tmp/page
    mkdir "$dir"
    choose_ports
    furnish "$1"
    start_beside
    : >"$dir/report"
    status=0
    (
        cd "$dir"
        export REPORT="$dir/report" OUT="$dir/out" PATH="$tmp/bin:$PATH"
        cat "$DOCS/prelude.sh" script >whole
        timeout "$PAGE_TIMEOUT_S" sh -eu whole </dev/null >"$OUT/rest" 2>&1
    ) || status=$?
    tell "$1"
    if [ "$status" -ne 0 ]; then
        grep -q '^FAIL' "$dir/report" || fail "$1 ended with status $status"
        cat "$dir/out/failed" 2>/dev/null || cat "$dir/out/rest"
    fi
    stop_servers
    rm -rf "$dir"
}

# The anchors that a page's headings make.
anchors() {
    sed -n 's/^##* //p' "$1" | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9 _-]//g; s/ /-/g'
}

# check_link PAGE LINK: to a file of the project, or to a heading of one; says so when it is none.
check_link() {
    file=${2%%#*}
    target=$(dirname "$1")/$file
    [ -n "$file" ] || target=$1
    if [ ! -e "$target" ]; then
        echo "$1: $2"
    elif [ "$file" != "$2" ] && ! anchors "$target" | grep -qxF -- "${2#*#}"; then
        echo "$1: $2, but $target has no such heading"
    fi
}

check_links() {
    for page in "$@"; do
        grep -o '](\([^):]*\))' "$page" | sed 's/^](//; s/)$//' | sort -u | while read -r link; do
            check_link "$page" "$link"
        done
    done >"$tmp/links"
    if [ -s "$tmp/links" ]; then
        fail "links that lead nowhere"
        cat "$tmp/links"
    else
        pass "links lead to files and headings"
    fi
}

# The levels of a page's headings; then functions, members, codes and links that its prose speaks of.
names_in() {
    sed '/^```/,/^```$/d' "$1" >"$tmp/prose"
    grep -oE '^#+' "$tmp/prose"
    grep -oE '\b(us3|US3)_[A-Za-z0-9_]+|`[a-z_0-9]+`|-?[0-9]{5,6}|\]\([a-z][^)]*\)' "$tmp/prose" | sort -u |
        grep -v 'README\(\.zh-CN\)\{0,1\}\.md)'
}

# The two READMEs say the same, as far as a machine can tell.
same_names() {
    names_in README.md >"$tmp/english"
    names_in README.zh-CN.md >"$tmp/chinese"
    diff "$tmp/english" "$tmp/chinese"
}

build_helpers
for page in "$@"; do
    [ ! -f "$page" ] || run_page "$page"
done
check "docs/errors.md lists every status and RetCode" "$DOCS/errors.sh" complete
check "README.md and README.zh-CN.md speak of the same" same_names
check "docs/architecture.md knows who calls whom" "$DOCS/layers.sh"
check "SECURITY.md names tests that exist" "$DOCS/security.sh"
check "docs/errors.md shows the messages as they read" "$DOCS/errors.sh" messages
check "docs/assumptions.md shows the reports as they read" "$DOCS/assumptions.sh"
# shellcheck disable=SC2046 # pages are words
check_links $(for page in "$@"; do [ ! -f "$page" ] || echo "$page"; done)
summary "Docs"
