#!/bin/sh
# The command `gradtape check` as people use it: exit statuses, files, the standard input, JSON and HTML.
# usage: check_command.sh GRADTAPE
set -u
command=$1
passed=0 failed=0
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

# expect STATUS PATTERN ARGUMENT...: the exit status, and a fixed string in the output
expect() {
    status=$1 pattern=$2
    shift 2
    "$command" check "$@" >"$folder/out" 2>&1
    got=$?
    if [ "$got" = "$status" ] && grep -qF -e "$pattern" "$folder/out"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "check $*: status $got, wanted $status and \"$pattern\" in:"
        cat "$folder/out"
    fi
}

circuit='f = (x+y)*z'
at='x=-2,y=5,z=-4'
expect 0 'df/dx = z: right' "$circuit" --at $at 'df/dx = z' 'df/dy = z' 'df/dz = x+y'
expect 1 'the sign of -z is wrong' "$circuit" --at $at 'df/dx = -z'
expect 1 'at x = -2, y = 5, z = -4: yours 4, true -4' "$circuit" --at $at 'df/dx = -z'
expect 0 'right only here' "$circuit" --at $at 'df/dz = 3'
expect 1 'right only here' "$circuit" --at $at 'df/dz = y - 2'
expect 0 'right up to your choice at the kink' 'f = relu(x)' --at x=0 'df/dx = 1'
expect 2 'cannot tell' 'f = log(-x^2)' 'df/dx = 2/x'
expect 3 'N has no value' "$circuit" 'df/dx = N*z'
expect 3 '           ^' "$circuit" 'df/dx = z +* 2'
expect 3 'nothing is claimed' "$circuit"
expect 3 'no such option' "$circuit" --wat
expect 3 'no formula'
expect 1 '"mistake":"' --json "$circuit" 'df/dx = -z'
expect 1 '<mark>' --html 'f = x^2*y' 'df/dx = x*y'
printf 'q = x + y; f = q*z\ndq = -z # wrong\ndx = 1*dq\n' >"$folder/steps.txt"
expect 1 'right, but for your earlier error' "$folder/steps.txt" --at $at
printf 'f = W*x; W = [1 2; 3 4]; x = [1 1]\nL = sum(f)\ndL/dW = ones(2)*x'"'"'\n' >"$folder/matrix.txt"
expect 0 "dL/dW = ones(2)*x': right" - <"$folder/matrix.txt"
expect 0 'df/dX = ' 'f = sum(X.^2)' --at 'X=[1,2;3,4]' 'df/dX = 2X'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
