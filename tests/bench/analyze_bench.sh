#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# spidctl analyze --json against Debian's ndpiReader -q (libndpi-bin) on the same big capture, in turns in one run.
#   analyze_bench.sh BUILD_DIRECTORY CAPTURE [ROUNDS]      (make_capture.py makes the capture)
# Prints time and peak memory of every run, then the ratios of the medians. Targets: at least 2 times the packets a
# second, at most half of the memory.
set -euo pipefail
build=$1 capture=$2 rounds=${3:-7}
results=$(mktemp)
trap 'rm -f "$results"' EXIT

# The file must come from memory for both.
cat "$capture" >/dev/null
for ((round = 0; round < rounds; round++)); do
  /usr/bin/time -a -o "$results" -f "ndpi %e %M" ndpiReader -q -i "$capture" >/dev/null 2>&1
  /usr/bin/time -a -o "$results" -f "spidctl %e %M" "$build/bin/spidctl" analyze --json "$capture" >/dev/null
done

median() { awk -v program="$1" -v column="$2" '$1 == program { print $column }' "$results" | sort -n | sed -n "$((rounds / 2 + 1))p"; }
awk '{ printf "%-8s %6.2f s %8.1f MB\n", $1, $2, $3 / 1000 }' "$results"
printf '%s, %s processors, Linux %s, load %s\n' "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)" "$(nproc)" \
  "$(uname -r)" "$(cut -d' ' -f1 /proc/loadavg)"
awk -v a="$(median ndpi 2)" -v b="$(median spidctl 2)" -v c="$(median ndpi 3)" -v d="$(median spidctl 3)" 'BEGIN {
  printf "packets a second: %.2f times ndpiReader (target 2)\n", a / b
  printf "peak memory: %.2f of ndpiReader (target 0.5)\n", d / c }'
