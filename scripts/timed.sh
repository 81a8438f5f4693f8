#!/bin/sh
# timed.sh NAME COMMAND...: run the command, say how long it took, hand on its exit status.
name=$1
shift
start=$(date +%s)
"$@"
status=$?
echo "[time] $name: $(($(date +%s) - start)) s$([ $status -eq 0 ] || echo " (failed: exit status $status)")"
exit $status
