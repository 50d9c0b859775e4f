#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Boots each kernel of kernels.txt in QEMU and runs the bpf and netns tests of a build inside it. The guest is an
# initramfs of this machine's own programs: no disk image, no network, no change to this machine.
#   vmtests/run.sh [--short | --netns TEST...] [--build DIR] [KERNEL...]
#     --short      all tests of the programs, one of each kind on live interfaces and one netns test, for every change
#     --netns TEST only this netns test (may be repeated) and no bpf tests
#     --build DIR  the build to test (default build/release)
#     KERNEL       names of kernels.txt (default: all)
# Environment: SPIDD_VM_ACCEL=kvm where KVM boots stock kernels (default tcg, which always does), SPIDD_VM_TIME_LIMIT in
# seconds per kernel, SPIDD_VM_CACHE for the kernel packages.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
project_dir=$(dirname "$here")
build_dir=${SPIDD_BUILD_DIR:-$project_dir/build/release}
only=()
accel=${SPIDD_VM_ACCEL:-tcg}
time_limit=${SPIDD_VM_TIME_LIMIT:-1700}

netns_tests=(plumbing blocks_tunnels observe_only_alerts block_expires survives_kill ipv6_and_vlan two_interfaces
  few_capabilities)
short_netns_tests=(blocks_tunnels)
# Every start of the datapath is checked by the kernel's verifier: half a minute in an emulated 6.1. So the short form
# starts it once for each hook, each kind of record and each way in which a block ends.
short_live_tests='LiveEnforcement.ABlockedEndpoint*:LiveEnforcement.ABlockEndsInTime*:LiveEnforcement.AfterKill*'
short_live_tests+=':LiveHooks.NativeXdp*:LiveHooks.TheDispatcher*:LiveHooks.Clsact*:LiveHooks.AForeignXdp*'
short_live_tests+=':LiveSource.RecordsSay*:LiveSource.OnlyTheFirstTwenty*:LiveSource.Sizes*:LiveSource.FindsTheTls*'
short_live_tests+=':LiveSource.AnInterfaceWithoutEthernet*'
live_arguments=
# veth and tun for the tests' networks, the rest for what spidd attaches to.
modules=(veth tun 8021q sch_ingress cls_bpf act_bpf)
# Everything the netns tests call that busybox has not or has in too simple a form.
programs=(bash ip tc ethtool unshare nsenter mount tcpdump jq openssl curl openvpn wireguard-go wg nginx sshd ssh
  ssh-keygen bpftool xdp-loader ping setpriv)

