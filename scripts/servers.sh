# Starting and stopping the servers that the demonstration and the tests need. To be sourced.

server_pids=

# start_server NAME OUTPUT READY COMMAND…: runs the command, and waits until it has printed a line that
# contains READY. Sets server_pid. Ends the script when the server ends first.
start_server() {
    server_name=$1 server_output=$2 server_ready=$3
    shift 3
    : >"$server_output"
    "$@" </dev/null >>"$server_output" 2>&1 &
    server_pid=$!
    server_pids="$server_pids $server_pid"
    server_waits=0
    until grep -q "$server_ready" "$server_output"; do
        if ! kill -0 "$server_pid" 2>/dev/null || [ "$server_waits" -ge 300 ]; then
            echo "the $server_name server does not start: $*" >&2
            cat "$server_output" >&2
            exit 1
        fi
        sleep 0.1
        server_waits=$((server_waits + 1))
    done
}

# server_url OUTPUT: the first address that a server printed.
server_url() {
    grep -o 'http://[^ ]*' "$1" | head -n 1
}

stop_server() {
    kill "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

stop_servers() {
    for pid in $server_pids; do
        stop_server "$pid"
    done
    server_pids=
}
