// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/learn_capture.h"

#include "userspace/ctl/settled_flows.h"

namespace spidd {

namespace {

// The shipped models with the learned ones; their background becomes the learner's.
Result<std::shared_ptr<const Matcher>> matcher_of(const ModelDatabase& shipped, UnknownLearner& learner) {
  ModelDatabase all = shipped;
  if (auto appended = all.append(learner.models()); !appended) return tl::unexpected<Error>(appended.error());
  auto matcher = Matcher::build(all);
  if (!matcher) return tl::unexpected<Error>(matcher.error());
  learner.set_scorer(std::make_shared<LogRatioScorer>(all.models));
  return std::make_shared<const Matcher>(std::move(*matcher));
}

}  // namespace

Result<std::uint64_t> learn_from_capture(const std::string& path, const LearnCapture& how, UnknownLearner& learner) {
  auto matcher = matcher_of(how.models, learner);
  if (!matcher) return tl::unexpected<Error>(matcher.error());
  learner.take_models_changed();
  const auto changed_models = [&]() -> Result<std::shared_ptr<const Matcher>> {
    if (!learner.take_models_changed()) return nullptr;
    return matcher_of(how.models, learner);
  };
  const auto settled = settle_flows(
      {path, how.filter, std::move(*matcher), how.policy}, [&](const SettledFlow& flow) { learner.learn(flow); },
      changed_models);
  if (!settled) return tl::unexpected<Error>(settled.error());
  if (!settled->damage.empty()) return fail("{}", settled->damage);
  return settled->flows;
}

}  // namespace spidd
