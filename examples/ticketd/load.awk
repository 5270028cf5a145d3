# The load of the demonstration, made from the same numbers every time:
#
#     awk -v base=URL -v count=N -v tickets=N -v asked=FILE -v bodies=DIR
#         -f load.awk < /dev/null > CURL-CONFIG
#
# For each request a block of curl's configuration, and a line in FILE that
# says what is asked, and what the answer must be:
#
#     request id|tenant|user|ticket|path|status|text that the body must have
#
# Where the server cannot know a part, because it refuses before, the part is
# empty; the ticket of a request that opens one is "new". The answers' bodies
# go to DIR. Each tenant has open tickets 1 to N and a closed one, N + 1.

function random(limit)
{
    state = (state * 16807) % 2147483647
    return state % limit
}

# One block. user: as sent, empty: no such header. seen: tenant|user|ticket as
# the server must see them.
function ask(method, path, user, data, seen, status, text,    id, quoted)
{
    id = "r" ++number
    if (number > 1) {
        print "next"
    }
    print "url = \"" base path "\""
    print "header = \"X-Request-Id: " id "\""
    if (user != "") {
        print "header = \"X-User: " user "\""
    }
    if (method == "POST") {
        quoted = data
        gsub(/"/, "\\\"", quoted)
        print "data = \"" quoted "\""
    } else if (method != "GET") {
        print "request = \"" method "\""
    }
    print "output = \"" bodies "/" id "\""
    print "write-out = \"" id "|%{http_code}|%header{x-request-id}|" \
        "%header{x-tenant}|%header{x-user}|%header{x-ticket}\\n\""
    print "max-time = 60"
    print id "|" seen "|" path "|" status "|" text > asked
}

function read_ticket(id)
{
    ask("GET", home "/" id, user, "", who "|" id, 200,
        "\"subject\":\"" tenant " ticket " id " seed\"")
}

function list()
{
    ask("GET", home "?limit=5", user, "", who "|", 200,
        "\"tenant\":\"" tenant "\"")
}

function create(    subject)
{
    subject = "\"subject\":\"" tenant " request " (number + 1) " " user "\""
    ask("POST", home, user, "{" subject "}", who "|new", 201, subject)
}

function comment(id, status, text)
{
    ask("POST", home "/" id "/comments", user,
        "{\"text\":\"" tenant " " id " " user "\"}", who "|" id, status, text)
}

function refused(which)
{
    if (which == 0) {
        ask("GET", "/tenants/nowhere/tickets", user, "", "||", 404, "tenant")
    } else if (which == 1) {
        ask("GET", home "/999999999", user, "", who "|999999999", 404,
            "no such ticket")
    } else if (which == 2) {
        ask("GET", home "/1", "", "", tenant "||1", 400, "X-User is missing")
    } else if (which == 3) {
        ask("POST", home, user, "{\"subject\":", who "|", 400, "error")
    } else {
        ask("DELETE", home "/1", user, "", "||", 405, "not a method")
    }
}

BEGIN {
    state = 20260131
    split("north east south west", tenants, " ")
    while (number < count) {
        tenant = tenants[1 + random(4)]
        user = "u" (1 + random(9))
        who = tenant "|" user
        home = "/tenants/" tenant "/tickets"
        kind = random(20)
        if (kind < 12) {
            read_ticket(1 + random(tickets))
        } else if (kind < 13) {
            list()
        } else if (kind < 16) {
            create()
        } else if (kind < 18) {
            comment(1 + random(tickets), 201, "\"tenant\":\"" tenant "\"")
        } else if (kind < 19) {
            comment(tickets + 1, 409, "closed")
        } else {
            refused(random(5))
        }
    }
}
