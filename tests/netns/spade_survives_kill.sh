#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What SPADE has learned survives kill -9: at most what came since the last checkpoint is lost. A damaged state file is put
# aside and reported, and SPADE begins anew.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$(readlink -f "$0")")/lib.sh"
enter_sandbox "$@"

cat >"$work/policy.toml" <<TOML
version = 1

[spade]
home = ["192.0.2.0/24"]
checkpoint_updates = 20
TOML
state=$work/state/spade.state

# connections N: to an open port.
connections() {
  in_ns client timeout 60 bash -c "for ((i = 0; i < $1; i++)); do exec 3<>/dev/tcp/$web_host/80; exec 3>&-; done"
}
table_sum() { spidctl spade tables --json | jq '[.tables[].remembered] | add | floor'; }
checkpoints() { spidctl spade status --json | jq .spade.checkpoints; }
remembers() { [ "$(table_sum)" -ge "$1" ]; }
checkpoints_are() { [ "$(checkpoints)" -ge "$1" ]; }
damaged_files() { find "$work/state" -name 'spade.state.damaged-*' | wc -l; }
state_is_new() { [ -s "$state" ] && [ "$state" -nt "$1" ]; }

step "Traffic, checkpoints"
make_topology
start_servers
start_spidd "$work/policy.toml"
connections 50
expect_soon 20 "SPADE has learned it" remembers 50
expect_soon 20 "a checkpoint was written" checkpoints_are 1
learned=$(table_sum)
touch "$work/learned"
connections 30 # more than one checkpoint's updates
expect_soon 20 "another was written since" state_is_new "$work/learned"

step "kill -9"
connections 5
before=$(table_sum)
stop spidd KILL
cp "$state" "$work/good.state"
start_spidd "$work/policy.toml"
after=$(table_sum)
note "before the kill $before, after the restart $after, at the checkpoint at least $learned"
expect "what the last checkpoint had is there" test "$after" -ge "$learned"
# A checkpoint is due after 20 updates and made within a second; the first after connections 30 has them all or is followed
# by another.
expect "at most one checkpoint's worth is lost" test "$((before - after))" -le 40
refuse "nothing is said to be damaged" log_says spidd "begins anew"

# starts_anew WHAT: the daemon starts over a damaged state file, puts it aside, says so and goes on learning.
starts_anew() {
  local aside
  aside=$(damaged_files)
  start_spidd "$work/policy.toml"
  expect "$1: the log says that SPADE begins anew" log_says spidd "SPADE begins anew: .*damaged"
  expect "$1: the file is kept aside" test "$(damaged_files)" = "$((aside + 1))"
  expect "$1: nothing of it is used" test "$(table_sum)" -lt 20
  connections 15
  expect_soon 20 "$1: it learns" remembers 15
  stop spidd
  expect "$1: the state is written again" test -s "$state"
}

step "A damaged state file"
stop spidd KILL
head -c "$(($(stat -c %s "$work/good.state") / 2))" "$work/good.state" >"$state"
starts_anew "cut in half"
cp "$work/good.state" "$state"
printf '\xff\xff\xff' | dd of="$state" bs=1 seek="$(($(stat -c %s "$state") / 2))" conv=notrunc status=none
starts_anew "three bytes changed"
start_spidd "$work/policy.toml"
expect "a whole file is taken" remembers 15
