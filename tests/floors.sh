#!/bin/sh
# Checks the house: a room includes only itself and rooms on lower floors, never gradtape.h, and no
# two files of the library have one name. Run at the top of the tree; prints each offender.
set -eu

floor() {
    case $1 in
        graph) echo 0 ;;
        ops) echo 1 ;;
        grad) echo 2 ;;
        optim | nn | io) echo 3 ;;
        formula) echo 4 ;;
        step | check) echo 5 ;;
        cli) echo 6 ;;
        *) echo 9 ;; # not a room of the library: above all of them
    esac
}

offenders=0
offend() {
    echo "$*" >&2
    offenders=$((offenders + 1))
}

rooms="graph ops grad optim nn io formula step check"
for room in $rooms; do
    for file in "$room"/*.[ch]; do
        [ -e "$file" ] || continue
        for header in $(sed -n 's/^ *# *include *"\([^"]*\)".*/\1/p' "$file"); do
            case $header in
                */*) target=${header%%/*} ;;
                gradtape.h) target=top ;;
                *) target=$room ;;
            esac
            [ "$target" = "$room" ] && continue
            [ "$(floor "$target")" -lt "$(floor "$room")" ] ||
                offend "$file includes \"$header\": $target/ is not below $room/"
        done
    done
done

same=$(find $rooms cli demos tests bench -name '*.[ch]' 2>/dev/null |
    sed 's|.*/||' | sort | uniq -d)
for name in $same; do
    offend "two files are named $name:" $(find . -name "$name" -not -path './build/*')
done
[ "$offenders" = 0 ] && echo "floors: every include points down, every file name is unique"
