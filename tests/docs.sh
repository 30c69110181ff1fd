#!/bin/sh
# Runs every example of the documentation and compares what it prints with what the text says; compares
# docs/operations.md with the operations, and the tables of docs/checker.md with the judged claims. Takes a build tree made with GT_BUILD_TESTS and GT_WITH_JANSSON.
set -eu
tree=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$1" && pwd)
made=$build/documentation
program=$build/bin/tests/docs
[ -x "$program" ] || { echo "documentation: no $program" >&2; exit 1; }

failures=0
fail() {
    echo "documentation: $*" >&2
    failures=$((failures + 1))
}

rm -rf "$made/run"
mkdir -p "$made/run"
cd "$made/run"
# The head comment of io/io.h reads the first 32 labels of this file.
{
    printf '\000\000\010\001\000\000\000\040'
    printf '12345678901234567890123456789012'
} >train-labels-idx1-ubyte.gz

programs=0 blocks=0
while read -r name count; do
    programs=$((programs + 1)) blocks=$((blocks + count))
    if ! "$program" "$name" >"$name.out" 2>"$name.err"; then
        fail "$name fails:"
        cat "$name.out" "$name.err" >&2
    elif [ -e "$made/$name.expected" ] && ! diff -u "$made/$name.expected" "$name.out" >"$name.diff"; then
        fail "$name does not print what the text says:"
        cat "$name.diff" >&2
    fi
done <"$made/list"

if ! "$program" operations >operations.md; then
    fail "the table of operations cannot be written"
elif ! diff -u "$tree/docs/operations.md" operations.md >operations.diff; then
    head -n 40 operations.diff >&2
    fail "docs/operations.md is not what the operations say: its head tells how to write it again"
fi

# docs/checker.md has a copy of how claims are judged.
"$build/bin/tests/selftest" claims >claims.md || fail "selftest claims fails"
grep '^|' claims.md >claims.table || fail "selftest claims prints no table"
while IFS= read -r row; do
    grep -qxF -e "$row" "$tree/docs/checker.md" || fail "docs/checker.md lacks the row $row"
done <claims.table

echo "documentation: $blocks blocks in $programs programs compiled and run"
echo "$((programs + 2 - failures)) passed, $failures failed"
[ "$failures" = 0 ] && [ "$blocks" -gt 0 ]
