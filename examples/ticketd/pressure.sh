# shellcheck shell=bash
# The tests of ticketd under pressure: deadlines, floods, figures, the stop.
# For check alone, in whose words and manner they are written.

minute=60000000 # microseconds: longer than any of these tests waits

# Nothing runs or waits.
is_idle() {
    is running 0 && is waiting 0
}

last_line() {
    same 'last line' "stopped: $1" "$(tail -n 1 "$work/stdout")"
}

metric() { # NAME, labels and all
    curl --silent --max-time 60 "$base/metrics" |
        awk -v name="$1" '$1 == name { print $2 }'
}

# Neither waits for the end of work, be it its own or that of who is before.
a_request_past_its_deadline_is_answered_504() {
    start_held --workers 1
    ask late GET /tenants/north/tickets \
        --header 'X-Deadline-Ms: 1000' --header 'X-Request-Id: ran'
    same 'one that runs' '504 {"error":"the deadline has passed"}' \
        "$code $(body late)"
    same 'identity' 'ran north' \
        "$(header late X-Request-Id) $(header late X-Tenant)"
    wait_for is running 0
    later holder GET /tenants/north/tickets
    wait_for is running 1
    ask late GET /tenants/east/tickets \
        --header 'X-Deadline-Ms: 100' --header 'X-Request-Id: waited'
    same 'one that waits' '504 {"error":"the deadline has passed"}' \
        "$code $(body late)"
    same 'identity' 'waited east' \
        "$(header late X-Request-Id) $(header late X-Tenant)"
    wait_for is waiting 0
    grep -q 'msg=started request_id=ran' "$work/log" || fail 'it did not run'
    ! grep -q 'msg=started request_id=waited' "$work/log" ||
        fail 'it ran although its deadline had passed'
    release
    join
    answered holder 200
    stop
    same 'lines that answer' 2 "$(grep -c 'msg=answered .* status=504 ' \
        "$work/log")"
    last_line 'accepted=3 run=2 dropped=1 refused=0 left_entered=0'
}

# The job waits for SQLite's lock when its time is up.
a_504_has_changed_nothing() {
    start --workers 1 --busy-ms 3600000
    lock_database
    refused 504 'the deadline has passed' POST /tenants/north/tickets \
        --data '{"subject":"late"}' --header 'X-Deadline-Ms: 200'
    wait_for is_idle
    unlock_database
    same 'tickets' 0 "$(query 'SELECT count(*) FROM Tickets_north')"
    open_ticket north 'in time'
    same 'tickets' 1 "$(query 'SELECT count(*) FROM Tickets_north')"
    stop
}

# Deadlines pass while writers wait for each other, and between a write and
# its commit: whoever comes first, what clients are told and what is in the
# database agree.
a_change_is_made_if_and_only_if_its_client_is_told() {
    local i granted_ms
    start --workers 4
    for ((i = 1; i <= 1000; i++)); do
        granted_ms=$((i % 40 == 0 ? 30000 : 1 + i % 10))
        printf '%s\n' next "url = \"$base/tenants/north/tickets\"" \
            'header = "X-User: u1"' 'output = "/dev/null"' \
            "header = \"X-Deadline-Ms: $granted_ms\"" \
            "data = \"{\\\"subject\\\":\\\"r$i\\\"}\"" \
            "write-out = \"%{http_code} r$i\\n\"" 'max-time = 60'
    done | sed 1d >"$work/load"
    curl --silent --parallel --parallel-max 10 --config "$work/load" \
        >"$work/told" 2>"$work/curl"
    same 'made or late' 1000 "$(grep -c '^\(201\|504\) ' "$work/told")"
    sed -n 's/^201 //p' "$work/told" | sort >"$work/made"
    [ -s "$work/made" ] || fail 'nobody had time enough'
    query 'SELECT subject FROM Tickets_north' | sort >"$work/rows"
    same 'told or there, and not both' '' \
        "$(comm -3 "$work/made" "$work/rows" | xargs)"
    stop
}

a_client_cannot_have_more_time_than_the_server_gives() {
    start --workers 1 --deadline-ms 200 --work-us $minute
    refused 504 'the deadline has passed' GET /tenants/north/tickets
    refused 504 'the deadline has passed' GET /tenants/north/tickets \
        --header 'X-Deadline-Ms: 3600000'
    stop
}