main() {
  local kernels=()
  while [ $# -gt 0 ]; do
    case $1 in
      --short)
        netns_tests=("${short_netns_tests[@]}")
        live_arguments=--gtest_filter=$short_live_tests
        ;;
      --netns) shift && only+=("$1") ;;
      --build) shift && build_dir=$(readlink -f "$1") ;;
      -*) usage ;;
      *) kernels+=("$1") ;;
    esac
    shift
  done
  if [ ${#kernels[@]} = 0 ]; then
    mapfile -t kernels < <(sed -n 's/^\([0-9][^ ]*\) .*/\1/p' "$here/kernels.txt")
  fi

  cache=${SPIDD_VM_CACHE:-$build_dir/vmtests}
  mkdir -p "$cache"
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT

  local kernel failed=0
  for kernel in "${kernels[@]}"; do
    fetch_kernel "$kernel"
    make_initramfs "$kernel"
    boot "$kernel" || failed=$((failed + 1))
  done
  echo "vmtests: $((${#kernels[@]} - failed)) of ${#kernels[@]} kernels passed"
  [ "$failed" = 0 ]
}

usage() {
  sed -n '5,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

# Sets kernel_root (the unpacked package, kept in the cache) and kernel_version.
fetch_kernel() {
  local meta package
  meta=$(awk -v name="$1" '$1 == name {print $2}' "$here/kernels.txt")
  if [ -z "$meta" ]; then
    echo "vmtests: '$1' is not in kernels.txt" >&2
    exit 2
  fi
  package=$(current_image "$meta")
  if [ -z "$package" ]; then
    apt-get -qq update
    package=$(current_image "$meta")
  fi
  if [ -z "$package" ]; then
    echo "vmtests: apt knows no package $meta" >&2
    exit 1
  fi
  kernel_version=${package#linux-image-}
  kernel_root=$cache/$package
  [ -e "$kernel_root/complete" ] && return
  echo "vmtests: fetching $package"
  rm -rf "$kernel_root"
  mkdir -p "$scratch/deb" "$kernel_root"
  # apt's download sandbox user cannot write to a directory of root's.
  (cd "$scratch/deb" && apt-get -qq -o APT::Sandbox::User=root download "$package")
  dpkg -x "$scratch/deb/${package}"_*.deb "$kernel_root"
  rm -rf "$scratch/deb"
  depmod -b "$kernel_root" "$kernel_version"
  touch "$kernel_root/complete"
}

current_image() {
  apt-cache depends "$1" 2>/dev/null | awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ {print $2; exit}'
}

make_initramfs() {
  guest=$scratch/guest-$1
  rm -rf "$guest"
  mkdir -p "$guest"/usr/{bin,sbin,lib,lib64} "$guest"/{proc,sys,dev,tmp,run,root,etc/ssl,var,vmtests/modules}
  chmod 755 "$guest"
  local link
  for link in bin sbin lib lib64; do
    ln -s "usr/$link" "$guest/$link"
  done
  ln -s /run "$guest/var/run"
  ln -s /proc/mounts "$guest/etc/mtab"

  cp "$(command -v busybox)" "$guest/usr/bin/busybox"
  local applet
  for applet in $(busybox --list); do
    [ "$applet" = busybox ] || ln -s busybox "$guest/usr/bin/$applet"
  done
  local program
  for program in "${programs[@]}"; do
    add_program "$(PATH=/usr/sbin:/usr/bin:/sbin:/bin command -v "$program")"
  done
  add_file /lib/x86_64-linux-gnu/libgcc_s.so.1 # opened by glibc when a thread ends
  local dispatcher
  for dispatcher in /usr/lib/x86_64-linux-gnu/bpf/*.o; do
    add_file "$dispatcher"
  done
  mkdir -p "$guest/usr/lib/ssl"
  cp /etc/ssl/openssl.cnf "$guest/usr/lib/ssl/openssl.cnf"
  # sshd and nginx want to know these accounts.
  printf '%s:x:%s:%s::/root:/bin/sh\n' root 0 0 sshd 101 65534 nobody 65534 65534 www-data 33 33 >"$guest/etc/passwd"
  printf '%s:x:%s:\n' root 0 tty 5 nogroup 65534 www-data 33 utmp 43 >"$guest/etc/group"
  printf '%s:*:19000:0:99999:7:::\n' root sshd nobody www-data >"$guest/etc/shadow"

  add_modules
  add_tests
  cp "$here/guest_init.sh" "$guest/init"
  chmod 755 "$guest/init"
  # Not compressed: an emulated processor unpacks slowly, memory is cheap.
  (cd "$guest" && find . | cpio -o -H newc --quiet) >"$scratch/initramfs-$1"
  rm -rf "$guest"
}

# A file keeps its path in the guest.
add_file() {
  local path=$guest$1
  [ -e "$path" ] && [ ! -L "$path" ] && return
  mkdir -p "$(dirname "$path")"
  rm -f "$path"
  cp -L "$1" "$path"
  # Debugging information is most of a build and would have to be unpacked by an emulated processor.
  if [[ $1 == "$build_dir"/* ]]; then
    strip --strip-debug "$path"
  fi
}

add_program() {
  local path=$1 library
  case $path in # where a link of the old layout leads
    /bin/* | /sbin/*) path=/usr$path ;;
  esac
  add_file "$path"
  for library in $(ldd "$path" 2>/dev/null | grep -oE '/[^ ]+'); do
    add_file "$library"
  done
}

# Modules in load order, those they depend on first; what is built into the kernel is not listed by modprobe.
add_modules() {
  local module file name
  : >"$guest/vmtests/modules.txt"
  for module in "${modules[@]}"; do
    modprobe -d "$kernel_root" -S "$kernel_version" -D "$module" 2>/dev/null | awk '$1 == "insmod" {print $2}' || true
  done | awk '!seen[$0]++' | while read -r file; do
    name=$(basename "$file")
    case $name in
      *.xz) name=${name%.xz} && xz -dc "$file" >"$guest/vmtests/modules/$name" ;;
      *) cp "$file" "$guest/vmtests/modules/$name" ;;
    esac
    echo "$name" >>"$guest/vmtests/modules.txt"
  done
}

# The build's programs and the tests, at the paths they have here, which are compiled into some of them.
add_tests() {
  local program test
  for program in spidd spidctl; do
    add_program "$build_dir/bin/$program"
  done
  mkdir -p "$guest$project_dir"
  cp -r "$project_dir/tests" "$project_dir/policy" "$project_dir/packaging" "$guest$project_dir/"

  : >"$guest/vmtests/tests"
  local bpf_tests=()
  [ ${#only[@]} = 0 ] && mapfile -t bpf_tests < <(ctest --test-dir "$build_dir" -L '^bpf$' --show-only=json-v1 |
    jq -r '.tests[].command[0] // empty' | sort -u)
  for program in "${bpf_tests[@]}"; do
    add_program "$program"
    local arguments=
    [ "$(basename "$program")" != bpf_live ] || arguments=$live_arguments
    echo "bpf.$(basename "$program") 1200 $program $arguments" >>"$guest/vmtests/tests"
  done
  [ ${#only[@]} = 0 ] || netns_tests=("${only[@]}")
  for test in "${netns_tests[@]}"; do
    echo "netns.$test 600 $project_dir/tests/netns/$test.sh" >>"$guest/vmtests/tests"
  done
  cat >"$guest/vmtests/environment" <<ENVIRONMENT
export REQUIRE_PRIVILEGED_TESTS=1
export SPIDD_BUILD_DIR=$build_dir
export SPIDD_TEST_PATIENCE=5
export SPIDD_REQUIRE_VLAN=1
export SPIDD_TEST_DOWNLOAD_BYTES=2097152
ENVIRONMENT
}

boot() {
  local kernel=$1 console=$cache/console-$1.log result=$scratch/result-$1 started=$SECONDS
  : >"$result"
  echo "vmtests: kernel $kernel ($kernel_version, $(du -h "$scratch/initramfs-$kernel" | cut -f1) initramfs)"
  timeout --kill-after=10 "$time_limit" qemu-system-x86_64 -accel "$accel" -cpu max -machine q35 -m 2048 -smp 2 \
    -display none -monitor none -no-reboot -nodefaults -serial "file:$console" -serial "file:$result" \
    -kernel "$kernel_root/boot/vmlinuz-$kernel_version" -initrd "$scratch/initramfs-$kernel" \
    -append "console=ttyS0 panic=-1 panic_on_warn=1 quiet" </dev/null || echo "vmtests: the machine was stopped: $?"
  rm -f "$scratch/initramfs-$kernel"
  tr -d '\r' <"$result" | sed 's/^/  /'
  if tr -d '\r' <"$result" | grep -qx 'GUEST-RC=0'; then
    echo "vmtests: kernel $kernel passed in $((SECONDS - started)) s"
    return 0
  fi
  echo "vmtests: kernel $kernel FAILED in $((SECONDS - started)) s; its console:"
  tail -n 200 "$console"
  return 1
}

main "$@"
