# Compares what was asked with what was answered and logged:
#
#     awk -F'|' -f audit.awk ASKED ANSWERS LOG BODY ...
#
# ASKED is load.awk's, ANSWERS what curl wrote out, LOG the server's. Prints
# figures, one "name value" a line. What is wrong is always a count of answers
# or lines, however much is wrong in one of them.

# "request_id" -> its value in a line of logfmt; values asked for here have no
# blanks. Empty if it is not there.
function field(key,    at)
{
    at = index($0, " " key "=")
    return at == 0 ? "" : word(substr($0, at + length(key) + 2))
}

function word(text,    end)
{
    end = index(text, " ")
    return end == 0 ? text : substr(text, 1, end - 1)
}

function none(text)
{
    return text == "" ? "-" : text
}

function is_ticket(id, seen)
{
    if (ticket[id] != "new") {
        return seen == none(ticket[id])
    }
    return seen == "-" || seen == made[id]
}

FILENAME == ARGV[1] {
    asked++
    tenant[$1] = $2
    user[$1] = $3
    ticket[$1] = $4
    path[$1] = $5
    sub(/\?.*/, "", path[$1])
    status[$1] = $6
    text[$1] = $7
    next
}

# A ticket just opened gets a number that the client hears from this header.
FILENAME == ARGV[2] {
    answered += $2 != "000"
    wrong_statuses += $2 != status[$1]
    if (ticket[$1] == "new" && $6 ~ /^[0-9]+$/ && !(($4, $6) in owner)) {
        owner[$4, $6] = $1
        made[$1] = $6
    }
    wrong_answers += !($3 == $1 && $4 == tenant[$1] && $5 == user[$1] &&
        (ticket[$1] == "new" ? $1 in made : $6 == ticket[$1]))
    next
}

# The lines of requests that are not in ASKED were there before the load.
FILENAME == ARGV[3] {
    id = field("request_id")
    if (id !~ /^r[0-9]+$/) {
        next
    }
    lines++
    at = field("path")
    wrong_lines += !(id in tenant && field("tenant") == none(tenant[id]) &&
        field("user") == none(user[id]) && is_ticket(id, field("ticket")) &&
        (at == "" || at == path[id]))
    if ($0 ~ / msg=answered /) {
        closing[id]++
    }
    rolled_back += $0 ~ / msg="rolled back" /
    next
}

{
    id = FILENAME
    sub(/.*\//, "", id)
    bodies++
    wrong_bodies += index($0, text[id]) == 0
}

END {
    for (id in tenant) {
        lost_lines += closing[id] != 1
    }
    print "asked", asked + 0
    print "answered", answered + 0
    print "wrong_statuses", wrong_statuses + 0
    print "wrong_answers", wrong_answers + 0
    print "wrong_bodies", wrong_bodies + asked - bodies
    print "lines", lines + 0
    print "wrong_lines", wrong_lines + 0
    print "lost_lines", lost_lines + 0
    print "rolled_back", rolled_back + 0
}