a_deadline_that_is_none_is_refused() {
    local text
    start
    for text in 0 -1 soon 3600001 '1 0'; do
        refused 400 'X-Deadline-Ms is a number from 1 to 3600000' \
            GET /tenants/north/tickets --header "X-Deadline-Ms: $text"
    done
    ask read GET /tenants/north/tickets --header 'X-Deadline-Ms: 3600000'
    same 'the longest' 200 "$code"
    stop
}

a_full_lane_leaves_room_for_other_tenants() {
    start_held --workers 1 --lane-queue 1
    later running GET /tenants/north/tickets
    wait_for is running 1
    later waiting GET /tenants/north/tickets
    wait_for is waiting 1
    refused 503 'the queue is full' GET /tenants/north/tickets
    same Retry-After 1 "$(header refused Retry-After)"
    later other GET /tenants/east/tickets
    wait_for is accepted 3
    release
    join
    answered running 200
    answered waiting 200
    answered other 200
    stop
}

# The numbers of the lines on which the requests named began, in their order.
began() {
    local id
    for id in "$@"; do
        grep -n "msg=started request_id=$id " "$work/log" | cut -d: -f1
    done
}

# All wait before the first ends; the quiet tenant's came last.
tenants_take_turns() {
    local i
    start_held --workers 1
    later first GET /tenants/north/tickets
    wait_for is running 1
    for ((i = 1; i <= 3; i++)); do
        later "flood$i" GET /tenants/north/tickets \
            --header "X-Request-Id: flood$i"
        wait_for is waiting "$i"
    done
    later quiet GET /tenants/east/tickets --header 'X-Request-Id: quiet'
    wait_for is waiting 4
    release
    join
    began quiet flood2 | sort -nc 2>"$work/stdout2" ||
        fail "the quiet tenant waited for all of the other's"
    stop
}

in_one_queue_they_do_not() {
    local i
    start_held --workers 1 --no-lanes
    later first GET /tenants/north/tickets
    wait_for is running 1
    for ((i = 1; i <= 2; i++)); do
        later "flood$i" GET /tenants/north/tickets \
            --header "X-Request-Id: flood$i"
        wait_for is waiting "$i"
    done
    later quiet GET /tenants/east/tickets --header 'X-Request-Id: quiet'
    wait_for is waiting 3
    release
    join
    began flood1 flood2 quiet | sort -nc 2>"$work/stdout2" ||
        fail 'the order is not that of their coming'
    stop
}

a_tenant_runs_no_more_than_its_share() {
    start_held --workers 2 --lane-limit 1
    later first GET /tenants/north/tickets
    wait_for is running 1
    later second GET /tenants/north/tickets
    wait_for is waiting 1
    later other GET /tenants/east/tickets
    wait_for is running 2
    same 'jobs of both' 'east north' "$(curl --silent "$base/jobs" |
        grep -o '"tenant":"[a-z]*"' | cut -d'"' -f4 | sort | xargs)"
    release
    join
    answered second 200
    stop
}

jobs_tell_what_runs_and_for_whom() {
    start_held --workers 1
    same 'nothing' '{"jobs":[]}' "$(curl --silent "$base/jobs")"
    later running GET /tenants/north/tickets --header 'X-Request-Id: r1'
    wait_for is running 1
    same 'a job' '{"jobs":[{"label":"/tenants/{tenant}/tickets","us":N,'\
'"request_id":"r1","tenant":"north","user":"u1"}]}' \
        "$(curl --silent "$base/jobs" | sed 's/"us":[0-9]*/"us":N/')"
    release
    join
    stop
}

# With one worker: a writer waits for SQLite's lock, a reader is answered.
who_waits_for_sqlite_leaves_a_spare_worker_the_place() {
    start --workers 1 --spare 1 --busy-ms 3600000
    lock_database
    later writer POST /tenants/north/tickets --data '{"subject":"x"}'
    wait_for is blocked 1
    ask reader GET /tenants/north/tickets
    same 'the reader' 200 "$code"
    same 'the writer runs' 1 "$(figure running)"
    unlock_database
    join
    answered writer 201
    stop
}

