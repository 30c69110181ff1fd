#!/bin/sh
# Measures the workloads: gradtape recording every step, gradtape replaying one recording, for some the C written from
# it (one thread), and PyTorch and, for single numbers, ADOL-C where they are installed, in turn and in rounds, since a machine's clock and neighbours change from minute to minute. What
# counts is the ratio within a round. docs/performance.md says more.
set -eu

usage() {
    cat >&2 <<'END'
usage: run.sh FOLDER [--peers] [--quick] [--rounds N] [--seconds S] [--threads "1 2"] [--log FILE]
              [--page FILE] [WORKLOAD...]

  FOLDER          where the program `workloads` is
  --peers         PyTorch must be there; without it, it is used if it is
  --no-peers      gradtape alone
  --quick         3 rounds of half a second, without the deep networks
  --rounds N      how often every program runs [5]
  --seconds S     how long each measures [2]
  --threads LIST  numbers of threads [1 2, as far as there are processors]
  --log FILE      where the single figures go [build/bench.log]
  --page FILE     where the table goes as HTML, with bars [build/bench.html]
END
    exit 2
}
die() { printf 'bench: %s\n' "$*" >&2; exit 1; }

[ $# -ge 1 ] || usage
here=$(dirname "$0") program=$1/workloads
shift
peers=maybe rounds=5 seconds=2 threads= chosen= log=build/bench.log page=build/bench.html
while [ $# -gt 0 ]; do
    case $1 in
        --peers) peers=must ;;
        --no-peers) peers=no ;;
        --quick) rounds=3 seconds=0.5 ;;
        --rounds | --seconds | --threads | --log | --page)
            [ $# -ge 2 ] || usage
            eval "${1#--}=\$2"
            shift ;;
        -*) usage ;;
        *) chosen="$chosen $1" ;;
    esac
    shift
done
[ -x "$program" ] || die "no program $program"
# The deep networks take seconds a step. Products of bf16 are quick only where the processor knows it.
deep="W12 W12c W12b W12bc" half=
if grep -q avx512_bf16 /proc/cpuinfo 2>/dev/null; then half="W2-bf16 W6-bf16" deep="$deep W12-bf16"; fi
[ "$seconds" != 0.5 ] || deep=
chosen=${chosen:-W1 W1s W2 W3 W4 W5 W6 W7 W8 W9 W10a W10b W11 $half $deep}
processors=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
if [ -z "$threads" ]; then
    threads=1
    [ "$processors" -lt 2 ] || threads="1 2"
fi

# Debian's PyTorch belongs to /usr/bin/python3, which need not be the first in PATH.
torch=
for python in "${PYTHON:-python3}" /usr/bin/python3; do
    [ "$peers" != no ] && [ -z "$torch" ] || continue
    if "$python" -c 'import torch' 2>/dev/null; then torch=$python; fi
done
if [ "$peers" = must ] && [ -z "$torch" ]; then die "no PyTorch (Debian package python3-torch)"; fi

# PyTorch at its best: an OpenBLAS whose threads are PyTorch's own; Debian's does not know newer processors, PyTorch
# itself stops at AVX2 unless asked, and large temporaries should not go back to the kernel at every step.
peer_settings() {
    for folder in /usr/lib/*/openblas-openmp; do
        [ ! -e "$folder/libblas.so.3" ] || export LD_LIBRARY_PATH="$folder:${LD_LIBRARY_PATH-}"
    done
    if grep -q avx512f /proc/cpuinfo 2>/dev/null; then
        export OPENBLAS_CORETYPE="${OPENBLAS_CORETYPE:-SKYLAKEX}"
        export ATEN_CPU_CAPABILITY="${ATEN_CPU_CAPABILITY:-avx512}"
    fi
    export MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_MMAP_THRESHOLD_=8589934592
}

run() { # PROGRAM WORKLOAD: its lines, behind the number of the round
    flags="--seconds $seconds" peer_flags=
    # The first seed loop saturates its sigmoids: what is too small to matter is flushed here always, there on request.
    [ "$2" != W1 ] || peer_flags=--flush-denormals
    case $1 in
        record) "$program" "$2" $flags ;;
        replay) "$program" "$2" $flags --replay ;;
        emitted) "${program%/*}/emitted_$2" "$seconds" ;;
        adolc) "${program%/*}/peer_adolc" "$2" $flags ;;
        adolc-replay) "${program%/*}/peer_adolc" "$2" $flags --replay ;;
        peer) (peer_settings; "$torch" "$here/peer_torch.py" "$2" "$OMP_NUM_THREADS" $flags $peer_flags) ;;
    esac >"$log.part" || die "$1 failed on $2"
    sed "s/^/$round /" "$log.part" >>"$log"
}

has_adolc() {
    case $1 in W9 | W10a | W10b) ;; *) return 1 ;; esac
    [ "$peers" != no ] && [ "$OMP_NUM_THREADS" = 1 ] && [ -x "${program%/*}/peer_adolc" ]
}
has_emitted() { [ "$OMP_NUM_THREADS" = 1 ] && [ -x "${program%/*}/emitted_$1" ]; }

mkdir -p "$(dirname "$log")" "$(dirname "$page")"
: >"$log"
trap 'rm -f "$log.part"' EXIT
sed -n 's/^model name[^:]*: */processor: /p' /proc/cpuinfo 2>/dev/null | sort | uniq -c | sed 's/^ *//'
if [ -n "$torch" ]; then
    "$torch" -c 'import torch; print("PyTorch", torch.__version__)'
    (peer_settings; echo "OPENBLAS_CORETYPE=${OPENBLAS_CORETYPE-} LD_LIBRARY_PATH=${LD_LIBRARY_PATH-}")
    case ${OPENBLAS_CORETYPE-SKYLAKEX} in
        SKYLAKEX | COOPERLAKE | SAPPHIRERAPIDS) ;;
        *) ! grep -q avx512f /proc/cpuinfo 2>/dev/null ||
            echo "note: OPENBLAS_CORETYPE is set; with SKYLAKEX PyTorch is faster on this processor" ;;
    esac
fi
echo "load before: $(uptime | sed 's/.*average[s]*: //'); $rounds rounds of $seconds s"

for OMP_NUM_THREADS in $threads; do
    export OMP_NUM_THREADS
    OMP_PROC_BIND=true "${program%/*}/limits" | sed 's/^/0 /' >>"$log"
done

round=1
while [ "$round" -le "$rounds" ]; do
    for OMP_NUM_THREADS in $threads; do
        export OMP_NUM_THREADS
        # Threads that may wander sometimes share one processor; a single one is free to avoid others.
        if [ "$OMP_NUM_THREADS" = 1 ]; then export OMP_PROC_BIND=false; else export OMP_PROC_BIND=true; fi
        for workload in $chosen; do
            # Each program is the first one in some rounds.
            order="record peer replay emitted adolc adolc-replay"
            [ $((round % 2)) = 1 ] || order="adolc-replay adolc emitted replay peer record"
            for which in $order; do
                [ "$which" != peer ] || [ -n "$torch" ] || continue
                [ "$which" != emitted ] || has_emitted "$workload" || continue
                case $which in adolc*) has_adolc "$workload" || continue ;; esac
                run "$which" "$workload"
            done
            [ ! -t 2 ] || printf '\rround %s of %s: %s, threads %s   ' "$round" "$rounds" "$workload" \
                "$OMP_NUM_THREADS" >&2
        done
    done
    round=$((round + 1))
done
[ ! -t 2 ] || printf '\r%50s\r' '' >&2
awk -f "$here/summary.awk" -v page="$page" "$log"
echo "as a page: $page"
