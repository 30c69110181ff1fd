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

# The sigmoid's four gates are in the second picture, the same as one in the third.
circuits() {
    same "$demos/circuits" "$tree/tests/golden/circuits.txt" &&
        for number in 1 2 3 4; do grep -q '</svg>' "circuits-$number.svg" || return 1; done &&
        grep -q '>0.393224<' circuits-2.svg && grep -q '>0.393224<' circuits-3.svg
}

# lesson NAME: prints the golden file and writes a whole picture where it is told to
lesson() {
    "$demos/$1" --picture "$1-picture.svg" >out && diff -u "$tree/tests/golden/$1.txt" out &&
        grep -Eq '<path|<rect class="f' "$1-picture.svg" && grep -q '</svg>' "$1-picture.svg" &&
        ! grep -Eiq '[" ](nan|-nan|inf|-inf)[" ]' "$1-picture.svg"
}

# falls SHARE OUTPUT: the last loss in it is less than SHARE of the first
falls() {
    awk -v share="$1" '{ for (i = 1; i < NF; i++) if ($i == "loss") loss[++n] = $(i + 1) }
        END { exit !(n > 1 && loss[1] > 0 && loss[n] < share * loss[1]) }' "$2"
}
loop() { "$demos/seed_loop" 11 loop.svg >out && cat out && falls 0.5 out && grep -q '</svg>' loop.svg; }
tiny() { "$demos/tiny" >out && cat out && falls 0.1 out; }
spiral() { "$demos/spiral" spiral.svg >out && cat out && falls 0.2 out && grep -q '</svg>' spiral.svg; }
# A training of FIRST steps, and on to LAST from its file, must write the file of LAST steps at once.
# trains NAME FIRST LAST [OPTION VALUE]...
trains() {
    demo=$1 first=$2 last=$3
    shift 3
    "$demos/$demo" "$@" --steps "$last" --save whole.safetensors --picture "$demo.svg" >out && cat out &&
        grep -q '</svg>' "$demo.svg" && ! grep -Eiq '[" ](nan|-nan|inf|-inf)[" ]' "$demo.svg" &&
        "$demos/$demo" "$@" --steps "$first" --save part.safetensors >part || return 1
    if ! "$demos/$demo" "$@" --steps "$last" --resume part.safetensors --save resumed.safetensors >part 2>why; then
        cat why
        grep -q 'this build has no jansson' why # nothing is read back then
        return
    fi
    cmp whole.safetensors resumed.safetensors && ! cmp -s whole.safetensors part.safetensors
}
physics() { trains physics 10 31 && falls 0.1 out; }
# nearer: the samples are, on average, closer to the modes than before the training
nearer() {
    awk '/nearest mode/ { away[++n] = $6 } END { exit !(n == 2 && away[1] > 0 && away[2] < 0.9 * away[1]) }' "$1"
}
gan() { trains gan 5 20 && nearer out; }
# better: the validation text takes fewer bits after the training than before it
better() {
    awk '$1 == "validation" && ($2 == "before" || $2 == "after") { bits[++n] = $3 }
        END { exit !(n == 2 && bits[2] > 0 && bits[2] < bits[1]) }' "$1"
}
writes() { trains "$1" 2 4 && better out; }
# idx FILE COUNT: images of 28 x 28, of whatever bytes a demo has; its labels beside it, 0 to 9 in turn
idx() {
    high=$(printf '%03o' $(($2 / 256))) low=$(printf '%03o' $(($2 % 256)))
    { printf "\\0\\0\\010\\003\\0\\0\\$high\\$low\\0\\0\\0\\034\\0\\0\\0\\034"; head -c $(($2 * 784)) "$demos/circuits"; } \
        >"$1-images-idx3-ubyte.gz"
    { printf "\\0\\0\\010\\001\\0\\0\\$high\\$low"; yes '\0\1\2\3\4\5\6\7\010\011' | head -n $(($2 / 10)) |
        while read -r ten; do printf "$ten"; done; } >"$1-labels-idx1-ubyte.gz"
}
# tested: --evaluate finds what the training found; it goes over the end of an epoch of 2 steps
tested() {
    mkdir -p few && idx few/train 260 && idx few/t10k 50 && trains fashion_cnn 3 5 --data few || return 1
    grep '^test accuracy' out >found
    if ! "$demos/fashion_cnn" --data few --evaluate whole.safetensors >again 2>why; then
        grep -q 'this build has no jansson' why # nothing is read back then
        return
    fi
    grep '^test accuracy' again | diff -u found -
}
# refused COMMAND...: says why and exits with 1; a program that is missing or crashes has not refused
refused() {
    status=0
    "$@" 2>why || status=$?
    [ "$status" = 1 ] && [ -s why ]
}