metrics_are_valid_and_agree_with_what_clients_saw() {
    start_held --workers 1 --queue 1
    later running GET /tenants/north/tickets
    wait_for is running 1
    later waiting GET /tenants/north/tickets --header 'X-Deadline-Ms: 1'
    wait_for is dropped 1
    later waiting GET /tenants/north/tickets
    wait_for is waiting 1
    refused 503 'the queue is full' GET /tenants/north/tickets
    same 'waiting' 1 "$(metric reqctx_pool_jobs_waiting)"
    same 'running' 1 "$(metric reqctx_pool_jobs_running)"
    [ "$(metric reqctx_pool_oldest_waiting_seconds)" != 0.000000000 ] ||
        fail 'the oldest has no age'
    release
    join
    wait_for is_idle
    ask metrics GET /metrics
    same 'metrics' 200 "$code"
    same 'type' 'text/plain; version=0.0.4; charset=utf-8' \
        "$(header metrics Content-Type)"
    awk -f "$here/metrics.awk" "$work/metrics.body" >"$work/said" ||
        fail "$(cat "$work/said")"
    same 'accepted' 3 "$(metric reqctx_pool_jobs_accepted_total)"
    same 'refused' 1 "$(metric reqctx_pool_jobs_refused_total)"
    same 'run' 2 "$(metric reqctx_pool_jobs_run_total)"
    same 'cut short' 1 \
        "$(metric 'reqctx_pool_jobs_dropped_total{reason="expired"}')"
    same 'times' 2 "$(metric reqctx_pool_run_seconds_count)"
    stop
}

# One ran for 300 ms and more, one was at once refused by its handler.
times_are_in_their_buckets() {
    start --workers 1 --work-us 300000
    ask long GET /tenants/north/tickets
    ask short POST /tenants/north/tickets --data '{}'
    same 'short' 400 "$code"
    wait_for is_idle
    [ "$(metric 'reqctx_pool_run_seconds_bucket{le="0.268435455"}')" -le 1 ] ||
        fail 'the long one is among the short ones'
    same 'in all' 2 "$(metric 'reqctx_pool_run_seconds_bucket{le="+Inf"}')"
    same 'waited' 2 "$(metric reqctx_pool_wait_seconds_count)"
    awk -v sum="$(metric reqctx_pool_run_seconds_sum)" \
        'BEGIN { exit !(sum >= 0.3) }' || fail 'the sum is too small'
    stop
}

# What the check of metrics is worth.
invalid_metrics_are_found() {
    local edit
    start
    curl --silent "$base/metrics" >"$work/good"
    awk -f "$here/metrics.awk" "$work/good" >"$work/said" ||
        fail "$(cat "$work/said")"
    for edit in '/^# TYPE .*_run_total/d' '/^# HELP .*_run_total/d' \
        '/le="+Inf"/d' 's/_jobs_run_total/_jobs_run/' '/wait_seconds_sum/d' \
        's/_count 0/_count 1/' 's/reason=/&"/' 's/_running 0/_running x/' \
        's/="0.000002047"/="0.000001"/' 's/expired"/cancelled"/' \
        's/\(le="0.000002047"} \)0/\11/'; do
        sed "$edit" "$work/good" >"$work/bad"
        ! cmp -s "$work/good" "$work/bad" || fail "$edit changes nothing"
        ! awk -f "$here/metrics.awk" "$work/bad" >"$work/said" ||
            fail "not found: $edit"
    done
    stop
}

# Ten run, ten wait, and neither will be done in time.
sigterm_hands_back_what_there_is_no_time_for() {
    local i
    start --workers 10 --work-us $minute --deadline-ms 0 --drain-ms 200
    for ((i = 1; i <= 20; i++)); do
        later "r$i" GET /tenants/north/tickets
    done
    wait_for is accepted 20
    stop
    join
    for ((i = 1; i <= 20; i++)); do
        answered "r$i" 503
        same 'body' '{"error":"the server stops"}' "$(body "r$i")"
        same Retry-After 1 "$(header "r$i" Retry-After)"
    done
    last_line 'accepted=20 run=10 dropped=10 refused=0 left_entered=0'
}
