#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# From a fresh Debian 12 to a sensor at work: installs what is missing, builds, and shows in network namespaces of its own
# how a gateway recognises and blocks tunnels and leaves HTTPS and SSH alone. Or watches one of your interfaces.
#   sudo packaging/quickstart.sh             the demonstration; nothing of your network is touched
#   sudo packaging/quickstart.sh -i IFACE    observes IFACE until Ctrl-C: reports tunnels, blocks nothing
#   --build DIR     the programs of this build, and no building (default: builds in build/quickstart)
#   --no-install    the packages are there already
# It can be run again; what it leaves is the packages and the build directory.
# shellcheck source-path=SCRIPTDIR/../tests/netns
here=$(dirname "$(readlink -f "$0")")

main() {
  local interface='' install=true given_build=''
  while [ $# -gt 0 ]; do
    case $1 in
      -i | --build)
        [ -n "${2:-}" ] || usage
        if [ "$1" = -i ]; then interface=$2; else given_build=$(readlink -f "$2"); fi
        shift
        ;;
      --no-install) install=false ;;
      *) usage ;;
    esac
    shift
  done
  if [ "$(id -u)" != 0 ]; then
    echo "quickstart: must be root, to load BPF programs (sudo packaging/quickstart.sh)" >&2
    exit 1
  fi
  if [ -n "$interface" ] && [ ! -e "/sys/class/net/$interface" ]; then
    echo "quickstart: there is no interface '$interface' (see: ip link)" >&2
    exit 1
  fi

  if $install; then
    "$here/install-dependencies.sh" build demonstration
  fi
  export SPIDD_BUILD_DIR=${given_build:-$(dirname "$here")/build/quickstart}
  [ -n "$given_build" ] || build
  # shellcheck source=lib.sh
  source "$here/../tests/netns/lib.sh"
  if [ -n "$interface" ]; then
    observe "$interface"
  else
    enter_sandbox "$@"
  fi
}

usage() {
  sed -n '5,8s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

build() {
  echo "Building in $SPIDD_BUILD_DIR"
  mkdir -p "$SPIDD_BUILD_DIR"
  local log=$SPIDD_BUILD_DIR/quickstart.log
  if ! { cmake -S "$here/.." -B "$SPIDD_BUILD_DIR" -G Ninja -DCMAKE_BUILD_TYPE=Release -DSPIDD_TESTS=OFF &&
    cmake --build "$SPIDD_BUILD_DIR" --parallel "$(nproc)"; } >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "quickstart: the build failed, see $log" >&2
    exit 1
  fi
}

# --- one of the machine's own interfaces

observe() {
  local state status=0
  state=$(mktemp -d)
  "$build_dir/bin/spidd" -i "$1" --state "$state" --socket "$state/control.sock" &
  local spidd=$!
  # shellcheck disable=SC2064 # the values of now
  trap "kill $spidd 2>/dev/null; wait $spidd; rm -rf '$state'" EXIT
  trap : INT TERM
  if ! within 20 "$build_dir/bin/spidctl" --socket "$state/control.sock" status; then
    echo "quickstart: spidd did not get ready" >&2
    exit 1
  fi
  cat <<TEXT

spidd observes $1 and blocks nothing. In another terminal, as root:
  $build_dir/bin/spidctl --socket $state/control.sock status     (or flows, ports, --help)
Tunnels appear below as they are recognised. Ctrl-C ends it and removes it from the interface.

TEXT
  "$build_dir/bin/spidctl" --socket "$state/control.sock" alerts --follow &
  wait $! || status=$?
  [ "$status" -ge 128 ] || return "$status"
}

# --- the demonstration, in a sandbox

demonstrate() {
  step "A client, a gateway, a server: three network namespaces"
  sed -n '4,20s/^#   /   /p' "$project_dir/tests/netns/topology.sh"
  make_topology
  start_servers

  step "Without spidd, everything goes through"
  show "a download by HTTPS" https_download
  openvpn_connect
  show "a page through OpenVPN on TCP 443" within 20 tunnel_works "$openvpn_inner"
  wireguard_connect
  show "a page through WireGuard on UDP 53" within 20 tunnel_works "$wireguard_inner"
  stop openvpn-client
  stop wgc

  step "The gateway now runs spidd with policy/gateway.toml"
  write_gateway_policy "$work/policy.toml"
  note "authorised in it: the VPN server $authorised_host, UDP 51820"
  start_spidd "$work/policy.toml"
  spidctl status | indented

  step "The same traffic again"
  ssh_session "$work/ssh.log" "uname -s" "-wait $work/tunnels-are-over" &
  local session=$!
  show "a download by HTTPS" https_download
  openvpn_connect
  wait_for 20 "OpenVPN on TCP 443 is blocked" is_blocked "tcp $openvpn_host:443"
  show_blocked "a page through OpenVPN on TCP 443" tunnel_works "$openvpn_inner"
  wireguard_connect
  wireguard_traffic
  wait_for 20 "WireGuard on UDP 53 is blocked" is_blocked "udp $wireguard_host:53"
  show_blocked "a page through WireGuard on UDP 53" tunnel_works "$wireguard_inner"
  authorised_connect
  show "a page through the authorised WireGuard" within 20 tunnel_works "$authorised_inner"
  show "a download by HTTPS" https_download
  touch "$work/tunnels-are-over"
  show "the SSH session that has been open all the time" wait "$session"

  step "What was seen: spidctl flows, and flows --ended"
  spidctl flows | indented
  spidctl flows --ended | indented
  step "What is blocked: spidctl drops"
  spidctl drops | indented
  step "In sum: spidctl status"
  spidctl status | indented

  step "spidd stops, and the tunnel works again"
  stop openvpn-client
  stop spidd
  openvpn_connect
  show "a page through OpenVPN on TCP 443" within 20 tunnel_works "$openvpn_inner"
  printf '\nNext: sudo packaging/quickstart.sh -i IFACE observes one of your interfaces.\n'
}

indented() { sed 's/^/   /'; }
show() {
  local what=$1
  shift
  "$@" >/dev/null 2>&1 || fail "$what does not work"
  printf '   %-58s works\n' "$what"
}
show_blocked() {
  local what=$1
  shift
  if "$@" >/dev/null 2>&1; then
    fail "$what works, but is to be blocked"
  fi
  printf '   %-58s BLOCKED\n' "$what"
}

if [ -n "${SPIDD_SANDBOX:-}" ]; then
  # shellcheck source=lib.sh
  source "$here/../tests/netns/lib.sh"
  enter_sandbox "$@"
  demonstrate
else
  set -euo pipefail
  main "$@"
fi
