#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# spidd does its work with no more rights than its systemd unit gives it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$(readlink -f "$0")")/lib.sh"
enter_sandbox "$@"

capabilities=$(sed -n 's/^CapabilityBoundingSet=//p' "$project_dir/packaging/systemd/spidd.service")
allowed=-all
for capability in $capabilities; do
  name=${capability#CAP_}
  allowed+=",+${name,,}"
done

step "spidd with $capabilities"
make_topology
start_servers
write_gateway_policy "$work/policy.toml"
spidd_prefix="setpriv --no-new-privs --bounding-set $allowed --inh-caps -all"
start_spidd "$work/policy.toml"
wireguard_connect
wireguard_traffic
expect_soon 20 "it blocks" is_blocked "udp $wireguard_host:53"
stop spidd KILL
start_spidd "$work/policy.toml"
expect "it takes over" is_blocked "udp $wireguard_host:53"
stop spidd
expect "it stops cleanly" test "$stop_status" = 0
expect_soon 20 "and leaves nothing" tunnel_works "$wireguard_inner"
