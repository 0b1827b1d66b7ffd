#!/bin/sh
# check.sh MODEL FOLDER: SPIN proves the model's promises, and finds each planted bug.
model=$1 folder=$2
command -v spin >/dev/null || { echo "skipped: spin is not installed"; exit 77; }
mkdir -p "$folder" && cd "$folder" || exit 1

# run WANTED [-D...]: errors found must be WANTED.
run() {
  wanted=$1
  shift
  spin "$@" -a "$model" >spin.log 2>&1 || { cat spin.log; exit 1; }
  ${CC:-cc} -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=2048 -o pan pan.c || exit 1
  ./pan -m1000000 -c1 >pan.log 2>&1
  found=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.log)
  states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.log)
  echo "spin $*: $states states, $found errors"
  if [ "$found" != "$wanted" ] || grep -q "max search depth too small\|MEMLIM\|out of memory" pan.log; then
    cat pan.log
    exit 1
  fi
}

run 0
run 0 -DLEASE
run 1 -DPLANT=1
run 1 -DPLANT=2
run 1 -DPLANT=3
run 1 -DPLANT=4 -DLEASE
run 1 -DPLANT=5
