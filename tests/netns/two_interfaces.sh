#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# One daemon watches two inside interfaces; what the first one's client does wrong is also blocked for the second.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$(readlink -f "$0")")/lib.sh"
enter_sandbox "$@"

step "A gateway with two inside interfaces"
make_topology
add_second_client
start_servers
write_gateway_policy "$work/policy.toml"
interfaces="gi gi2"
start_spidd "$work/policy.toml"
expect "status names both" status_says '[.interfaces[].name] | sort == ["gi", "gi2"]'
expect "the first client downloads" https_download client
expect "the second client downloads" https_download client2
expect_soon 20 "the first one's flow is known" event_exists '.in_iface == "gi" and .src_ip == "192.0.2.50" and .dest_port == 443'
expect_soon 20 "the second one's too" event_exists '.in_iface == "gi2" and .src_ip == "192.0.3.50" and .dest_port == 443'
openvpn_connect
expect_soon 20 "the first client's OpenVPN is blocked" is_blocked "tcp $openvpn_host:443"
refuse "the second client cannot reach that server" in_ns client2 timeout 3 bash -c ": </dev/tcp/$openvpn_host/443"
expect "but another" in_ns client2 timeout 3 bash -c ": </dev/tcp/$web_host/443"

step "What is forwarded from one to the other"
counter() { spidctl metrics | awk -v name="spidd_observations_$1_total{section=\"$2\"}" '$1 == name { print $2 }'; }
refuse "a closed port of the second client is refused" in_ns client timeout 3 bash -c ": </dev/tcp/192.0.3.50/4"
twice() { [ "$(counter forwarded egress)" -ge 2 ]; }
expect_soon 5 "SPADE sees attempt and refusal where they come in, and only there" twice
