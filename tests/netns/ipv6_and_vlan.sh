#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Tunnels inside VLAN tags, where the kernel has VLAN interfaces, and over IPv6 are named and blocked like others.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$(readlink -f "$0")")/lib.sh"
enter_sandbox "$@"

if kernel_has_vlan 2>/dev/null; then
  step "A gateway whose inside interface carries VLAN 100"
  vlan=100
else
  [ -z "${SPIDD_REQUIRE_VLAN:-}" ] || fail "this kernel must have VLAN interfaces"
  step "A gateway (without VLAN: this kernel has none; vmtests/ has)"
fi
make_topology
start_servers
write_gateway_policy "$work/policy.toml"
start_spidd "$work/policy.toml"

step "WireGuard over IPv6"
expect "an HTTPS download over IPv6 works" https_download client "$web_host6"
wireguard_connect6
wireguard_traffic
expect_soon 20 "it is blocked" is_blocked "udp [$wireguard_host6]:53"
refuse "no page comes through" tunnel_works "$wireguard_inner"

step "OpenVPN over IPv4"
openvpn_connect
expect_soon 20 "it is blocked" is_blocked "tcp $openvpn_host:443"
refuse "no page comes through" tunnel_works "$openvpn_inner"
expect "an HTTPS download over IPv6 works" https_download client "$web_host6"
expect "an HTTPS download over IPv4 works" https_download
