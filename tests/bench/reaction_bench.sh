#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# From the deciding packet on the wire to the drop entry in the kernel, over many blocks: WireGuard's packets (those of the
# replay case wireguard-on-udp-53, cut payloads filled up) are sent through a gateway that runs spidd, each time to another
# port, so that every flow is an endpoint to be blocked. Prints the percentiles spidd measured. Target: p99 at most 5 ms.
#   SPIDD_BUILD_DIR=build/release reaction_bench.sh [FLOWS]
# shellcheck source-path=SCRIPTDIR/../netns source=../netns/lib.sh
source "$(dirname "$(readlink -f "$0")")/../netns/lib.sh"
enter_sandbox "$@"
flows=${1:-500}

make_topology
write_gateway_policy "$work/policy.toml"
start_spidd "$work/policy.toml"
replay=$project_dir/tests/bench/replay_udp.py
capture=$project_dir/tests/replay/wireguard-on-udp-53/input.pcap
spawn answers server python3 "$replay" answer "$capture" "$wireguard_host" "$flows"
wait_for 10 "the server answers" log_says answers ready
in_ns client python3 "$replay" ask "$capture" "$wireguard_host" "$flows"
spidctl status --json | jq '{blocks: .blocks, decision_latency_us: .decision_latency_us}'
