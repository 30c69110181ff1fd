#!/bin/sh
# Runs the short demos: takes the folder of the demos. What circuits prints must be tests/golden/circuits.txt,
# with the figures of the course notes in it; the loop of the notes and the spiral must learn.
set -eu
tree=$(cd "$(dirname "$0")/.." && pwd)
demos=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

passed=0 failed=0
check() { # NAME COMMAND...: does the command succeed?
    name=$1
    shift
    if "$@" >log 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "demos: $name"
        cat log
    fi
}

same() { "$1" >out && diff -u "$2" out; }

# falls SHARE OUTPUT: the last loss in it is less than SHARE of the first
falls() {
    awk -v share="$1" '{ for (i = 1; i < NF; i++) if ($i == "loss") loss[++n] = $(i + 1) }
        END { exit !(n > 1 && loss[1] > 0 && loss[n] < share * loss[1]) }' "$2"
}
loop() { "$demos/seed_loop" 11 >out && cat out && falls 0.5 out; }
spiral() { "$demos/spiral" spiral.svg >out && cat out && falls 0.2 out && grep -q '</svg>' spiral.svg; }
refused() { ! "$demos/fashion" "$@"; }

check "circuits prints the golden file" same "$demos/circuits" "$tree/tests/golden/circuits.txt"
check "seed_loop learns" loop
check "spiral learns and draws" spiral
check "fashion --help" "$demos/fashion" --help
check "fashion refuses what it does not know" refused --speed 11
check "fashion refuses a file that is not there" refused --evaluate no.safetensors

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
