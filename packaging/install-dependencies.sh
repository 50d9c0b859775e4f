#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The one list of the Debian 12 packages that spidd needs, by purpose, and their installation.
#   packaging/install-dependencies.sh [PURPOSE...]          default: build demonstration test
#   packaging/install-dependencies.sh --missing [PURPOSE...]   only name what is not installed
# It may be run any number of times, asks nothing, and starts no daemon of the packages it installs.
set -euo pipefail

# To compile the programs, the BPF objects and the unit tests.
build=(
  clang llvm bpftool                                        # BPF objects and their skeletons
  g++ cmake ninja-build pkg-config
  libbpf-dev libxdp-dev libelf-dev zlib1g-dev
  libpcap-dev libcap-ng-dev libpugixml-dev
  libcxxopts-dev libtomlplusplus-dev libfmt-dev libexpected-dev nlohmann-json3-dev
  libgtest-dev libgmock-dev
)
# To run the demonstration and the netns tests: real programs on both sides of a gateway.
demonstration=(
  iproute2 util-linux procps iputils-ping ethtool tcpdump jq
  openvpn wireguard-go wireguard-tools
  openssh-server openssh-client nginx-light curl openssl
)
# To run every test: lint, and virtual machines with other kernels.
test=(
  clang-format shellcheck mandoc bpftool xdp-tools
  qemu-system-x86 busybox-static kmod cpio xz-utils dpkg-dev
)
# To compare with others: xdp-filter and ndpiReader.
bench=(libbenchmark-dev xdp-tools libndpi-bin)
# To build the Debian packages.
package=(debhelper dpkg-dev fakeroot)

main() {
  local only_name_missing=false
  if [ "${1:-}" = --missing ]; then
    only_name_missing=true
    shift
  fi
  [ $# -gt 0 ] || set -- build demonstration test

  local wanted=() purpose
  for purpose in "$@"; do
    case $purpose in
      build) wanted+=("${build[@]}") ;;
      demonstration) wanted+=("${demonstration[@]}") ;;
      test) wanted+=("${test[@]}") ;;
      bench) wanted+=("${bench[@]}") ;;
      package) wanted+=("${package[@]}") ;;
      *)
        echo "usage: $0 [--missing] [build|demonstration|test|bench|package]..." >&2
        exit 2
        ;;
    esac
  done

  local missing=() name
  for name in "${wanted[@]}"; do
    is_installed "$name" || missing+=("$name")
  done
  if [ ${#missing[@]} -eq 0 ]; then
    return
  fi
  if $only_name_missing; then
    printf '%s\n' "${missing[@]}"
    return
  fi
  if [ "$(id -u)" != 0 ]; then
    echo "$0: must be root to install: ${missing[*]}" >&2
    exit 1
  fi

  echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
  forbid_daemons
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q update -o DPkg::Lock::Timeout=300
  apt-get -q install -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "${missing[@]}"
  disable_services "${missing[@]}"
}

is_installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# sshd, nginx and openvpn are used in namespaces only: while a policy-rc.d answers 101, no maintainer script starts them.
policy_rc_d=/usr/sbin/policy-rc.d
forbid_daemons() {
  if [ -e "$policy_rc_d" ]; then
    saved_policy_rc_d=$(mktemp)
    cp -p "$policy_rc_d" "$saved_policy_rc_d"
  fi
  trap allow_daemons EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy_rc_d"
  chmod 755 "$policy_rc_d"
}

# Nor may a daemon that was not there before come up at the next boot.
disable_services() {
  command -v systemctl >/dev/null || return 0
  local name
  for name in "$@"; do
    case $name in
      openssh-server) systemctl disable --quiet ssh.service ssh.socket 2>/dev/null || true ;;
      nginx-light) systemctl disable --quiet nginx.service 2>/dev/null || true ;;
      openvpn) systemctl disable --quiet openvpn.service 2>/dev/null || true ;;
    esac
  done
}

allow_daemons() {
  if [ -n "${saved_policy_rc_d:-}" ]; then
    mv "$saved_policy_rc_d" "$policy_rc_d"
  else
    rm -f "$policy_rc_d"
  fi
}

main "$@"
