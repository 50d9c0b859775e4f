#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Every block ends: one made by a rule, after which the endpoint can be reached again (and is blocked again), and one made by
# hand, after which the tunnel works as before.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$(readlink -f "$0")")/lib.sh"
enter_sandbox "$@"

step "A gateway that blocks for five seconds"
make_topology
start_servers
watch_gateway
write_gateway_policy "$work/policy.toml" for=5s
start_spidd "$work/policy.toml"

step "A block by rule"
openvpn_connect
expect_soon 20 "OpenVPN is blocked" is_blocked "tcp $openvpn_host:443"
stop openvpn-client
expect_soon 15 "the block expires" is_not_blocked "tcp $openvpn_host:443"
passed=$(passed_payload_packets host "$openvpn_host")
openvpn_connect
expect_soon 20 "packets pass again" more_than "$passed" passed_payload_packets host "$openvpn_host"
expect_soon 20 "and it is blocked again" is_blocked "tcp $openvpn_host:443"
stop openvpn-client

step "A block by hand"
authorised_connect
expect_soon 10 "the authorised tunnel works" tunnel_works "$authorised_inner"
expect "it is blocked by hand" spidctl block "udp/$authorised_host:51820" --for 5s
refuse "no page comes through" tunnel_works "$authorised_inner"
expect_soon 15 "the block expires" is_not_blocked "udp $authorised_host:51820"
expect_soon 20 "the tunnel works again" tunnel_works "$authorised_inner"

step "Unblocked by hand"
expect "it is blocked by hand" spidctl block "udp/$authorised_host:51820" --for 1h
refuse "no page comes through" tunnel_works "$authorised_inner"
expect "it is unblocked" spidctl unblock "udp/$authorised_host:51820"
expect_soon 20 "the tunnel works again" tunnel_works "$authorised_inner"
refuse "a never-block address cannot be blocked" spidctl block 192.0.2.10
