#!/bin/sh
# Counts the instructions of one step of six small workloads and compares them with tests/costs/expected.txt,
# so that a slowdown is seen on a noisy machine too. Takes an optimized build tree; with "write" after it the
# file is written anew. The counts hold for the compiler that the file names; valgrind knows no AVX-512, so
# they hold for many processors.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
program=$1/bin/tests/costs
expected=$top/tests/costs/expected.txt
margin=5 # per cent
compiler=$("$program" compiler)
command -v valgrind >/dev/null 2>&1 || { echo "costs: no valgrind, nothing counted"; exit 0; }

count() { # NAME: instructions of its measured step
    OMP_NUM_THREADS=1 valgrind --tool=callgrind --callgrind-out-file=/dev/null --collect-atstart=no \
        --toggle-collect=measured_step "$program" "$1" 2>&1 | sed -n 's/.*Collected : //p'
}

names="seed_loop seed_loop_again attention elements scalars scalars_again"
if [ "${2-}" = write ]; then
    echo "# Instructions of one step; see tests/costs.sh." >"$expected"
    echo "compiler $compiler" >>"$expected"
    for name in $names; do echo "$name $(count "$name")" >>"$expected"; done
    exit 0
fi
[ "$(sed -n 's/^compiler //p' "$expected")" = "$compiler" ] ||
    { echo "costs: counted with another compiler than $compiler: nothing compared"; exit 0; }
passed=0 failed=0
for name in $names; do
    now=$(count "$name")
    was=$(sed -n "s/^$name //p" "$expected")
    if [ -n "$now" ] && [ -n "$was" ] && [ $((now * 100)) -le $((was * (100 + margin))) ] &&
        [ $((now * 100)) -ge $((was * (100 - margin))) ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "costs: $name takes ${now:-?} instructions, expected ${was:-?} within $margin %: if that is meant," \
            "sh tests/costs.sh BUILD write"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
