#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# In observe mode the same traffic only raises alerts: every tunnel works.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$(readlink -f "$0")")/lib.sh"
enter_sandbox "$@"

step "A gateway with the same policy in observe mode"
make_topology
start_servers
write_gateway_policy "$work/policy.toml" mode=observe
start_spidd "$work/policy.toml"
expect "status says observe" status_says '.mode == "observe"'

openvpn_connect
expect_soon 20 "a page comes through OpenVPN" tunnel_works "$openvpn_inner"
expect_soon 20 "it raises an alert" is_alerted "$openvpn_host" 443
wireguard_connect
expect_soon 10 "a page comes through WireGuard" tunnel_works "$wireguard_inner"
expect_soon 20 "it raises an alert" is_alerted "$wireguard_host" 53
expect "OpenVPN still works" tunnel_works "$openvpn_inner"
expect "WireGuard still works" tunnel_works "$wireguard_inner"
expect "an HTTPS download works" https_download
expect "an SSH session works" ssh_session "$work/ssh.log" "uname -s"
expect "nothing is blocked" test -z "$(spidctl drops --json)"
expect "nothing was dropped" status_says '.packets.dropped == 0'
expect "spidctl alerts lists the alerts" test "$(spidctl alerts --json | jq -s '[.[] | .dest_port] | contains([443, 53])')" = true

step "Looking into a flow, and learning from it"
flow_id=$(spidctl alerts --json | jq -s 'map(select(.dest_port == 53))[0].flow_id')
is_explained() { spidctl explain "$flow_id" --json | jq -e '.best.label == "wireguard" and (.meters | length) > 10'; }
expect_soon 20 "spidctl explain says why it is WireGuard" is_explained
expect "a model is made of the flow" spidctl train --from-flow "$flow_id" --label office-vpn --category tunnel --into "$work/models"
expect "it has one flow" test "$(spidctl models list --json --models "$work/models" | jq -c 'map([.label, .flows])')" = '[["office-vpn",1]]'
