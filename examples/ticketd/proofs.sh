# shellcheck shell=bash
# What ticketd's pool does under pressure, shown on real requests: a line for
# each promise, and FAILED with it if it does not hold. Times are told, and
# decide nothing. For demo alone, in whose words it is written; demo sets
# pressed, the number of requests of each load, and quick ones of the quiet.

# Stops the server, which must end without a fault.
stop() {
    stop_server
    [ "$server_status" = 0 ] ||
        said "the server ended with $server_status" false
}

# blocks COUNT METHOD [HEADER]: curl's configuration for so many
# requests, of all tenants in turn. It writes a line for each answer:
# status, seconds, Retry-After.
blocks() {
    local count=$1 method=$2 extra=${3:-} i tenant
    for ((i = 1; i <= count; i++)); do
        tenant=${tenants[i % ${#tenants[@]}]}
        [ "$i" = 1 ] || echo next
        printf '%s\n' "url = \"$base/tenants/$tenant/tickets\"" \
            'header = "X-User: u1"' 'output = "/dev/null"' 'max-time = 50' \
            'write-out = "%{http_code} %{time_total} %header{retry-after}\n"'
        [ "$method" = GET ] || echo 'data = "{\"subject\":\"x\"}"'
        [ -z "$extra" ] || echo "header = \"$extra\""
    done
}

# press FOLDER PARALLEL: sends FOLDER/load, so many at once, in the background.
press() {
    curl --silent --parallel --parallel-immediate --parallel-max "$2" \
        --config "$1/load" >"$1/answers" 2>"$1/curl" &
    client_pid=$!
}

pressed_out() {
    wait "$client_pid" || true
    client_pid=
}

statuses() { # FOLDER STATUS: how many
    awk -v status="$2" '$1 == status { count++ } END { print count + 0 }' \
        "$1/answers"
}

metric() {
    curl --silent --max-time 60 "$base/metrics" |
        awk -v name="reqctx_pool_$1" '$1 == name { print $2 }'
}

# reached NAME NUMBER: waits until a figure of /metrics is that, or more.
reached() {
    local i seen=0
    for ((i = 0; i < 500 && seen < $2; i++)); do
        sleep 0.02
        seen=$(metric "$1")
        seen=${seen:-0}
    done
}

# The share of 0.99 of all times in FILE, its second column, in milliseconds.
p99() {
    awk '{ print $2 * 1000 }' "$1" | sort -n |
        awk '{ at[NR] = $1 } END { print at[int((NR * 99 + 99) / 100)] }'
}

# said WHAT CONDITION: prints it, with FAILED if the condition is false.
said() {
    if [ "$2" = true ]; then
        echo "$1"
    else
        echo "FAILED: $1"
        proofs_held=false
    fi
}

# holds TEST ...: "true" or "false", by test's arguments.
holds() {
    if test "$@"; then echo true; else echo false; fi
}

# Each request asks for a minute of work and grants 0.1 s; curl gives up
# before the work could be done.
prove_deadline() {
    local folder=$work/deadline late slowest left rows=0 tenant
    start_server "$folder" --workers 2 --work-us 60000000
    blocks "$pressed" POST 'X-Deadline-Ms: 100' >"$folder/load"
    press "$folder" 50
    pressed_out
    late=$(statuses "$folder" 504)
    slowest=$(sort -k 2 -n "$folder/answers" | awk 'END { print $2 }')
    for ((i = 0; i < 500; i++)); do
        left=$(($(metric jobs_running) + $(metric jobs_waiting)))
        [ "$left" != 0 ] || break
        sleep 0.02
    done
    stop
    for tenant in "${tenants[@]}"; do
        rows=$((rows + $(query "$folder" \
            "SELECT count(*) FROM Tickets_$tenant")))
    done
    said "deadline: $late of $pressed answered 504 in time, the slowest after \
$slowest s with 0.1 s granted and 60 s of work; jobs left: $left; rows \
written: $rows" "$(holds "$late $left $rows" = "$pressed 0 0")"
}

prove_backpressure() {
    local folder=$work/backpressure good later hinted refused
    start_server "$folder" --workers 2 --queue 8 --work-us 20000
    blocks "$pressed" GET >"$folder/load"
    press "$folder" 50
    pressed_out
    good=$(statuses "$folder" 200)
    later=$(statuses "$folder" 503)
    hinted=$(awk '$1 == 503 && $3 == 1' "$folder/answers" | wc -l)
    refused=$(metric jobs_refused_total)
    stop
    said "backpressure: $later of $pressed answered 503, $hinted with \
Retry-After; /metrics counts $refused refused; $good answered 200" \
        "$(holds "$refused $hinted $((good + later))" = \
            "$later $later $pressed" -a "$later" -gt 0)"
}

# flood NAME OPTION ...: a tenant floods while the others ask one by one.
flood() {
    local folder=$work/$1 tenant quiet_pids=()
    shift
    start_server "$folder" --workers 2 --work-us 2000 "$@"
    curl --silent --parallel --parallel-immediate --parallel-max 40 \
        --header 'X-User: u1' --output /dev/null --max-time 60 \
        "$base/tenants/${tenants[0]}/tickets?limit=1&n=[1-100000]" \
        >/dev/null 2>&1 &
    client_pid=$!
    reached jobs_waiting 20
    for tenant in "${tenants[@]:1}"; do
        curl --silent --header 'X-User: u1' --output /dev/null --max-time 50 \
            --write-out '%{http_code} %{time_total}\n' \
            "$base/tenants/$tenant/tickets?limit=1&n=[1-$quiet]" \
            >"$folder/quiet-$tenant" &
        quiet_pids+=($!)
    done
    wait "${quiet_pids[@]}" || true
    kill "$client_pid" 2>/dev/null || true
    pressed_out 2>/dev/null
    cat "$folder"/quiet-* >"$folder/answers"
    stop
}

ratio() {
    awk -v a="$1" -v b="$2" 'BEGIN { printf("%.1f", b ? a / b : 0) }'
}

prove_flood() {
    local with without answered
    flood lanes
    flood queue --no-lanes
    with=$(p99 "$work/lanes/answers")
    without=$(p99 "$work/queue/answers")
    answered=$(($(statuses "$work/lanes" 200) + $(statuses "$work/queue" 200)))
    said "flood: beside one that floods, the quiet tenants' p99 is $with ms \
with lanes and $without ms in one queue, $(ratio "$without" "$with") times \
that; $answered of \
$((2 * quiet * (${#tenants[@]} - 1))) answered 200" \
        "$(holds "$answered" = $((2 * quiet * (${#tenants[@]} - 1))))"
}

prove_drain() {
    local folder=$work/drain good later counted
    start_server "$folder" --workers 2 --work-us 200000 --drain-ms 1000
    blocks "$pressed" GET >"$folder/load"
    press "$folder" "$pressed"
    reached jobs_accepted_total "$pressed"
    stop
    pressed_out
    good=$(statuses "$folder" 200)
    later=$(statuses "$folder" 503)
    counted=$(sed -n 's/^stopped: accepted=\([0-9]*\) .*/\1/p' "$folder/stdout")
    said "drain: of $counted accepted $good answered 200 and $later handed \
back with 503, $((counted - good - later)) lost; exit status $server_status" \
        "$(holds "$counted $((good + later)) $server_status" = \
            "$pressed $pressed 0" -a "$later" -gt 0)"
}

# Whether all held.
prove() {
    proofs_held=true
    prove_deadline
    prove_backpressure
    prove_flood
    prove_drain
    [ "$proofs_held" = true ]
}
