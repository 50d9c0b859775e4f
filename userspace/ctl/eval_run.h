// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The work of `spidctl eval`: trains and calibrates as `spidctl train` does, without the flows that are judged, and
// lets the engine's rules judge these. Work is spread over threads; the result does not depend on how many.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "userspace/ctl/eval_judge.h"
#include "userspace/spid/trainer.h"

namespace spidd {

struct EvalSettings {
  unsigned folds = 10;
  std::string held_out{};                 // name of the part that is judged by models of the others; "": folds
  std::optional<ModelDatabase> models{};  // judge by these, train nothing
  std::optional<View> one_way{};          // show the judge this direction only
  double local_share = 0;    // of the captures of a fold whose flows that are no tunnels are learned as a site's
  std::string local_part{};  // only of this part; "": of all
  bool ablation = false;     // leave each meter out in turn, too
  bool strangers = false;    // hold each label out in turn, too
  Profile profile = Profile::background;
  MeterRules rules = MeterRules::corrected;  // with the models given: those they are measured with
  TrainingRules training{};
  unsigned threads = 1;
  // Told from any thread, one at a time: so much of a stage is done.
  std::function<void(const char* stage, std::size_t done, std::size_t all)> progress = [](const char*, std::size_t,
                                                                                          std::size_t) {};
};

// The models that training on everything gives.
struct ModelFigures {
  std::string label;
  Transport transport = Transport::tcp;
  View view = View::both;
  Category category = Category::plain;
  float threshold = 0;
  std::uint32_t flows = 0;
  std::uint32_t captures = 0;
  std::uint64_t payload_packets = 0;
  bool may_block = false;
};

struct EvalRun {
  std::size_t flows_in_use = 0;
  unsigned folds = 0;
  std::vector<JudgedFlow> judged;  // in the order of flows
  std::vector<JudgedFlow>
      with_local;                   // the same flows, judged with the site's models besides; empty without local_share
  std::size_t learned_locally = 0;  // flows
  std::vector<JudgedFlow> strangers;  // each by models without its label
  std::vector<AblatedFlow> ablated;   // as judged; empty without ablation
  std::vector<ModelFigures> models;
};

Result<EvalRun> run_evaluation(const EvalInput& input, const EvalSettings& settings);

// Which of the tested flows a site would learn: those that are no tunnels of every so many captures. Captures of a
// group are taken in turn, so that a share of 0.5 leaves half of the captures of each group.
std::vector<bool> local_flows(const EvalInput& input, const std::vector<bool>& tested, double share,
                              const std::string& part);

}  // namespace spidd
