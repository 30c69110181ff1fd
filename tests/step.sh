#!/bin/sh
# Tests `gradtape step`: takes the program. The journal of every lesson must be tests/golden/lesson_NAME.txt, what a
# walk answers to the commands of tests/golden/walk_NAME.in must be walk_NAME.txt; exports and refusals; and, where
# tmux is, a walk in a terminal.
set -eu
golden=$(cd "$(dirname "$0")/golden" && pwd)
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
work=$(mktemp -d)
socket=gradtape-step-$$ session=0
trap 'rm -rf "$work"; tmux -L "$socket" kill-server 2>/dev/null || true' EXIT
export LC_ALL=C
cd "$golden"

passed=0 failed=0
check() { # NAME COMMAND...: does the command succeed?
    name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "step: $name"
        cat "$work/log"
    fi
}

lesson() { "$program" step --lesson "$1" --text >"$work/out" && diff -u "lesson_$1.txt" "$work/out"; }
walk() { # NAME ARGUMENT...: the commands of walk_NAME.in
    walked=$1
    shift
    "$program" step "$@" <"walk_$walked.in" >"$work/out" && diff -u "walk_$walked.txt" "$work/out"
}
listed() { [ "$("$program" lessons | wc -l)" = "$(ls lesson_*.txt | wc -l)" ]; }
softmax() { # its gradient goes through every gate
    "$program" step 'f = sum(softmax(x) .* y)' 'x=[1,2,3]' 'y=[1,0,0]' --text >"$work/out" &&
        grep -qF 'sum#8: df/d(exp#7)' "$work/out" && grep -qF 'exp#7: df/d(sub#6)' "$work/out"
}
refused() { # MESSAGE COMMAND...: exits with 3 and says so
    message=$1 status=0
    shift
    "$@" >"$work/out" 2>&1 </dev/null || status=$?
    cat "$work/out"
    [ "$status" = 3 ] && grep -qF -e "$message" "$work/out"
}
long_line() {
    { head -c 5000 /dev/zero | tr '\0' x; printf '\nn\n'; } |
        "$program" step 'f = x*x' x=3 >"$work/out" && grep -qF '[2/5] f = x*x = 9' "$work/out"
}
page() { "$program" step --lesson circuit-1 --html "$work/page.html" && grep -q '</html>' "$work/page.html"; }
picture() { "$program" step --lesson circuit-1 --svg >"$work/out" && grep -q '</svg>' "$work/out"; }
json_reads() { "$program" step --lesson hand-set --json | python3 -m json.tool >/dev/null; }
dot_draws() { "$program" step --lesson circuit-2 --dot | dot -Tsvg >/dev/null; }

check "a softmax, gate by gate" softmax
check "every lesson is tested" listed
for name in $("$program" lessons | cut -d ' ' -f 1); do
    check "lesson $name" lesson "$name"
done
check "a walk moves" walk moves 'q = x + y' 'f = q*z' x=-2 y=5 z=-4
check "a walk answers" walk answers 'q = x + y; f = q*z; x = -2; y = 5; z = -4'
check "a walk opens composites" walk composite --lesson circuit-2-sigmoid
check "a walk shows tensors" walk tensors 'h = tanh(W*p); f = sum(h)' 'W=[1 2;3 4]' 'p=[0.1 0.2]'
check "a walk finds what is not finite" walk nan 'q = x - 1; f = log(q)*q' x=0.5
LC_ALL=C.UTF-8
check "a walk draws forks" walk forks --lesson topological-order
LC_ALL=C
check "a line that is too long is cut" long_line
check "a page is written" page
check "a picture is written" picture
if command -v python3 >/dev/null; then check "JSON is JSON" json_reads; fi
if command -v dot >/dev/null; then check "Graphviz draws it" dot_draws; fi
check "no formula" refused "no definition" "$program" step x=3
check "a wrong formula shows its place" refused "^" "$program" step 'f = (x+y*z' x=1 y=2 z=3
check "a name without a value" refused "y" "$program" step 'f = x*y' x=1
check "a vector is no output" refused "elements" "$program" step 'f = 2*x' 'x=[1 2 3]'
check "an unknown option" refused "--speed" "$program" step 'f = x' --speed
check "an unknown lesson" refused "no lesson" "$program" step --lesson none
check "a page that cannot be written" refused "written" "$program" step 'f = x*x' x=1 --html no/such/folder.html

# ---- the sessions of docs/stepper.md: a ```console block is one walk -----------------------------------------
awk -v work="$work" '
    /^```console$/ { n++; inside = 1; next }
    /^```$/ { inside = 0 }
    !inside { next }
    /^[$] gradtape / { print substr($0, 12) > (work "/session" n ".arguments"); next }
    /^[(]step[)] / { print substr($0, 8) > (work "/session" n ".in"); next }
    { print > (work "/session" n ".txt") }' "$golden/../../docs/stepper.md"
session_holds() {
    eval "set -- \"\$1\" $(cat "$1.arguments")"
    shown=$1
    shift
    "$program" "$@" <"$shown.in" >"$work/out" && diff -u "$shown.txt" "$work/out"
}
for arguments in "$work"/session*.arguments; do
    check "docs/stepper.md: $(cat "$arguments")" session_holds "${arguments%.arguments}"
done

# ---- in a terminal ------------------------------------------------------------------------------------------
screen() { tmux -L "$socket" capture-pane -p ${1-} -t "$session"; }
sees() { # TEXT [OPTION]: within ten seconds
    for try in $(seq 100); do
        if screen "${2-}" | grep -qF -e "$1"; then return 0; fi
        sleep 0.1
    done
    echo "the terminal does not show: $1"
    screen
    return 1
}
terminal() { # VARIABLE=VALUE: a new terminal, on a server of its own, which ends with this script
    session=s$((${session#s} + 1))
    tmux -L "$socket" -f /dev/null new-session -d -s "$session" -x 100 -y 30 \
        "env $* LC_ALL=C.UTF-8 '$program' step --lesson circuit-1; echo left with \$?; sleep 20" &&
        sees "(step)"
}
type_in() { tmux -L "$socket" send-keys -t "$session" "$@"; }
in_terminal() {
    green=$(printf '\033[32m')
    terminal NO_COLOR= && sees "${green}-2" -e &&
        type_in n Enter && sees "[ 2/10] y = 5" &&
        type_in Enter && sees "[ 3/10] z = -4" &&
        type_in 'tree' Enter && sees "─┐" &&
        type_in 'nudge x .01' Enter && sees "actual -0.04" &&
        type_in q Enter && sees "left with 0"
}
in_dull_terminal() {
    terminal NO_COLOR=1 && sees "x = -2" && ! screen -e | grep -qF "$(printf '\033[32m')" &&
        type_in C-d && sees "left with 0"
}
edited() { # a line is taken back from the history, and edited
    terminal NO_COLOR=1 && type_in 'g 7' Enter && sees "df/dq" &&
        type_in Up BSpace 4 Enter && sees "q = x + y = 3" && type_in q Enter && sees "left with 0"
}
if command -v tmux >/dev/null; then
    check "a terminal" in_terminal
    check "a terminal without colours" in_dull_terminal
    # Editing is there where the program was built with libedit.
    if ldd "$program" 2>/dev/null | grep -q libedit; then check "a line is edited" edited; fi
else
    echo "step: no tmux, so no walk in a terminal"
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
