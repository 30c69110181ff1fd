#!/bin/sh
# Runs the short demos: takes the folder of the demos. What circuits and the lessons print must be
# tests/golden/NAME.txt, with the figures of the course notes in it, and a lesson draws its picture; the loop of the
# notes and the spiral must learn.
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

# lesson NAME: prints the golden file and writes a whole picture where it is told to
lesson() {
    "$demos/$1" --picture "$1-picture.svg" >out && diff -u "$tree/tests/golden/$1.txt" out &&
        grep -q '<path' "$1-picture.svg" && grep -q '</svg>' "$1-picture.svg" &&
        ! grep -Eiq '[" ](nan|-nan|inf|-inf)[" ]' "$1-picture.svg"
}

# falls SHARE OUTPUT: the last loss in it is less than SHARE of the first
falls() {
    awk -v share="$1" '{ for (i = 1; i < NF; i++) if ($i == "loss") loss[++n] = $(i + 1) }
        END { exit !(n > 1 && loss[1] > 0 && loss[n] < share * loss[1]) }' "$2"
}
loop() { "$demos/seed_loop" 11 >out && cat out && falls 0.5 out; }
spiral() { "$demos/spiral" spiral.svg >out && cat out && falls 0.2 out && grep -q '</svg>' spiral.svg; }
# refused COMMAND...: says why and exits with 1; a program that is missing or crashes has not refused
refused() {
    status=0
    "$@" 2>why || status=$?
    [ "$status" = 1 ] && [ -s why ]
}

check "circuits prints the golden file" same "$demos/circuits" "$tree/tests/golden/circuits.txt"
for name in gates hand_set approximator vanishing initializers zigzag saturation collapse; do
    check "$name prints the golden file and draws" lesson "$name"
done
check "a lesson refuses what it does not know" refused "$demos/gates" --speed 11
check "a lesson reports a picture that cannot be written" refused "$demos/gates" --picture no/such/folder.svg
check "seed_loop learns" loop
check "spiral learns and draws" spiral
check "fashion --help" "$demos/fashion" --help
check "fashion refuses what it does not know" refused "$demos/fashion" --speed 11
check "fashion refuses a file that is not there" refused "$demos/fashion" --evaluate no.safetensors

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
