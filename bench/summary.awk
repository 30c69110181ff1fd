# bench/summary.awk: the table of what run.sh wrote, and the same as a page (-v page=FILE): medians over the rounds, the
# ratio PyTorch / gradtape taken within each round, and the share of the machine's limit that gradtape reaches.
# Lines: round workload program threads metric value name=value..., and 0 limit name threads value.

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

# The least time in us that the products or the memory traffic of a step take on this machine; "" when not known.
function limit(key, threads,    f32, f64, memory) {
    f32 = median("flop_f32 gradtape " key) / (1e3 * top["GF/s_f32", threads] + 1e-30)
    f64 = median("flop_f64 gradtape " key) / (1e3 * top["GF/s_f64", threads] + 1e-30)
    memory = median("bytes gradtape " key) / (1e3 * top["GB/s_memory", threads] + 1e-30)
    return f32 > 0 ? f32 : f64 > 0 ? f64 : memory > 0 ? memory : ""
}

function share(key, threads,    least_us, took_us) {
    least_us = limit(key, threads)
    took_us = median("us_per_step gradtape " key)
    return least_us == "" ? "-" : sprintf("%.0f%%", 100 * least_us / took_us)
}

$2 == "limit" { top[$3, $4] = $5; next }

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

function take_ratios(    r, i, key) {
    for (r = 1; r <= rounds; r++) {
        for (i = 1; i <= rows; i++) {
            key = order[i]
            if (!((r, "pytorch", key) in took)) continue
            note("recorded " key, took[r, "pytorch", key] / took[r, "gradtape", key])
            note("replayed " key, took[r, "pytorch", key] / took[r, "gradtape-replay", key])
        }
    }
}

function print_table(    form, i, key, name) {
    form = "%-8s %7s %10s %10s %10s %10s   %-20s %-20s %6s %6s %5s %5s\n"
    printf form, "", "", "gradtape", "replay", "emitted C", "PyTorch", "PyTorch / gradtape", "PyTorch / replay", "ratio", "of the", "MB", "MB"
    printf form, "workload", "threads", "us a step", "us a step", "us a step", "us a step", "median (least-most)", \
        "median (least-most)", "of min", "limit", "ours", "its"
    for (i = 1; i <= rows; i++) {
        key = order[i]
        split(key, name, " ")
        printf form, name[1], name[2], time("us_per_step gradtape " key), \
            time("us_per_step gradtape-replay " key), time("us_per_step gradtape-emitted " key), \
            time("us_per_step pytorch " key), \
            ratio("recorded " key), ratio("replayed " key), least_ratio(key), share(key, name[2]), \
            number(median("peak_rss_MB gradtape " key), 0), number(median("peak_rss_MB pytorch " key), 0)
    }
    if (slower) print "< : PyTorch is faster"
}

function rate(program, key) { return number(median("million_ops_per_s " program " " key), 3) }

function print_rates(    i, key, name) {
    for (i = 1; i <= rows; i++) {
        key = order[i]
        if (!many["million_ops_per_s gradtape " key]) continue
        split(key, name, " ")
        printf "%s, threads %s, million operations a second: gradtape %s, replay %s, PyTorch %s", name[1], name[2], \
            rate("gradtape", key), rate("gradtape-replay", key), rate("pytorch", key)
        if (many["million_ops_per_s adolc " key])
            printf ", ADOL-C %s, its replay %s", rate("adolc", key), rate("adolc-replay", key)
        print ""
    }
}

# Same work? Then the losses after three steps agree; PyTorch rounds more than operands to bf16.
function differ(peer, key,    apart, size) {
    if (!((peer, key) in loss)) return 0
    apart = loss[peer, key] - loss["gradtape", key]
    size = loss[peer, key]
    if (apart < 0) apart = -apart
    if (size < 0) size = -size
    if (apart <= (key ~ /bf16/ ? 2e-2 : 1e-3) * size) return 0
    printf "%s: after three steps the losses differ, gradtape %.8g and %s %.8g: not the same work\n", key, \
        loss["gradtape", key], peer, loss[peer, key]
    return 1
}

function print_differences(    i, key, bad) {
    for (i = 1; i <= rows; i++) {
        key = order[i]
        if (differ("pytorch", key) + differ("adolc", key)) bad = 1
    }
    return bad
}

# A bar for each program; the longest of a workload fills its cell.
function bar(label, us, longest, colour) {
    if (us == "") return
    printf "<div class=\"bar\"><span>%s</span><b style=\"width:%.1f%%;background:%s\"></b><i>%s us</i></div>\n", \
        label, 60 * us / longest, colour, number(us, us < 1000 ? 1 : 0) >page
}

function print_page(    i, key, name, ours, again, written, its, most) {
    print "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>gradtape: workloads</title><style>" \
        "body{font:15px system-ui;max-width:60em;margin:2em auto;padding:0 1em;background:#fff;color:#222}" \
        "h2{font-size:1em;margin:1.4em 0 .3em}.bar{display:flex;align-items:center;gap:.5em;margin:2px 0}" \
        ".bar span{width:9em;text-align:right}.bar b{height:1em;border-radius:2px}.bar i{font-style:normal}" \
        "@media(prefers-color-scheme:dark){body{background:#181a1b;color:#ddd}}</style>" \
        "<h1>Microseconds a step, medians: shorter is better</h1>" >page
    for (i = 1; i <= rows; i++) {
        key = order[i]
        split(key, name, " ")
        ours = median("us_per_step gradtape " key); again = median("us_per_step gradtape-replay " key)
        its = median("us_per_step pytorch " key); written = median("us_per_step gradtape-emitted " key)
        most = ours > again ? ours : again
        if (written > most) most = written
        if (its > most) most = its
        printf "<h2>%s, %s thread%s: PyTorch / gradtape %s</h2>\n", name[1], name[2], name[2] == 1 ? "" : "s", \
            its == "" ? "-" : number(median("recorded " key), 2) >page
        bar("gradtape", ours, most, "#2a78c8")
        bar("gradtape, replay", again, most, "#6aa9e0")
        bar("emitted C", written, most, "#3a9a6a")
        bar("PyTorch", its, most, "#d8722c")
        bar("machine's limit", limit(key, name[2]), most, "#888")
    }
    print "</html>" >page
}

END {
    take_ratios()
    print_table()
    print_rates()
    if (page != "") print_page()
    exit print_differences()
}
