#!/bin/sh
# check.sh MODELS FOLDER: SPIN proves what the models promise, and finds each planted bug.
models=$1 folder=$2
command -v spin >/dev/null || { echo "skipped: spin is not installed"; exit 77; }
mkdir -p "$folder" && cd "$folder" || exit 1

# check NAME WANTED CFLAGS FLAGS: errors that pan finds must be WANTED.
check() {
  ${CC:-cc} -O2 -w $3 -DCOLLAPSE -DMEMLIM=2048 -o pan pan.c || exit 1
  ./pan -m1000000 $4 >pan.log 2>&1
  found=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.log)
  states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.log)
  echo "spin $1: $states states, $found errors"
  if [ "$found" != "$2" ] || grep -q "max search depth too small\|MEMLIM\|out of memory" pan.log; then
    cat pan.log
    exit 1
  fi
}

# safe WANTED [-D...]: nothing wrong ever happens.
safe() {
  wanted=$1
  shift
  spin "$@" -a "$models/delivery.pml" >spin.log 2>&1 || { cat spin.log; exit 1; }
  check "delivery $*" "$wanted" -DSAFETY -c1
}

# ends WANTED CLAIM [-D...]: under weak fairness, what shall happen does.
ends() {
  wanted=$1 claim=$2
  shift 2
  spin "$@" -a "$models/liveness.pml" >spin.log 2>&1 || { cat spin.log; exit 1; }
  check "liveness $claim $*" "$wanted" -DNFAIR=3 "-a -f -N $claim"
}

safe 0
safe 0 -DLEASE
safe 1 -DPLANT=1
safe 1 -DPLANT=2
safe 1 -DPLANT=3
safe 1 -DPLANT=4 -DLEASE
safe 1 -DPLANT=5

ends 0 acked
ends 0 rewinds
ends 0 settled -DLEASE
ends 1 acked -DPLANT=1
ends 1 acked -DPLANT=2
ends 1 acked -DPLANT=3
ends 1 rewinds -DPLANT=4
ends 1 settled -DLEASE -DPLANT=5
ends 1 settled -DLEASE -DPLANT=6
