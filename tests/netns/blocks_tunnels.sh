#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The main job: under the gateway policy OpenVPN on TCP 443 and WireGuard on UDP 53 are named and blocked within their first
# 20 payload packets and stay blocked on reconnect; HTTPS and SSH go on untouched; the authorised VPN is named and works.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$(readlink -f "$0")")/lib.sh"
enter_sandbox "$@"

step "A gateway that enforces policy/gateway.toml"
make_topology
start_servers
watch_gateway
write_gateway_policy "$work/policy.toml"
start_spidd "$work/policy.toml"
expect "status says enforce and names the interface" status_says '.mode == "enforce" and .interfaces[0].name == "gi"'

step "HTTPS and a long SSH session"
expect "an HTTPS download works" https_download
ssh_session "$work/ssh.log" "uname -s" "-wait $work/tunnels-are-over" "ls /" &
ssh_session=$!
expect_soon 10 "SSH has begun" grep -q Linux "$work/ssh.log"

step "OpenVPN on TCP 443"
openvpn_connect
expect_soon 20 "it is blocked" is_blocked "tcp $openvpn_host:443"
expect "it is named" is_dropped_as "$openvpn_host" 443 openvpn
refuse "no page comes through" tunnel_works "$openvpn_inner"
openvpn_connect
never 5 "nor after a reconnect" tunnel_works "$openvpn_inner"
expect "at most $payload_limit payload packets have passed" at_most "$payload_limit" passed_payload_packets host "$openvpn_host"
expect_soon 5 "the block has dropped packets" has_dropped "tcp $openvpn_host:443"
stop openvpn-client

step "WireGuard on UDP 53"
wireguard_connect
wireguard_traffic
expect_soon 20 "it is blocked" is_blocked "udp $wireguard_host:53"
expect "it is named" is_dropped_as "$wireguard_host" 53 wireguard
refuse "no page comes through" tunnel_works "$wireguard_inner"
wireguard_connect
never 5 "nor after a reconnect" tunnel_works "$wireguard_inner"
expect "at most $payload_limit payload packets have passed" at_most "$payload_limit" passed_payload_packets host "$wireguard_host"
expect_soon 5 "the block has dropped packets" has_dropped "udp $wireguard_host:53"

step "The authorised WireGuard on UDP 51820"
authorised_connect
expect_soon 10 "a page comes through" tunnel_works "$authorised_inner"
expect_soon 10 "it is named" flow_is_named "$authorised_host" 51820 wireguard
expect "a page still comes through" tunnel_works "$authorised_inner"
refuse "it is not blocked" is_blocked "udp $authorised_host:51820"

step "HTTPS and SSH after that"
touch "$work/tunnels-are-over"
expect "the SSH session has gone on" wait "$ssh_session"
expect "an HTTPS download works" https_download
expect "exactly two targets are blocked" test "$(spidctl drops --json | jq -s length)" = 2
expect "status counts them" status_says '.blocks.active == 2 and .packets.dropped > 0'
refuse "no alert or drop names HTTPS" event_exists '(.event_type == "drop" or .event_type == "alert") and .dest_ip == "'"$web_host"'"'
refuse "none names SSH" event_exists '(.event_type == "drop" or .event_type == "alert") and .dest_ip == "'"$ssh_host"'"'
stop spidd
expect "spidd ends cleanly" test "$stop_status" = 0
