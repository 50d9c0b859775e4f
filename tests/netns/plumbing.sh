#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The network and the programs of the other tests work when no spidd runs: a failure elsewhere is then spidd's.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$(readlink -f "$0")")/lib.sh"
enter_sandbox "$@"

step "A gateway without spidd"
make_topology
start_servers
watch_gateway

expect "an HTTPS download works" https_download
expect "an HTTPS download over IPv6 works" https_download client "$web_host6"
expect "an interactive SSH session works" ssh_session "$work/ssh.log" "uname -s" "ls /"

openvpn_connect
expect_soon 20 "a page comes through OpenVPN on TCP 443" tunnel_works "$openvpn_inner"
wireguard_connect
expect_soon 10 "a page comes through WireGuard on UDP 53" tunnel_works "$wireguard_inner"
authorised_connect
expect_soon 10 "a page comes through WireGuard on UDP 51820" tunnel_works "$authorised_inner"
wireguard_connect6
expect_soon 10 "a page comes through WireGuard over IPv6" tunnel_works "$wireguard_inner"

expect "the gateway's capture has the tunnels' packets" test "$(passed_payload_packets host "$openvpn_host")" -gt 20
