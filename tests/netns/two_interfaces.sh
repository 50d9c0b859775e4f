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
expect "the flows of both are known" flow_exists "$web_host" 443 '.src_ip == "192.0.2.50"'
expect "the flows of both are known" flow_exists "$web_host" 443 '.src_ip == "192.0.3.50"'
openvpn_connect
expect_soon 20 "the first client's OpenVPN is blocked" is_blocked "tcp $openvpn_host:443"
refuse "the second client cannot reach that server" in_ns client2 timeout 3 bash -c ": </dev/tcp/$openvpn_host/443"
expect "but another" in_ns client2 timeout 3 bash -c ": </dev/tcp/$web_host/443"
