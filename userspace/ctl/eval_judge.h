// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Runs a labelled flow through the engine's checkpoints and says what the engine would have said of it.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "userspace/ctl/eval_input.h"
#include "userspace/engine/classification.h"
#include "userspace/spid/evaluation.h"

namespace spidd {

// When a flow is asked for: after so many payload packets as if no more came, or the engine's last word.
inline constexpr unsigned kFinal = 0;
inline constexpr std::array<unsigned, 4> kMoments = {4, 8, 20, kFinal};
std::string moment_name(unsigned moment);  // "8 payload packets", "final verdict"

// The verdicts on one flow at all moments.
class VerdictsOfFlow {
 public:
  VerdictsOfFlow(std::span<const ModelSummary> models, const ClassificationRules& rules, unsigned payload_packets)
      : models_(models), rules_(rules), packets_(payload_packets) {}

  // Payload packets after which the flow has to be matched: rising, the last is all of them.
  static std::vector<unsigned> steps(unsigned payload_packets);

  // Takes the match after each of steps(), in that order. Returns the moments (bit per index into kMoments) that now
  // have their verdict.
  unsigned step(unsigned count, const Match& match);

  const Verdict& at(std::size_t moment) const { return verdicts_[moment]; }

 private:
  std::span<const ModelSummary> models_;
  ClassificationRules rules_;
  unsigned packets_;
  std::array<Verdict, kMoments.size()> verdicts_;
};

// What became of one flow at each moment.
struct JudgedFlow {
  std::size_t flow = 0;  // index into the set
  std::array<Outcome, kMoments.size()> outcomes;
  std::optional<float> own_score;    // of the model of its label, all packets seen
  std::optional<float> rival_score;  // best of another family
};

// What a flow would be called if a meter did not exist.
struct AblatedFlow {
  struct Brief {
    std::string named;
    bool alert = false;
    bool block = false;
  };

  std::size_t flow = 0;
  std::array<std::array<Brief, kMoments.size()>, kMeterCount> briefs;  // of meters that are scored
};

// One per thread.
class FlowJudge {
 public:
  // All must outlive this. `one_way`: of each flow only this direction is shown.
  FlowJudge(const EvalInput& input, const Matcher& matcher, std::optional<View> one_way);

  // Nothing if the flow has no packet in the direction shown.
  std::optional<JudgedFlow> judge(std::size_t flow);

  // The same with each meter left out in turn. Requires: the background profile.
  std::optional<AblatedFlow> judge_without_each_meter(std::size_t flow);

 private:
  bool show(const LabelledFlow& flow);
  View measure(unsigned count);  // the first packets shown, into fingerprint_
  Outcome truth_of(std::size_t flow, View view) const;
  void name(const Verdict& verdict, Outcome& outcome) const;

  const EvalInput& input_;
  const Matcher& matcher_;
  std::optional<View> one_way_;
  ClassificationRules rules_;
  AttributeMeters meters_;
  Fingerprint fingerprint_;
  std::vector<PayloadPacket> shown_;
  bool answered_ = false;
  std::vector<Matcher::Score> scores_;
  Matcher::MeterSums sums_;
};

}  // namespace spidd
