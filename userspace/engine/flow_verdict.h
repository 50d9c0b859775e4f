// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The verdict on a flow by its scores and its bytes: what the rules of classification say, whether it is random from
// its first byte, and whether it is a file that two hosts exchange by FTP. Here the engine and measurements of accuracy
// meet: both judge by this.
#pragma once

#include "userspace/engine/classification.h"
#include "userspace/engine/endpoint_memory.h"

namespace spidd {

// What a flow is judged by, beside itself.
struct Judging {
  std::span<const ModelSummary> models;
  const ClassificationRules& rules;
  EndpointMemory* ftp = nullptr;  // hosts that speak FTP; null: FTP data is not linked to its control connection
};

// What was measured of it.
struct Measured {
  const Match& match;
  std::span<const PayloadPacket> packets;
  View view = View::both;  // of the models it was matched with
};

// Whether every byte of what the model was made of is random: tools that obfuscate a tunnel. kNoModel is none.
bool is_of_random_family(std::uint16_t model, std::span<const ModelSummary> models);

// The match to judge a flow by: without tunnels if the best of them is ruled out.
Match match_without(RuledOut ruled_out, const Match& match, std::span<const ModelSummary> models);

// TCP whose first packet with payload may not be its first.
inline bool joined_late(const Flow& flow) { return flow.key.transport == Transport::tcp && !flow.start_seen; }

// Renews flow.verdict at time `now`. What has structure is no obfuscated tunnel; what was joined late is no camouflaged
// one, and not random from its first byte. Hosts that turn out to speak FTP are
// noted. Random bytes between hosts that do are a file on its way and no obfuscated tunnel, TLS to a high port no
// tunnel in TLS: "ftp-data", "ftps-data" if there is such a model, else unknown.
void judge_flow(Flow& flow, const Judging& judging, const Measured& measured, Progress progress, Timestamp now);

}  // namespace spidd
