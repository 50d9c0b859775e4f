#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A host outside that scans may be somebody else's address: it is blocked once it has shown, while it scans, that it
# receives what is sent to it. Here the servers are at home, and the client's side is the outside.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$(readlink -f "$0")")/lib.sh"
enter_sandbox "$@"

scanner=192.0.2.50
customer=192.0.2.51

cat >"$work/policy.toml" <<TOML
version = 1
mode = "enforce"
never_block = ["192.0.2.1"]

[spade]
home = ["198.51.100.0/24"]

[[incident]]
name = "scanners"
scans_only = true
action = "block"
for = "2m"
TOML

is_incident_of() { event_exists '.event_type == "incident" and .src_ip == "'"$1"'"'; }
is_unconfirmed() {
  event_exists '.event_type == "incident" and .src_ip == "'"$1"'" and .alert.would_block == true and
    .alert.reason == "unconfirmed"'
}
download_as() { in_ns client curl -sk --interface "$1" --max-time 5 -o /dev/null "https://$web_host/download"; }
conversations() { spidctl spade status --json | jq -e ".spade.conversations >= $1" >/dev/null; }

step "Two hosts outside"
make_topology
ip -n client addr add "$customer/24" dev c0
start_servers
start_spidd "$work/policy.toml"
expect "the customer can fetch a page" download_as "$customer"
expect "so can who will scan" download_as "$scanner"
expect_soon 20 "SPADE was told of both conversations" conversations 2

step "A scan in the customer's name"
in_ns client sh -c 'echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter; echo 0 >/proc/sys/net/ipv4/conf/c0/rp_filter'
forged_scan "$customer" "$web_host" 2000 2060 443
expect_soon 20 "an incident is reported, of a source that may be forged" is_unconfirmed "$customer"
never 3 "the customer is not blocked for it" is_blocked "$customer"

step "A scan, and then a download"
scan_ports 1000 1030
expect_soon 20 "an incident is reported" is_incident_of "$scanner"
refuse "a scan alone blocks nobody outside" is_blocked "$scanner"
download_as "$scanner" || true
expect_soon 20 "who fetched a page meanwhile is blocked" is_blocked "$scanner"
expect "its event names the rule" event_exists '.event_type == "incident" and .src_ip == "'"$scanner"'" and
  .alert.rule == "scanners" and .alert.action == "blocked" and .incident.confirmed == true'
refuse "it can fetch nothing any more" download_as "$scanner"
refuse "the customer is still not blocked" is_blocked "$customer"
expect "no conversation was lost on the way" test "$(spidctl spade status --json | jq .spade.conversations_lost)" = 0
