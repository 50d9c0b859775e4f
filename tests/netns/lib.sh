# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared between the sourced files
# What every netns test and the quickstart demonstration share: a sandbox that vanishes with the script, background
# programs with logs, waiting on conditions (never for a fixed time) and assertions. Sourced, not run.
set -euo pipefail
umask 022

project_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build_dir=${SPIDD_BUILD_DIR:-$project_dir/build/release}
# Every time limit is multiplied by this: emulated machines (vmtests/) are slow.
patience=${SPIDD_TEST_PATIENCE:-1}
# All files of a run: on the sandbox's own tmpfs, gone with it.
work=/run/work
declare -A pids=()

# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/topology.sh"
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/programs.sh"
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/sensor.sh"

# enter_sandbox ARGS...: runs the script again as the first process of new mount, pid and network namespaces. Whatever it
# mounts, starts, pins or creates there goes when it ends, however it ends; nothing of the host's network is reachable.
enter_sandbox() {
  if [ -z "${SPIDD_SANDBOX:-}" ]; then
    require_root
    SPIDD_SANDBOX=1 exec unshare --mount --pid --net --fork --kill-child --mount-proc -- \
      "$(readlink -f "$0")" "$@"
  fi
  mount -t tmpfs tmpfs /run
  mount -t bpf bpf /sys/fs/bpf
  mkdir -p "$work"
  # sshd refuses an account whose password is locked with "!": here root's is only unusable.
  sed 's/^root:[^:]*:/root:*:/' /etc/shadow >"$work/shadow"
  chmod 600 "$work/shadow"
  mount --bind "$work/shadow" /etc/shadow
  trap leave_sandbox EXIT
}

leave_sandbox() {
  local status=$?
  trap - EXIT
  if [ "$status" != 0 ]; then
    show_logs
  fi
  exit "$status"
}

# A test that is not allowed to do its work is skipped (77) on a developer's machine and fails where every test must run.
require_root() {
  [ "$(id -u)" = 0 ] && return
  echo "root is needed for network namespaces and BPF" >&2
  [ -z "${REQUIRE_PRIVILEGED_TESTS:-}" ] && exit 77
  exit 1
}

step() { printf '\n== %s\n' "$*"; }
note() { printf '   %s\n' "$*"; }

# run COMMAND...: shows the command, then runs it.
run() {
  printf '   $ %s\n' "$*"
  "$@"
}

fail() {
  printf '\nFAILED: %s\n' "$*" >&2
  exit 1
}

show_logs() {
  local log
  show_spidd
  for log in "$work"/*.log; do
    [ -s "$log" ] || continue
    printf '\n-- the end of %s\n' "$(basename "$log")"
    tail -n 40 "$log"
  done >&2
  if [ -n "${SPIDD_KEEP_LOGS:-}" ]; then
    mkdir -p "$SPIDD_KEEP_LOGS" && cp -r "$work/." "$SPIDD_KEEP_LOGS/"
    echo "all files of the run are in $SPIDD_KEEP_LOGS" >&2
  fi
}

# in_ns NAMESPACE COMMAND...: unlike `ip netns exec`, keeps this sandbox's /sys with its bpffs.
in_ns() {
  local ns=$1
  shift
  nsenter --net="/run/netns/$ns" -- "$@"
}

# spawn NAME NAMESPACE COMMAND...: in the background, output to $work/NAME.log; pids[NAME] is the program itself.
spawn() {
  local name=$1 ns=$2
  shift 2
  : >"$work/$name.log" # now, not when the child gets there: an earlier run's words must not be taken for its own
  nsenter --net="/run/netns/$ns" -- "$@" </dev/null >"$work/$name.log" 2>&1 &
  pids[$name]=$!
}

is_running() { kill -0 "${pids[$1]:-0}" 2>/dev/null && [ -n "${pids[$1]:-}" ]; }
is_gone() { ! is_running "$1"; }

# stop NAME [SIGNAL]: ends a program and waits until it is gone; its exit status is in stop_status.
stop() {
  local name=$1 signal=${2:-TERM}
  [ -n "${pids[$name]:-}" ] || return 0
  kill "-$signal" "${pids[$name]}" 2>/dev/null || true
  wait_for 20 "$name ends after SIG$signal" is_gone "$name"
  stop_status=0
  wait "${pids[$name]}" 2>/dev/null || stop_status=$?
  unset "pids[$name]"
}

# wait_for SECONDS WHAT COMMAND...: polls until COMMAND succeeds, fails the test if it does not in time.
wait_for() {
  local limit=$1 what=$2
  shift 2
  within "$limit" "$@" || fail "within $((limit * patience)) s: $what"
}

# within SECONDS COMMAND...: whether COMMAND succeeds in time.
within() {
  local deadline=$((SECONDS + $1 * patience))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS <= deadline)) || return 1
    sleep 0.05
  done
}

# expect WHAT COMMAND...: the command must succeed; else what it printed is shown.
expect() {
  local what=$1
  shift
  if ! "$@" >"$work/expect.out" 2>&1; then
    tail -n 5 "$work/expect.out" >&2
    fail "$what"
  fi
  note "ok: $what"
}

# expect_soon SECONDS WHAT COMMAND...: the command must succeed within that time.
expect_soon() {
  wait_for "$@"
  note "ok: $2"
}

# refuse WHAT COMMAND...: the command must fail.
refuse() {
  local what=$1
  shift
  if "$@" >/dev/null 2>&1; then
    fail "$what"
  fi
  note "ok: $what"
}

# never SECONDS WHAT COMMAND...: the command must go on failing for that time, however slow the machine.
never() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  while ((SECONDS < deadline)); do
    if "$@" >/dev/null 2>&1; then
      fail "$what"
    fi
    sleep 0.05
  done
  note "ok: $what"
}

log_says() { grep -q -- "$2" "$work/$1.log"; }
