# The functions that the scripts of page.awk use. From the environment: DOCS is the folder of this file, REPORT the
# file for the results, OUT the folder for the output of the blocks.

now=
kind=
stop=:

begin() {
    now=$1 kind=$2
    exec >"$OUT/$now" 2>&1
}

end() {
    exec >"$OUT/rest" 2>&1
    [ -z "$now" ] || echo "ok $now $kind" >>"$REPORT"
    now=
}

# not_run LINE LANGUAGE REASON: a fragment.
not_run() {
    echo "fragment $1 $2: $3" >>"$REPORT"
}

# Reports a mistake of the page itself; the rest of the page is still tested.
wrong() {
    echo "FAIL $1 $2" >>"$REPORT"
}

# prints LINE TEXT: of the block that began in that line.
prints() {
    ! grep -q "^missing $1 " "$REPORT" || return 0
    grep -qF -- "$2" "$OUT/$1" && return
    echo "FAIL $1 does not print: $2" >>"$REPORT"
    cp "$OUT/$1" "$OUT/failed"
    exit 1
}

# ends_with STATUS COMMAND…
ends_with() {
    wanted=$1 got=0
    shift
    "$@" || got=$?
    [ "$got" -eq "$wanted" ] || {
        echo "ended with status $got, not $wanted: $*"
        return 1
    }
}

# background LINE TEXT: the block's file, in a session of its own; waits until it has printed TEXT.
background() {
    setsid sh -eu "block_$1.sh" >"$OUT/background_$1" 2>&1 &
    last=$!
    trap_also "$last"
    waits=0
    until grep -qF -- "$2" "$OUT/background_$1"; do
        if ! kill -0 "$last" 2>/dev/null || [ "$waits" -ge 200 ]; then
            cat "$OUT/background_$1"
            echo "does not print: $2"
            return 1
        fi
        sleep 0.1
        waits=$((waits + 1))
    done
}

trap_also() {
    stop="$stop; kill -- -$1 2>/dev/null || true"
}

# Ends the last background block, as Ctrl-C does.
stop() {
    kill -INT -- "-$last" 2>/dev/null || true
    kill -- "-$last" 2>/dev/null || true
    wait "$last" 2>/dev/null || true
}

# Waits until a background block of the page has printed this text.
seen() {
    waits=0
    until cat "$OUT"/background_* | grep -qF -- "$1"; do
        if [ "$waits" -ge 50 ]; then
            echo "FAIL 0 nothing has printed: $1" >>"$REPORT"
            cat "$OUT"/background_* >"$OUT/failed"
            exit 1
        fi
        sleep 0.1
        waits=$((waits + 1))
    done
}

# tool LANGUAGE COMMAND…: gives the command's status in got; 77 is a missing toolchain, which is noted.
tool() {
    language=$1 got=0
    shift
    "$@" || got=$?
    if [ "$got" -eq 77 ]; then
        echo "missing $now $language: $(tail -n 1 "$OUT/$now")" >>"$REPORT"
        now=
    fi
}

# all_here LINE PROGRAMS: whether what the block needs is here; what is missing is noted.
all_here() {
    for program in $2; do
        command -v "$program" >/dev/null && continue
        echo "missing $1 $program is not here" >>"$REPORT"
        return 1
    done
}

check_json() {
    tool json "$CHECK_JSON" "$1"
    [ "$got" -eq 0 ] || [ "$got" -eq 77 ]
}

c_body() {
    mv "$1" "$1.body"
    { cat "$DOCS/body_head.c"; echo "#line 1 \"$1\""; cat "$1.body" "$DOCS/body_tail.c"; } >"$1"
}

# program STATUS LANGUAGE FILE ARGUMENT…
program() {
    wanted=$1 language=$2
    shift 2
    tool "$language" "$DOCS/languages/$language.sh" "$@"
    [ "$got" -eq "$wanted" ] || [ "$got" -eq 77 ] || {
        echo "ended with status $got, not $wanted"
        return 1
    }
}

finish() {
    status=$?
    eval "$stop"
    if [ -n "$now" ]; then
        echo "FAIL $now $kind" >>"$REPORT"
        cp "$OUT/$now" "$OUT/failed"
    fi
    exit "$status"
}
trap finish EXIT
trap 'exit 143' HUP INT TERM
