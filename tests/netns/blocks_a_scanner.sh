#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A host inside that scans, and gets through at an open port, is blocked by a rule about incidents; its neighbour is not, nor
# is anybody for packets that somebody else sent in his name. What was learned survives a restart.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$(readlink -f "$0")")/lib.sh"
enter_sandbox "$@"

neighbour=192.0.2.51
scanner=192.0.2.50
stranger=203.0.113.9
absent=192.0.2.77        # inside, and nobody's
silent=198.51.100.9      # where everything is dropped

cat >"$work/policy.toml" <<TOML
version = 1
mode = "enforce"
never_block = ["192.0.2.1"]

[spade]
home = ["192.0.2.0/24"]
log_file = "spade.log"

[[incident]]
name = "scanners"
scans_only = true
action = "block"
for = "2m"
TOML

cat >"$work/spidd.toml" <<TOML
[events]
outputs = ["fast:$work/alert", "csv:$work/alert.csv"]
TOML

is_incident_of() { event_exists '.event_type == "incident" and .src_ip == "'"$1"'"'; }
ctl_shows() { spidctl "${@:2}" | grep -q "$1"; }
download_as() { in_ns client curl -sk --interface "$1" --max-time 5 -o /dev/null "https://$web_host/"; }

step "Two hosts inside a gateway"
make_topology
ip -n client addr add "$neighbour/24" dev c0
start_servers
start_spidd "$work/policy.toml" --config "$work/spidd.toml"
expect "the scanner-to-be can fetch a page" download_as "$scanner"
expect "its neighbour can" download_as "$neighbour"
expect "SPADE has seen it" test "$(spidctl spade status --json | jq '.spade.observations > 0')" = true

step "A scan"
scan_ports 1000 1024
scan_ports 443 443
expect_soon 20 "the scanner is blocked" is_blocked "$scanner"
expect "an incident says why" is_incident_of "$scanner"
expect "its event names the rule" event_exists '.event_type == "incident" and .alert.rule == "scanners" and
  .alert.action == "blocked" and .incident.scan == true'
expect "spidctl alerts shows it" ctl_shows "incident.*$scanner" alerts
expect "spidctl spade incidents shows it" ctl_shows "$scanner" spade incidents
expect "a file for Snort's readers has it" grep -q "\[104:100:1\] Spade: .*scan by $scanner" "$work/alert"
expect "so has a table" grep -q ",104,100,1,.*,$scanner," "$work/alert.csv"
expect "the status shows it" ctl_shows "anomalies.* open incident" status
expect "the status says it to programs" test "$(spidctl status --json | jq '.spade.open_incidents > 0')" = true
unexplained() { spidctl metrics | awk '/^# HELP/ { help[$3] = 1 } /section="(spade|incidents)"/ { sub(/[{].*/, "")
  if (!help[$0]) print }'; }
expect "every metric of SPADE has a help" test "$(unexplained)" = ""
refuse "it can fetch nothing any more" download_as "$scanner"
expect "its neighbour still can" download_as "$neighbour"
refuse "the server is not blocked" is_blocked "$web_host"

step "A scan in somebody else's name"
in_ns client sh -c 'echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter; echo 0 >/proc/sys/net/ipv4/conf/c0/rp_filter'
in_ns gateway sh -c 'echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter; echo 0 >/proc/sys/net/ipv4/conf/gi/rp_filter'
forged_scan "$stranger" "$web_host" 2000 2060
expect_soon 20 "an incident is reported" is_incident_of "$stranger"
expect_soon 20 "it says that the source may be forged" event_exists '.event_type == "incident" and
  .src_ip == "'"$stranger"'" and .alert.would_block == true and .alert.reason == "unconfirmed"'
refuse "nobody is blocked for it" is_blocked "$stranger"

step "A SYN scan in the neighbour's name: everybody answers him, and he refuses"
forged_scan "$neighbour" "$web_host" 430 490
expect_soon 20 "it says that the neighbour made no connection" event_exists '.event_type == "incident" and
  .src_ip == "'"$neighbour"'" and .alert.would_block == true and .alert.reason == "handshake"'
refuse "he is not blocked for it" is_blocked "$neighbour"

step "A scan in the name of somebody inside, to where nobody answers"
in_ns gateway ip route add blackhole "$silent/32"
forged_scan "$absent" "$silent" 3000 3060
expect_soon 20 "it says that nothing shows the source to be real" event_exists '.event_type == "incident" and
  .src_ip == "'"$absent"'" and .alert.would_block == true and .alert.reason == "unconfirmed"'
refuse "nobody is blocked for it" is_blocked "$absent"

step "On request"
refuse "there is no log of SPADE yet" test -e "$work/state/spade.log"
kill -USR1 "${pids[spidd]}"
expect_soon 5 "SIGUSR1 has it written" grep -qs "packets were processed by Spade" "$work/state/spade.log"
expect_soon 5 "and the state" test -s "$work/state/spade.state"
expect "spidd goes on" ctl_shows "gi" status

step "A comment in the policy"
kept() { spidctl spade status --json | jq -c '[.incidents.opened, .incidents.open, .incidents.closed,
  (.detectors | map(.evaluated) | add)]'; }
before=$(kept)
sed -i '1i # nothing else' "$work/policy.toml"
expect "it is read" spidctl policy reload
expect "numbers and incidents go on" test "$(kept)" = "$before"
expect "there are some" test "$(jq '.[0] > 0 and .[3] > 0' <<<"$before")" = true
expect "the log is not for all" test "$(stat -c %a "$work/state/spade.log")" = 640

step "After a restart"
remembered() { spidctl spade tables --json | jq '[.tables[].remembered] | max > 10'; }
expect "the tables hold what was seen" test "$(remembered)" = true
opened_for() { jq -c 'select(.event_type == "incident" and .incident.change == "opened" and .src_ip == "'"$1"'")' \
  "$event_log" | wc -l; }
times=$(opened_for "$scanner")
stop spidd
expect "the state was written" test -s "$work/state/spade.state"
start_spidd "$work/policy.toml" --config "$work/spidd.toml"
expect "the tables still hold it" test "$(remembered)" = true
expect "the scanner is still blocked" is_blocked "$scanner"
expect "its incident goes on" ctl_shows "$scanner" spade incidents
scan_ports 1100 1110
forged_scan "$stranger" "$web_host" 2100 2120
grew_to() { spidctl spade incidents --json | jq -e '.. | objects | select(.src_ip? == "'"$1"'" and .incident.count >= '"$2"')' \
  >/dev/null; }
expect_soon 20 "so does that of the stranger" grew_to "$stranger" 70
expect "neither was reported anew" test "$(opened_for "$scanner") $(opened_for "$stranger")" = "$times 1"
