#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The first process of a test machine: loads modules, runs the tests of /vmtests/tests, reports on the second serial port
# and powers off. The line GUEST-RC=0 is written only if every test passed and the kernel complained of nothing; a machine
# that dies on the way writes no such line and has thereby failed.
# /vmtests/tests has lines of: NAME SECONDS COMMAND...
export PATH=/usr/sbin:/usr/bin HOME=/root LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t bpf bpf /sys/fs/bpf
ln -sf /proc/self/fd /dev/fd

report() { printf '%s\n' "$*" | tee /dev/ttyS1; }

while read -r module; do
  insmod "/vmtests/modules/$module" || report "module $module does not load"
done </vmtests/modules.txt
ip link set lo up
report "kernel $(uname -r) is up after $(cut -d' ' -f1 /proc/uptime) s"
# shellcheck source=/dev/null
source /vmtests/environment

failed=0
while read -r name limit command; do
  started=$SECONDS
  printf '\n#### %s\n' "$name"
  # shellcheck disable=SC2086 # the command is a list of words
  if timeout "$limit" $command </dev/null 2>&1; then
    report "ok     $name ($((SECONDS - started)) s)"
  else
    report "FAILED $name (status $?, $((SECONDS - started)) s)"
    failed=$((failed + 1))
  fi
done </vmtests/tests

if dmesg | grep -E 'WARNING:|BUG:|Oops|Call Trace|blocked for more than|possible recursive locking'; then
  report "FAILED the kernel's log has warnings"
  failed=$((failed + 1))
fi
report "GUEST-RC=$failed"
sync
echo o >/proc/sysrq-trigger
sleep 30
