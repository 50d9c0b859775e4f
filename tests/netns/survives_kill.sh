#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# After kill -9 of the daemon the kernel goes on enforcing, the next daemon takes over what it finds, and a clean stop leaves
# nothing behind.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$(readlink -f "$0")")/lib.sh"
enter_sandbox "$@"

gateway_programs() { in_ns gateway bpftool -j net show | jq '[.[] | .xdp, .tc, (.tcx? // []) | length] | add'; }
is_uninstrumented() { [ "$(gateway_programs)" = 0 ] && [ ! -e "$pin_dir" ]; }

step "A block, then kill -9"
make_topology
start_servers
write_gateway_policy "$work/policy.toml"
expect "the gateway has no programs before" is_uninstrumented
start_spidd "$work/policy.toml"
refuse "now it has" is_uninstrumented
wireguard_connect
wireguard_traffic
expect_soon 20 "WireGuard is blocked" is_blocked "udp $wireguard_host:53"
stop spidd KILL
never 3 "no page comes through after kill -9" tunnel_works "$wireguard_inner"
wireguard_connect
never 3 "nor after a reconnect" tunnel_works "$wireguard_inner"
expect "an HTTPS download works" https_download

step "The next daemon"
programs=$(gateway_programs)
start_spidd "$work/policy.toml"
expect "it has the block" is_blocked "udp $wireguard_host:53"
expect "no program is attached twice" test "$(gateway_programs)" = "$programs"
refuse "no page comes through" tunnel_works "$wireguard_inner"
openvpn_connect
expect_soon 20 "OpenVPN is blocked as well" is_blocked "tcp $openvpn_host:443"

step "A clean stop"
stop spidd
expect "spidd ends cleanly" test "$stop_status" = 0
expect "no programs, no pins are left" is_uninstrumented
expect_soon 20 "the tunnel works again" tunnel_works "$wireguard_inner"