# other_text NAME: part.safetensors of writes is not for the README; without jansson nothing is read back
other_text() {
    refused "$demos/$1" --resume part.safetensors --text "$tree/README.md" &&
        grep -Eq 'learned another text than|this build has no jansson' why
}

# without_gpl COMMAND...: in a namespace in which the GPL-3 is empty; fails where the system gives none
gpl=/usr/share/common-licenses/GPL-3
without_gpl() { if [ -e "$gpl" ]; then unshare -rm sh -c "mount --bind /dev/null $gpl && exec \"\$@\"" sh "$@"; else "$@"; fi; }
# elsewhere NAME: without the GPL-3 it learns the tutorial of the folder that it runs in
elsewhere() {
    mkdir -p docs && cp "$tree/docs/tutorial.md" docs/ &&
        without_gpl "$demos/$1" --steps 1 >out && grep -q '^docs/tutorial.md: [1-9]' out
}

check "circuits prints the golden file and draws" circuits
for name in gates hand_set approximator vanishing initializers zigzag saturation collapse \
    overfitting search minibatch speed backprop image_features; do
    check "$name prints the golden file and draws" lesson "$name"
done
check "a lesson refuses what it does not know" refused "$demos/gates" --speed 11
check "a lesson reports a picture that cannot be written" refused "$demos/gates" --picture no/such/folder.svg
check "seed_loop learns and draws" loop
check "seed_loop refuses what it does not know" refused "$demos/seed_loop" eleven
check "spiral learns and draws" spiral
check "tiny learns by emitted C" tiny
check "physics learns, draws and resumes" physics
check "physics refuses what it does not know" refused "$demos/physics" --speed 11
check "physics refuses a file that is not there" refused "$demos/physics" --resume no.safetensors
check "gan learns, draws and resumes" gan
check "gan refuses a file that is not there" refused "$demos/gan" --resume no.safetensors
for model in char_lstm char_gpt; do
    check "$model learns, draws and resumes" writes "$model"
    check "$model refuses to go on with another text" other_text "$model"
    if without_gpl true 2>why; then
        check "$model learns the tutorial where there is no GPL-3" elsewhere "$model"
    else
        echo "demos: $model without the GPL-3 is not tested: $(cat why)"
    fi
    check "$model refuses a text that is not there" refused "$demos/$model" --text no.txt
    check "$model refuses what it does not know" refused "$demos/$model" --speed 11
done
check "fashion_cnn draws, resumes and tests" tested
check "fashion_cnn refuses what it does not know" refused "$demos/fashion_cnn" --data few --speed 11
check "fashion_cnn refuses a folder that is not there" refused "$demos/fashion_cnn" --data no/such/folder
check "fashion_cnn refuses a file that is not there" refused "$demos/fashion_cnn" --data few --evaluate no.safetensors
check "fashion --help" "$demos/fashion" --help
check "fashion refuses what it does not know" refused "$demos/fashion" --speed 11
check "fashion refuses a file that is not there" refused "$demos/fashion" --evaluate no.safetensors

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
