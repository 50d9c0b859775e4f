#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Runs one replay case: `spidctl analyze --json` on its capture, compared with what is expected.
#   run_case.sh SPIDCTL CASE_DIRECTORY [--update]
# A case has input.pcap (or input.pcapng), expected.jsonl and a README.md that says where the capture is from; it may have
# `arguments` (further words for spidctl; @POLICIES@ is the folder of the shipped policies, @CASE@ that of the case) and
# `exit_code` (else 0).
# What changes whenever models are trained again (scores, margins, packets a verdict took) is not compared, nor are the
# counters of the last line but flows and packets. --update writes expected.jsonl anew: read the difference before you
# commit it.
set -euo pipefail
spidctl=$1 case=$2
source_root=$(dirname "$(readlink -f "$0")")/../..

comparable='
  if .event_type == "stats" then
    {event_type, packets: .stats.capture.packets, flows: .stats.engine.flows}
  else
    del(.timestamp, .flow_id, .spid.score, .spid.margin, .spid.divergence, .spid.tunnel_score, .spid.tunnel_margin,
        .spid.payload_packets, .drop.expires)
  end'

arguments=()
if [ -e "$case/arguments" ]; then
  read -ra arguments <<<"$(sed "s|@POLICIES@|$source_root/policy|; s|@CASE@|$case|" "$case/arguments")"
fi
wanted_exit=$(cat "$case/exit_code" 2>/dev/null || echo 0)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

exit_code=0
"$spidctl" analyze --json --models "$source_root/policy/models" "${arguments[@]}" "$case"/input.pcap* \
  >"$work/out" 2>"$work/errors" || exit_code=$?
jq -c "$comparable" "$work/out" >"$work/actual"
if [ "${3:-}" = --update ]; then
  cp "$work/actual" "$case/expected.jsonl"
fi
if [ "$exit_code" != "$wanted_exit" ]; then
  echo "exit code $exit_code instead of $wanted_exit"
  cat "$work/errors"
  exit 1
fi
diff -u "$case/expected.jsonl" "$work/actual"
