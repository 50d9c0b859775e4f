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

# scan_ports FIRST LAST: connections to closed ports of the web server, one after the other.
scan_ports() {
  local port
  for ((port = $1; port <= $2; port++)); do
    in_ns client timeout 1 bash -c "exec 3<>/dev/tcp/$web_host/$port" 2>/dev/null || true
  done
}

# forged_scan FIRST LAST: SYNs in the customer's name, and what a blind attacker would send after one to an open port.
forged_scan() {
  in_ns client python3 - "$customer" "$web_host" "$1" "$2" <<'PYTHON'
import socket, struct, sys

source, target = (socket.inet_aton(a) for a in sys.argv[1:3])
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

def send(own, port, flags, seq, ack, payload=b""):
    tcp = struct.pack("!HHIIBBHHH", own, port, seq, ack, 5 << 4, flags, 1024, 0, 0) + payload
    total = struct.pack("!4s4sBBH", source, target, 0, 6, len(tcp)) + tcp
    total += b"\0" * (len(total) % 2)
    words = sum(struct.unpack("!%dH" % (len(total) // 2), total))
    words = (words >> 16) + (words & 0xFFFF)
    words += words >> 16
    tcp = tcp[:16] + struct.pack("!H", ~words & 0xFFFF) + tcp[18:]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), port, 0, 64, 6, 0, source, target)
    raw.sendto(ip + tcp, (sys.argv[2], 0))

for port in range(int(sys.argv[3]), int(sys.argv[4]) + 1):
    send(40000, port, 2, 1, 0)
for own in range(41000, 41020):
    send(own, 443, 2, 1, 0)
    send(own, 443, 0x10, 2, 0x12345678)
    send(own, 443, 0x18, 2, 0x12345678, b"\x16\x03\x01\x00\x05hello")
PYTHON
}

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
forged_scan 2000 2060
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
