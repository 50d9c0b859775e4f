# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared between the sourced files
# spidd under test on the gateway, and questions to it through spidctl --json and the event log. Sourced by lib.sh.

spidd_socket=$work/spidd.sock
event_log=$work/events.jsonl
pin_dir=/sys/fs/bpf/spidd

# start_spidd POLICY [OPTION...]: on gi, unless $interfaces names others. An empty POLICY is no policy.
start_spidd() {
  local policy=$1 name options=()
  shift
  for name in ${interfaces:-gi}; do
    options+=(-i "$name")
  done
  [ -z "$policy" ] || options+=(--policy "$policy")
  # shellcheck disable=SC2086 # a prefix is words, for tests that run spidd with fewer rights
  spawn spidd gateway ${spidd_prefix:-} "$build_dir/bin/spidd" "${options[@]}" --socket "$spidd_socket" \
    --state "$work/state" --models "$project_dir/policy/models" --pin-dir "$pin_dir" --log "$event_log" "$@"
  within 20 spidd_is_ready_or_gone || true
  log_says spidd ready || fail "spidd does not get ready: $(tail -n 3 "$work/spidd.log")"
}
spidd_is_ready_or_gone() { log_says spidd ready || is_gone spidd; }

spidctl() { in_ns gateway "$build_dir/bin/spidctl" --socket "$spidd_socket" "$@"; }

# What it says about itself, for the end of a failed test.
show_spidd() {
  [ -S "$spidd_socket" ] || return 0
  local command
  for command in status drops flows; do
    printf '\n-- spidctl %s\n' "$command"
    spidctl "$command" || true
  done >&2
  printf '\n-- the end of the event log\n' >&2
  tail -n 12 "$event_log" >&2 || true
}

# The shipped gateway policy, with this network's VPN server as the authorised one and OPTION=VALUE keys changed:
# write_gateway_policy FILE [for=5s] [mode=observe]: policy/gateway.toml for this topology. Nobody learns this site, and its
# flows last for seconds: its rules take the models' word, where the shipped policy waits for a second proof.
write_gateway_policy() {
  local file=$1 change
  shift
  sed -e "s|^servers = .*|servers = [\"$authorised_host/32\"]|" -e 's|^server_ports = .*|server_ports = [51820]|' \
    -e 's|^action = "block"$|&\nproof = "verdict"  # not a second one: this shall block within seconds|' \
    "$project_dir/policy/gateway.toml" >"$file"
  for change in "$@"; do
    sed -i "s|^${change%%=*} = \"[^\"]*\"|${change%%=*} = \"${change#*=}\"|" "$file"
  done
  expect "the policy is accepted" "$build_dir/bin/spidctl" policy check "$file"
}

# status_says FILTER, and the like: whether the jq filter is true of what spidctl prints; $ip and $port are the others' words.
status_says() { spidctl status --json | jq -e "$1" >/dev/null; }

# event_exists FILTER: some line of the event log fits. (The last line may be half written.)
event_exists() { jq -c "select($1)" "$event_log" 2>/dev/null | grep -q .; }
flow_is_named() { flow_exists "$1" "$2" ".spid.label == \"$3\""; }
flow_exists() {
  spidctl flows --json | jq -c "select(.dest_ip == \"$1\" and .dest_port == $2) | select($3)" | grep -q .
}
is_alerted() { event_exists ".event_type == \"alert\" and .dest_ip == \"$1\" and .dest_port == $2"; }
# is_blocked TARGET: TARGET as spidctl writes it, "tcp 198.51.100.30:443".
is_not_blocked() { ! is_blocked "$1"; }
is_blocked() { spidctl drops --json | jq -c "select(.target == \"$1\")" | grep -q .; }
has_dropped() { spidctl drops --json | jq -c "select(.target == \"$1\" and .packets > 0)" | grep -q .; }
# is_dropped_as ADDRESS PORT LABEL: the event of the block says what it was, and that it took at most 20 payload packets.
is_dropped_as() {
  event_exists ".event_type == \"drop\" and .dest_ip == \"$1\" and .dest_port == $2 and .spid.label == \"$3\"
    and .spid.payload_packets <= 20"
}

# The promise is 20 payload packets. An emulated machine reacts slower, while the tunnels' clocks go on.
payload_limit=$((patience == 1 ? 20 : 60))
at_most() { [ "$("${@:2}")" -le "$1" ]; }
more_than() { [ "$("${@:2}")" -gt "$1" ]; }

# A tunnel that nobody uses sends too little to be recognised: someone wants a page.
wireguard_traffic() { tunnel_works "$wireguard_inner" || true; }
