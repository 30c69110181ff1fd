#!/bin/sh
# Compares the library's values and gradients with PyTorch's: tests/peer.sh BUILD, from the top of the
# tree, where BUILD holds bin/tests/peer_cases. See tests/peer/compare.py.
set -eu

# Debian's PyTorch belongs to /usr/bin/python3, which need not be the first in PATH.
for python in python3 /usr/bin/python3; do
    "$python" -c 'import torch' 2>/dev/null && break
    python=
done
[ "$python" ] || { echo "peer: no python3 that has torch (Debian: python3-torch)" >&2; exit 1; }

stream=$(mktemp)
trap 'rm -f "$stream"' EXIT
"$1/bin/tests/peer_cases" >"$stream"
PYTHONDONTWRITEBYTECODE=1 "$python" tests/peer/compare.py "$stream"
