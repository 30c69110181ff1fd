#!/bin/sh
# Opens the pages of the stepper in a headless chromium: every lesson, the trainings, and the pages of
# tests/browser/pages.c. Takes a build tree, a folder with node_modules, and a folder for screenshots if they
# are wanted.
set -eu
tree=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$1" && pwd)
NODE_PATH=$(cd "$2" && pwd)/node_modules
export NODE_PATH
pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT

"$build/bin/tests/pages" "$pages"
"$build/bin/gradtape" lessons | while read -r name title; do
    "$build/bin/gradtape" step --lesson "$name" --html "$pages/$name.html"
    "$build/bin/gradtape" step --lesson "$name" --json >"$pages/$name.json"
done
for name in vanishing initializers; do
    "$build/bin/demos/$name" --picture "$pages/$name.svg" --page "$pages/$name.html" >/dev/null
done
node "$tree/tests/browser/browser.js" "$pages" ${3+"$3"}
