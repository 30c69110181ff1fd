# bench/summary.awk: the table of what run.sh wrote: medians over the rounds, and the ratio PyTorch / gradtape taken
# within each round. Lines: round workload program threads metric value name=value...

function note(kind, value) { many[kind]++; list[kind, many[kind]] = value + 0 }

# The median of a list, which is sorted on the way; "" when it is empty.
function median(kind,    n, i, j, held) {
    n = many[kind]
    for (i = 2; i <= n; i++) {
        held = list[kind, i]
        for (j = i - 1; j >= 1 && list[kind, j] > held; j--) list[kind, j + 1] = list[kind, j]
        list[kind, j + 1] = held
    }
    if (!n) return ""
    return n % 2 ? list[kind, (n + 1) / 2] : (list[kind, n / 2] + list[kind, n / 2 + 1]) / 2
}

function number(value, digits) { return value == "" ? "-" : sprintf("%." digits "f", value) }

function time(kind,    m) {
    m = median(kind)
    return number(m, m < 1000 ? 1 : 0)
}

# "1.20 (1.10-1.30)", with a mark when the peer is faster.
function ratio(kind,    m) {
    m = median(kind)
    if (m == "") return "-"
    if (m < 1) slower++
    return sprintf("%.2f (%.2f-%.2f)%s", m, list[kind, 1], list[kind, many[kind]], m < 1 ? " <" : "")
}

# Of the least times that either program ever took: what is left of the ratio on a quiet machine.
function least_ratio(key) {
    if (!(("pytorch", key) in least)) return "-"
    return sprintf("%.2f", least["pytorch", key] / least["gradtape", key])
}

{
    key = $2 " " $4
    if (!(key in seen)) {
        seen[key] = 1
        order[++rows] = key
    }
    note($5 " " $3 " " key, $6)
    if ($5 != "us_per_step") next
    took[$1, $3, key] = $6
    if ($1 > rounds) rounds = $1
    for (i = 7; i <= NF; i++) {
        if (split($i, part, "=") != 2) continue
        if (part[1] == "warm_loss") loss[$3, key] = part[2] + 0
        if (part[1] == "min" && (!(($3, key) in least) || part[2] + 0 < least[$3, key])) least[$3, key] = part[2] + 0
    }
}

END {
    for (r = 1; r <= rounds; r++) {
        for (i = 1; i <= rows; i++) {
            key = order[i]
            if (!((r, "pytorch", key) in took)) continue
            note("recorded " key, took[r, "pytorch", key] / took[r, "gradtape", key])
            note("replayed " key, took[r, "pytorch", key] / took[r, "gradtape-replay", key])
        }
    }
    form = "%-8s %7s %10s %10s %10s   %-20s %-20s %6s %5s %5s\n"
    printf form, "", "", "gradtape", "replay", "PyTorch", "PyTorch / gradtape", "PyTorch / replay", "ratio", "MB", "MB"
    printf form, "workload", "threads", "us a step", "us a step", "us a step", "median (least-most)", \
        "median (least-most)", "of min", "ours", "its"
    for (i = 1; i <= rows; i++) {
        key = order[i]
        split(key, name, " ")
        printf form, name[1], name[2], time("us_per_step gradtape " key), \
            time("us_per_step gradtape-replay " key), time("us_per_step pytorch " key), \
            ratio("recorded " key), ratio("replayed " key), least_ratio(key), \
            number(median("peak_rss_MB gradtape " key), 0), number(median("peak_rss_MB pytorch " key), 0)
    }
    if (slower) print "< : PyTorch is faster"
    for (i = 1; i <= rows; i++) {
        key = order[i]
        if (!many["million_ops_per_s gradtape " key]) continue
        split(key, name, " ")
        printf "%s, threads %s, million operations a second: gradtape %.3g, replay %.3g, PyTorch %s\n", name[1], \
            name[2], median("million_ops_per_s gradtape " key), \
            median("million_ops_per_s gradtape-replay " key), \
            number(median("million_ops_per_s pytorch " key), 3)
    }
    for (i = 1; i <= rows; i++) {
        key = order[i]
        if (!(("pytorch", key) in loss)) continue
        apart = loss["pytorch", key] - loss["gradtape", key]
        if (apart < 0) apart = -apart
        if (apart <= 1e-3 * loss["pytorch", key]) continue
        printf "%s: after three steps the losses differ, %.8g and %.8g: not the same work\n", key, \
            loss["gradtape", key], loss["pytorch", key]
        bad = 1
    }
    exit bad
}
