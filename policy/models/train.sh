#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Makes the shipped models and PROVENANCE.tsv anew from labelled captures:
#   train.sh SPIDCTL TAXONOMY PUBLIC LAB...
# PUBLIC has files/, labels.tsv and manifest.tsv; every LAB has captures and labels.tsv. What the tables hold:
# userspace/spid/training_set.h. Two names of one protocol are trained as one label. So are SSH tunnels and SSH: the
# first 20 packets do not tell them apart, and a model of the tunnels would raise alerts about plain sessions.
set -eu
if [ $# -lt 4 ]; then
  sed -n '4p' "$0" >&2
  exit 2
fi
models=$(dirname "$(readlink -f "$0")")
spidctl=$1 taxonomy=$2 public=$3
shift 3

laboratories=$#
while [ "$laboratories" -gt 0 ]; do
  set -- "$@" --labels "$1/labels.tsv" --source "$(basename "$1")" "$1"
  shift
  laboratories=$((laboratories - 1))
done
find "$models" -name '*.json' -delete
"$spidctl" train --into "$models" --min-flows 5 --calibrate --use-damaged \
  --provenance "$models/PROVENANCE.tsv" \
  --taxonomy "$taxonomy" --same krb=kerberos --same pgsql=postgres --same resp=redis --same jabber=xmpp \
  --same icmp6=icmp --same icmp-echo=icmp --same ssh-tunnel=ssh \
  --labels "$public/labels.tsv" --manifest "$public/manifest.tsv" --source public "$public/files" "$@"
