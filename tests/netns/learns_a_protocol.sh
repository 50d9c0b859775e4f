#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A protocol that no model knows: unknown at first, learned from the stream, recognised as unknown-xxxx also after a restart,
# never blocked while nobody has confirmed it; named by the operator it is blocked by a rule, also after kill -9.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$(readlink -f "$0")")/lib.sh"
enter_sandbox "$@"

port=7001

# Leafcast, spoken nowhere else: 9e 4c, operation, sequence number, length, then a leaf: kind, depth and samples of a curve.
cat >"$work/leafcast.py" <<'PYTHON'
import random, socket, struct, sys, threading, time

def leaf(operation, sequence, count):
    curve = random.randrange(40, 60)
    samples = bytes((curve + 3 * i + random.randrange(4)) % 96 + 128 for i in range(count))
    body = struct.pack("<BHB", 0xB0 + operation, 0x0107, count) + samples
    return struct.pack(">HBHH", 0x9E4C, operation, sequence, len(body)) + body

def read_leaf(stream):
    head = stream.recv(7, socket.MSG_WAITALL)
    if len(head) < 7:
        return False
    length = struct.unpack(">HBHH", head)[3]
    return len(stream.recv(length, socket.MSG_WAITALL)) == length

def answer(stream):
    sequence = 0
    while read_leaf(stream):
        stream.sendall(leaf(2, sequence, 70 + random.randrange(6)))
        sequence += 1
    stream.close()

def serve(address, port):
    listener = socket.create_server((address, port))
    while True:
        stream, _ = listener.accept()
        threading.Thread(target=answer, args=(stream,), daemon=True).start()

def ask(address, port):
    with socket.create_connection((address, port), timeout=5) as stream:
        for sequence in range(14):
            stream.sendall(leaf(1, sequence, 18 + random.randrange(5)))
            if not read_leaf(stream):
                sys.exit(1)
            time.sleep(0.01)

{"serve": serve, "ask": ask}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
PYTHON

leafcast() { in_ns client python3 "$work/leafcast.py" ask "$web_host" "$port"; }
leafcasts() {
  local i
  for ((i = 0; i < $1; i++)); do leafcast || return 1; done
}
is_ready() { leafcast; }
ended_as() { event_exists ".event_type == \"flow\" and .dest_port == $port and .spid.label == \"$1\""; }
ended_flows() { jq -c "select(.event_type == \"flow\" and .dest_port == $port and .spid.label == \"$1\")" "$event_log" | wc -l; }
learned_name() { jq -r 'select(.event_type == "protocol-learned") | .learned.label' "$event_log" | head -n 1; }
is_learned() { leafcasts 3 && [ -n "$(learned_name)" ]; }
# Flows that began before new models are with the workers still end under the old ones: speak until one does not.
comes_as() { leafcast && ended_as "$1"; }
comes_again_as() { leafcast && more_than "$2" ended_flows "$1"; }
cluster_says() { spidctl learn show "$1" --json | jq -e "$2" >/dev/null; }
has_evidence() { leafcasts 3 && cluster_says "$1" .evidence; }
alerts_of_a_block() {
  leafcast && event_exists ".event_type == \"alert\" and .dest_port == $port and .alert.would_block"
}
write_policy() { # LABEL
  cat >"$work/policy.toml" <<POLICY
version = 1
mode = "enforce"

[[rule]]
name = "no-leaves"
labels = ["$1"]
min_score = 0.0
min_margin = 0.0
action = "block"
proof = "verdict"
for = "1h"
POLICY
  expect "the policy against $1 is accepted" "$build_dir/bin/spidctl" policy check "$work/policy.toml"
}
# A minute between two occasions is a long time for a test.
cat >"$work/spidd.toml" <<'CONFIG'
[learning]
occasion_gap = "1s"
CONFIG

step "A protocol that no model knows"
make_topology
write_policy leafcast
start_spidd "$work/policy.toml" --config "$work/spidd.toml"
spawn leafcast server python3 "$work/leafcast.py" serve "$web_host" "$port"
expect_soon 10 "it is spoken" is_ready
expect_soon 10 "it is unknown" ended_as unknown

step "Learned from the stream"
expect_soon 40 "it is learned" is_learned
name=$(learned_name)
note "it is called $name"
expect_soon 10 "the event has a name" test "${name#unknown-}" != "$name"
expect_soon 40 "enough was seen of it to let it block" has_evidence "$name"
expect_soon 20 "it is recognised" comes_as "$name"
expect "the list has it" test "$(spidctl learn list --json | jq -r '.clusters[0] | .name + " " + .state')" = "$name provisional"
run spidctl learn show "$name"
expect "its samples show what it says" cluster_says "$name" '.samples[0].packets[0].hex | startswith("9e4c01")'

step "After a restart"
stop spidd
expect "spidd ends cleanly" test "$stop_status" = 0
start_spidd "$work/policy.toml" --config "$work/spidd.toml"
before=$(ended_flows "$name")
expect_soon 20 "it is recognised" comes_again_as "$name" "$before"

step "A rule against what nobody has confirmed"
write_policy "$name"
expect "the policy is loaded" spidctl policy reload
expect_soon 20 "the rule alerts" alerts_of_a_block
refuse "nothing is blocked" is_blocked "tcp $web_host:$port"
expect "it is still spoken" leafcast

step "Named by the operator"
run spidctl learn name "$name" leafcast --category p2p
expect "it is confirmed" cluster_says leafcast '.state == "confirmed" and .may_block and .category == "p2p"'
expect_soon 20 "it is recognised" comes_as leafcast
last_flow_id() { jq -c "select(.event_type == \"flow\" and .dest_port == $port and .spid.label == \"$1\").flow_id" "$event_log" | tail -n 1; }
explanation_says() { spidctl explain "$(last_flow_id leafcast)" --json | jq -e "$1" >/dev/null; }
expect "it is explained by the model that was learned" explanation_says \
  '.verdict.label == "leafcast" and .best.label == "leafcast" and .best.origin == "learned" and .standing.holds'
expect "the scores are those of the verdict" explanation_says \
  '.models_changed or ((.verdict.score - .best.score) | fabs < 0.001)'
expect "so it is by the models of the state directory" spidctl explain "$(last_flow_id leafcast)" --state "$work/state" \
  --against leafcast
run spidctl explain "$(last_flow_id leafcast)"
run spidctl learn export leafcast "$work/leafcast.tcp.json"
expect "the export is a model" jq -e '.label == "leafcast"' "$work/leafcast.tcp.json"

step "Blocked by policy, after kill -9"
stop spidd KILL
write_policy leafcast
start_spidd "$work/policy.toml" --config "$work/spidd.toml"
expect "its name is known" cluster_says leafcast '.state == "confirmed"'
refuse "it is not spoken any more" leafcast
expect "it is blocked" is_blocked "tcp $web_host:$port"
expect "by its name, within 20 payload packets" is_dropped_as "$web_host" "$port" leafcast
expect "metrics count it" test "$(spidctl metrics | grep -c 'clusters_promoted_total{section="learning"}')" = 1
stop spidd
expect "spidd ends cleanly" test "$stop_status" = 0

step "Damage to what was learned"
truncate -s 100 "$work/state/learned/clusters"
start_spidd "$work/policy.toml" --config "$work/spidd.toml"
expect "spidd says so" grep -q 'clusters.damaged' "$work/spidd.log"
expect "and begins anew" test "$(spidctl learn list --json | jq '.clusters | length')" = 0
stop spidd
expect "spidd ends cleanly" test "$stop_status" = 0
