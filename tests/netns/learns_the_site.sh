#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Learning the site: models that take this network's HTTPS for a tunnel alert on it. Once it has been recorded, reviewed
# and accepted they do not any more, a real tunnel is still named, and a restart forgets nothing. What was alerted is
# never learned, nor is what is blocked afterwards.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$(readlink -f "$0")")/lib.sh"
enter_sandbox "$@"

web=$web_host:443/tcp
models=$work/models

# The shipped models, but HTTPS is the tunnel "decoy" and nothing else of TLS is known.
make_models() {
  local file
  mkdir -p "$models"
  for file in "$project_dir"/policy/models/*.tcp.json "$project_dir"/policy/models/*.udp.json; do
    [ "$(jq -r .family "$file")" = tls ] || cp "$file" "$models"
  done
  jq -c '.label = "decoy" | .family = "decoy" | .category = "tunnel"' "$project_dir/policy/models/https.tcp.json" \
    >"$models/decoy.tcp.json"
}

write_policy() {
  printf 'version = 1\nmode = "%s"\n' "${2:-observe}" >"$work/policy.toml"
  [ -z "${1:-}" ] || printf '[[rule]]\nname = "watched-web"\nservers = ["%s/32"]\naction = "allow"\n' "$1" >>"$work/policy.toml"
  printf '[[rule]]\nname = "tunnels"\ncategories = ["tunnel"]\naction = "alert"\n' >>"$work/policy.toml"
}

browse() {
  local i
  for i in $(seq "$1"); do
    in_ns client curl -sS --fail --max-time $((30 * patience)) --cacert "$work/pki/ca.crt" -o /dev/null \
      --connect-to "web.example.test:443:[$web_host]:443" https://web.example.test/hello
  done
}

review_says() { spidctl site review --json | jq -e "$1" >/dev/null; }
site_says() { spidctl site status --json | jq -e "$1" >/dev/null; }
web_alerts() { jq -c "select(.event_type == \"alert\" and .dest_ip == \"$web_host\")" "$event_log" | wc -l; }
ended_web_flows() { jq -c "select(.event_type == \"flow\" and .dest_ip == \"$web_host\")" "$event_log" | wc -l; }

step "Models that know no HTTPS, and a policy that alerts on tunnels"
make_topology
start_servers
make_models
write_policy
start_spidd "$work/policy.toml" --models "$models"
expect "recording begins" spidctl site record --for 1h
browse 4
expect_soon 10 "HTTPS raises an alert" is_alerted "$web_host" 443
expect_soon 10 "the review doubts it first" review_says ".services[0].server_ip == \"$web_host\" and .services[0].touched >= 1"
refuse "what is alerted cannot be learned" spidctl site accept "$web" --as https --category encrypted
expect "and nothing was" site_says '.accepted.services == 0'

step "The web server may pass while it is recorded"
write_policy "$web_host"
expect "the policy is loaded" spidctl policy reload
browse 12
expect_soon 10 "its flows are recorded" review_says "[.services[] | select(.server_ip == \"$web_host\") | .learned_flows] | add >= 12"
expect "they look like a tunnel" review_says "[.services[] | select(.server_ip == \"$web_host\")][0].looks_like_tunnel"
spidctl site accept --all-clear >/dev/null || true
refuse "a sweep does not take it in" review_says "[.decided[] | select(.server_ip == \"$web_host\")] | length > 0"
spidctl site accept "$web" --as https --category encrypted >"$work/accepted.log" 2>&1 || true
expect "named, it is accepted" review_says "[.decided[] | select(.server_ip == \"$web_host\" and .as == \"https\")] | length > 0"
expect "not ready yet, and it says why" site_says '.ready == false and (.missing | length) > 0'

step "Without the exception: HTTPS is known, a tunnel still is one"
write_policy
expect "the policy is loaded" spidctl policy reload
alerts_before=$(web_alerts)
browse 6
expect "a download works" https_download
expect_soon 10 "its flows have ended" more_than 22 ended_web_flows
expect_soon 10 "HTTPS is named" event_exists ".event_type == \"flow\" and .dest_ip == \"$web_host\" and .spid.label == \"https\""
expect "no alert on it" test "$(web_alerts)" = "$alerts_before"
openvpn_connect
expect_soon 20 "OpenVPN raises an alert" is_alerted "$openvpn_host" 443
stop openvpn-client

step "After a restart"
stop spidd
start_spidd "$work/policy.toml" --models "$models"
expect "the service is accepted" site_says '.accepted.services > 0'
expect "recording goes on" site_says '.recording'
refuse "nobody else changes its directory meanwhile" spidctl site --state "$work/state/site" --models "$models" undo "$web"
refuse "nor what is learned" spidctl learn --state "$work/state" --models "$models" forget nothing
alerts_before=$(web_alerts)
flows_before=$(ended_web_flows)
browse 6
expect_soon 10 "flows have ended" more_than "$((flows_before + 5))" ended_web_flows
expect "no alert on HTTPS" test "$(web_alerts)" = "$alerts_before"

step "Taken back"
expect "undo" spidctl site undo "$web"
browse 3
expect_soon 10 "HTTPS raises alerts again" more_than "$alerts_before" web_alerts

step "What is blocked afterwards is taken back"
spidctl site forget "$web" >/dev/null
write_policy "$web_host" enforce
expect "the policy is loaded" spidctl policy reload
browse 4
expect_soon 10 "its flows are recorded" review_says "[.services[] | select(.server_ip == \"$web_host\") | .learned_flows] | add >= 4"
expect "the server is blocked by hand" spidctl block --for 1m "tcp/$web_host:443"
expect_soon 10 "nothing of it is learned any more" \
  review_says "[.services[] | select(.server_ip == \"$web_host\")] | map(.learned_flows) | add == 0"
refuse "so it cannot be accepted" spidctl site accept "$web" --as https --category encrypted
stop spidd
expect "spidd ends cleanly" test "$stop_status" = 0
