# shellcheck shell=bash
# The words in which check is written: a server, its clients, what they see.
# For check alone, which sets ticketd, work and server_pid.

user=u1    # who asks; may be empty
clients=() # under way in the background
base=      # the server's URL
code=      # the last answer's status

fail() {
    echo "not ok: $*"
    [ ! -e "$work/log" ] || tail -n 20 "$work/log"
    cat "$work/stderr" 2>/dev/null || true
    exit 1
}

same() { # what, expected, seen
    [ "$2" = "$3" ] || fail "$1: expected '$2', seen '$3'"
}

start() {
    : >"$work/stdout"
    "$ticketd" --port 0 --db "$work/db" --log "$work/log" \
        --tenants north,east "$@" >"$work/stdout" 2>"$work/stderr" &
    server_pid=$!
    wait_for grep -q '^listening on' "$work/stdout"
    base=http://$(sed -n 's/^listening on //p' "$work/stdout")
}

# The same, but each request's work lasts until it is released.
start_held() {
    rm -f "$work/gate"
    mkfifo "$work/gate"
    start --work-us 60000000 --work-until "$work/gate" --deadline-ms 0 "$@"
}

release() {
    echo >"$work/gate"
}

wait_for() {
    local i
    for ((i = 0; i < 1000; i++)); do
        if "$@"; then
            return
        fi
        sleep 0.02
    done
    fail "never came true: $*"
}

signal() {
    kill "-$1" "$server_pid"
}

# Waits for the end, which must be one without a fault.
ended() {
    local status=0
    wait "$server_pid" || status=$?
    server_pid=
    same 'exit status' 0 "$status"
    grep -q '^stopped: ' "$work/stdout" || fail 'no last line'
    same 'standard error' '' "$(cat "$work/stderr")"
}

stop() {
    signal TERM
    ended
}

# ask NAME METHOD PATH [OPTION ...]: as $user, who may be empty. Makes
# NAME.headers and NAME.body, and sets code.
ask() {
    local name=$1 method=$2 path=$3
    shift 3
    code=$(curl --silent --max-time 60 --request "$method" \
        --header "X-User:${user:+ $user}" --dump-header "$work/$name.headers" \
        --output "$work/$name.body" --write-out '%{http_code}' "$@" \
        "$base$path") || true
}

# later NAME ...: the same in the background; its code goes to NAME.code.
later() {
    (ask "$@" && echo "$code" >"$work/$1.code") &
    clients+=($!)
}

# Waits for all that later sent.
join() {
    wait "${clients[@]}"
    clients=()
}

answered() { # NAME STATUS
    same "status of $1" "$2" "$(cat "$work/$1.code")"
}

header() { # NAME HEADER
    sed -n "s/^$2: \(.*\)\r$/\1/Ip" "$work/$1.headers"
}

body() {
    cat "$work/$1.body"
}

open_ticket() { # TENANT SUBJECT
    ask opened POST "/tenants/$1/tickets" --data "{\"subject\":\"$2\"}"
    same 'open a ticket' 201 "$code"
}

figure() {
    curl --silent --max-time 60 "$base/stats" |
        sed "s/.*\"$1\":\([0-9]*\).*/\1/"
}

is() { # FIGURE NUMBER
    [ "$(figure "$1")" = "$2" ]
}

query() {
    sqlite3 -cmd '.timeout 5000' "$work/db" "$1"
}

# Takes the database's write lock, and gives it back.
lock_database() {
    coproc sqlite3 "$work/db"
    locker_pid=$!
    echo "BEGIN IMMEDIATE; SELECT 'locked';" >&"${COPROC[1]}"
    read -r _ <&"${COPROC[0]}"
}

unlock_database() {
    echo 'ROLLBACK;' >&"${COPROC[1]}"
    eval "exec ${COPROC[1]}>&-"
    wait "$locker_pid"
}
