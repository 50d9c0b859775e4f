# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared between the sourced files
# The network of the netns tests and of the demonstration: three network namespaces. Sourced by lib.sh.
#
#   client                     gateway                       server
#
#   192.0.2.50   c0 ──────── gi  192.0.2.1
#   2001:db8:1::50           │   2001:db8:1::1
#                            │   spidd: XDP ingress and tc egress on gi
#                            │
#                            go  198.51.100.1 ──────── s0  198.51.100.20  HTTPS download on TCP 443 (nginx)
#                                2001:db8:2::1                       .30  OpenVPN on TCP 443
#                                                                    .40  WireGuard on UDP 53
#                                                                    .50  SSH on TCP 22
#                                                                    .60  WireGuard on UDP 51820, authorised
#                                                          and the same last numbers in 2001:db8:2::/64
#
# With vlan=ID in the environment of make_topology, client and gateway talk through VLAN ID on c0 and gi; spidd stays on
# gi and sees tagged frames. add_second_client adds the namespace client2 behind a second inside interface gi2.

web_host=198.51.100.20
openvpn_host=198.51.100.30
wireguard_host=198.51.100.40
ssh_host=198.51.100.50
authorised_host=198.51.100.60
web_host6=2001:db8:2::20
wireguard_host6=2001:db8:2::40

make_topology() {
  local ns
  for ns in client gateway server; do
    add_namespace "$ns"
  done
  ip -n client link add c0 type veth peer name gi netns gateway
  ip -n server link add s0 type veth peer name go netns gateway
  up client c0
  up gateway gi
  up gateway go
  up server s0

  local client_if=c0 inside_if=gi
  if [ -n "${vlan:-}" ]; then
    # Without tag offload the tag is in the frame, as it is on a cable.
    in_ns client ethtool -K c0 txvlan off rxvlan off >/dev/null
    in_ns gateway ethtool -K gi txvlan off rxvlan off >/dev/null
    ip -n client link add link c0 name c0.v type vlan id "$vlan"
    ip -n gateway link add link gi name gi.v type vlan id "$vlan"
    client_if=c0.v inside_if=gi.v
    up client c0.v
    up gateway gi.v
  fi

  join client "$client_if" 192.0.2.50/24 2001:db8:1::50/64
  join gateway "$inside_if" 192.0.2.1/24 2001:db8:1::1/64
  join gateway go 198.51.100.1/24 2001:db8:2::1/64
  local last
  for last in 20 30 40 50 60; do
    join server s0 "198.51.100.$last/24" "2001:db8:2::$last/64"
  done
  default_routes client 192.0.2.1 2001:db8:1::1
  default_routes server 198.51.100.1 2001:db8:2::1
  own_source 53 40
  own_source 51820 60
  in_ns gateway sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
}

# Not every kernel has VLAN interfaces as a module or built in.
kernel_has_vlan() {
  ip link add probe type veth peer name probe2 && ip link add link probe name probe.v type vlan id 1
  local status=$?
  ip link del probe
  return "$status"
}

add_second_client() {
  add_namespace client2
  ip -n client2 link add c0 type veth peer name gi2 netns gateway
  up client2 c0
  up gateway gi2
  join client2 c0 192.0.3.50/24 2001:db8:3::50/64
  join gateway gi2 192.0.3.1/24 2001:db8:3::1/64
  default_routes client2 192.0.3.1 2001:db8:3::1
}

add_namespace() {
  ip netns add "$1"
  up "$1" lo
}
up() { ip -n "$1" link set "$2" up; }
join() {
  ip -n "$1" address add "$3" dev "$2"
  ip -n "$1" address add "$4" dev "$2" nodad
}
default_routes() {
  ip -n "$1" route add default via "$2"
  ip -n "$1" -6 route add default via "$3"
}

# own_source PORT LAST: what the server sends from a UDP port has the address that ends in LAST. A WireGuard server that calls
# its client from another address makes the client roam there, away from the endpoint that was blocked.
own_source() {
  ip -n server rule add ipproto 17 sport "$1" lookup "$1"
  ip -n server -6 rule add ipproto 17 sport "$1" lookup "$1"
  ip -n server route add default via 198.51.100.1 src "198.51.100.$2" table "$1"
  ip -n server -6 route add default via 2001:db8:2::1 src "2001:db8:2::$2" table "$1"
}

# What passed the gateway, seen where dropped packets no longer appear: the capture taps of Linux lie behind XDP ingress
# and behind tc egress. passed_payload_packets FILTER: packets with payload, both directions together.
watch_gateway() {
  spawn gateway-capture gateway tcpdump -i gi -n -U --immediate-mode -Z root -s 128 -w "$work/passed.pcap"
  wait_for 10 "the capture on gi has begun" log_says gateway-capture "listening on"
}
passed_payload_packets() {
  tcpdump -n -q -Z root -r "$work/passed.pcap" "$@" 2>/dev/null | grep -Ecv 'tcp 0$|length 0$|ICMP' || true
}
