// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/engine/classification.h"

namespace spidd {

namespace {

constexpr float kNoRival = 16.0F;  // margin when there is no other model to compare with

bool same_family(std::uint16_t a, std::uint16_t b, std::span<const ModelSummary> models) {
  if (a == kNoModel || b == kNoModel) return false;
  return a == b || models[a].family == models[b].family;
}

}  // namespace

Verdict classify(const Match& match, std::span<const ModelSummary> models, unsigned payload_packets, Progress progress,
                 const Verdict& previous, const ClassificationRules& rules) {
  Verdict verdict;
  verdict.action = previous.action;
  verdict.rule = previous.rule;
  verdict.payload_packets = static_cast<std::uint8_t>(payload_packets);
  verdict.final = progress == Progress::ended || payload_packets >= rules.last_packets;
  verdict.model = match.best;
  verdict.tunnel_model = match.best_tunnel;
  if (match.best == kNoModel) {
    if (progress != Progress::more_to_come || payload_packets >= rules.settle_packets)
      verdict.state = IdentificationState::unknown;
    return verdict;
  }
  verdict.score = match.best_score;
  verdict.margin = match.second == kNoModel ? kNoRival : match.best_score - match.second_score;
  if (match.best_tunnel != kNoModel) {
    verdict.tunnel_score = match.tunnel_score;
    verdict.tunnel_margin = match.best_other == kNoModel ? kNoRival : match.tunnel_margin();
  } else {
    verdict.tunnel_margin = -kNoRival;
  }

  const bool named = verdict.score >= rules.label_threshold;
  const bool early = progress == Progress::more_to_come && payload_packets < rules.settle_packets;
  if (early && (verdict.score < rules.early_score || verdict.margin < rules.early_margin)) return verdict;
  verdict.state = named ? IdentificationState::identified : IdentificationState::unknown;
  if (named && previous.state == IdentificationState::identified &&
      same_family(previous.model, verdict.model, models) &&
      verdict.score >= rules.label_threshold + rules.certain_score && progress == Progress::more_to_come)
    verdict.final = true;
  return verdict;
}

}  // namespace spidd
