#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Only TLS is expected on port 443: SSH there raises an alert that says so, then is blocked by a stricter policy. SSH on port
# 22 and HTTPS on 443 go on, and so does SSH on 443 from whom a rule allows it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$(readlink -f "$0")")/lib.sh"
enter_sandbox "$@"

write_policy() {
  cat >"$work/policy.toml" <<TOML
version = 1
mode = "enforce"
$1

[[expect]]
name = "only-tls-on-443"
server_ports = [443]
transports = ["tcp"]
labels = ["tls"]
$2
TOML
  expect "the policy is accepted" "$build_dir/bin/spidctl" policy check "$work/policy.toml"
}
ssh_on_443() { ssh_port=443 ssh_session "$work/ssh443.log" "uname -s"; }
is_exception() {
  event_exists '.event_type == "alert" and .dest_ip == "'"$ssh_host"'" and .dest_port == 443 and
    .alert.rule == "only-tls-on-443" and .alert.expected == "tls" and .spid.label == "ssh"'
}

step "An exception alerts"
make_topology
start_servers
write_policy "" ""
start_spidd "$work/policy.toml"
expect "SSH on port 22 works" ssh_session "$work/ssh.log" "uname -s"
expect "an HTTPS download works" https_download
expect "SSH on port 443 works" ssh_on_443
expect_soon 20 "it raises an alert that says what is expected" is_exception
refuse "nothing else does" event_exists '.event_type == "alert" and .spid.label != "ssh"'
refuse "nor does SSH on port 22" is_alerted "$ssh_host" 22
expect "nothing is blocked" test -z "$(spidctl drops --json)"

step "An allow rule wins"
write_policy '[[rule]]
name = "remote-hands"
clients = ["192.0.2.50"]
servers = ["'"$ssh_host"'"]
action = "allow"' 'action = "block"
proof = "verdict"'
expect "the policy is loaded" spidctl policy reload
expect "SSH on port 443 works" ssh_on_443
expect "nothing is blocked" test -z "$(spidctl drops --json)"

step "A block"
write_policy "" 'action = "block"
proof = "verdict"'
expect "the policy is loaded" spidctl policy reload
ssh_seconds=10 ssh_on_443 || true # it hangs once it is blocked
expect_soon 20 "SSH on port 443 is blocked" is_blocked "tcp $ssh_host:443"
expect "SSH on port 22 works" ssh_session "$work/ssh.log" "uname -s"
expect "an HTTPS download works" https_download
refuse "HTTPS is not blocked" is_blocked "tcp $web_host:443"
