#!/bin/sh
# A scripted fake agent: ledger-agent.sh LEDGER LINES PAUSE
# Prints LINES numbered lines with PAUSE seconds before each, and notes its start and its end in LEDGER, which no part
# of the product writes: one line each, `<job>/<attempt> start|end <pid> <ms>`, by one appending write.
ledger=$1 lines=$2 pause=$3

note() {
  printf '%s %s %s %s\n' "$LANEKEEPER_JOB" "$1" "$$" "$(date +%s%3N)" >> "$ledger"
}

note start
i=0
while [ "$i" -lt "$lines" ]; do
  i=$((i + 1))
  sleep "$pause"
  echo "line $i"
done
note end
