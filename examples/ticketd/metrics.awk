# Whether a text is valid in Prometheus's text format, version 0.0.4:
#
#     awk -f metrics.awk METRICS
#
# Says what is not, and ends with 1; else prints how many families and samples
# there are. Each family has HELP, TYPE and then its samples, all in one place;
# names, labels and values are well formed; no sample is there twice; the
# buckets of a histogram go up, in le and in number, to +Inf, which is the
# count; counters end in _total. Times of samples are not looked for.

function wrong(what)
{
    print "line " NR ": " what ": " $0
    is_wrong = 1
}

function is_number(text)
{
    return text ~ /^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?$/ ||
        text ~ /^(\+Inf|-Inf|NaN)$/
}

# The end of a family: a histogram has all its parts.
function close_family()
{
    if (family != "" && !samples[family]) {
        wrong("no samples of " family)
    }
    if (type == "histogram" && !(has_infinity && has_sum && has_count)) {
        wrong("a part is missing of " family)
    }
}

function open_family(name)
{
    close_family()
    if (name in samples) {
        wrong("twice or in two places")
    }
    family = name
    samples[name] = 0
    families++
    type = ""
    has_infinity = has_sum = has_count = 0
    last_le = last_number = -1
}

function check_bucket(labels, value,    le)
{
    if (labels !~ /^le="[^"]*"$/) {
        wrong("no le")
        return
    }
    le = substr(labels, 5, length(labels) - 5)
    if (!is_number(le) || has_infinity ||
        (le != "+Inf" && le + 0 <= last_le + 0) || value + 0 < last_number) {
        wrong("goes down")
    }
    has_infinity = le == "+Inf"
    last_le = le
    last_number = value + 0
}

function check_sample(name, labels, value)
{
    if (type == "histogram" && name == family "_bucket") {
        check_bucket(labels, value)
    } else if (type == "histogram" && name == family "_sum") {
        has_sum = 1
    } else if (type == "histogram" && name == family "_count") {
        has_count = 1
        if (value + 0 != last_number) {
            wrong("is not that of +Inf")
        }
    } else if (type == "histogram" || name != family) {
        wrong("is not of " family)
    } else if (type == "counter" && (name !~ /_total$/ || value + 0 < 0)) {
        wrong("no counter")
    }
}

/^# HELP / {
    open_family($3)
    if (NF < 4) {
        wrong("no help")
    }
    next
}

/^# TYPE / {
    if ($3 != family || type != "" || NF != 4 ||
        $4 !~ /^(counter|gauge|histogram)$/) {
        wrong("no type of " family)
    }
    type = $4
    next
}

/^#/ || /^$/ {
    next
}

{
    name = $0
    sub(/[{ ].*/, "", name)
    rest = substr($0, length(name) + 1)
    labels = ""
    if (substr(rest, 1, 1) == "{") {
        labels = rest
        labels = substr(labels, 2)
        sub(/[}][^}]*$/, "", labels)
        rest = substr(rest, length(labels) + 3)
        if (labels !~ \
            /^[a-zA-Z_][a-zA-Z0-9_]*="[^"\\]*"(,[a-zA-Z_][a-zA-Z0-9_]*="[^"\\]*")*$/) {
            wrong("labels")
        }
    }
    value = substr(rest, 2)
    if (name !~ /^[a-zA-Z_:][a-zA-Z0-9_:]*$/ || rest !~ /^ / ||
        !is_number(value)) {
        wrong("no sample")
    }
    if ((name, labels) in seen) {
        wrong("is there twice")
    }
    seen[name, labels] = 1
    if (type == "") {
        wrong("no type before it")
    }
    check_sample(name, labels, value)
    samples[family]++
    count++
}

END {
    close_family()
    if (count == 0) {
        wrong("nothing")
    }
    if (!is_wrong) {
        print families " families, " count " samples"
    }
    exit is_wrong
}
