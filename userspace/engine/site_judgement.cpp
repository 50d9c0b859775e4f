// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/engine/site_judgement.h"

namespace spidd {

SiteJudgement::SiteJudgement(ModelDatabase shipped, Matcher matcher)
    : shipped_(std::move(shipped)),
      summaries_(matcher.models().begin(), matcher.models().end()),
      matcher_(std::move(matcher)),
      rules_(classification_rules(Profile::background)) {}

Result<std::unique_ptr<SiteJudge>> SiteJudgement::of(ModelDatabase shipped) {
  auto matcher = Matcher::build(shipped);
  if (!matcher) return tl::unexpected<Error>(matcher.error());
  return std::unique_ptr<SiteJudge>(new SiteJudgement(std::move(shipped), std::move(*matcher)));
}

Result<> SiteJudgement::use(ModelDatabase site) {
  ModelDatabase all = shipped_;
  if (auto appended = add_learned_models(all, std::move(site)); !appended) return appended;
  auto matcher = Matcher::build(all);
  if (!matcher) return tl::unexpected<Error>(matcher.error());
  matcher_ = std::move(*matcher);
  return {};
}

SiteJudge::Call SiteJudgement::judge(Transport transport, View view, const Fingerprint& flow) const {
  const Match match = matcher_.match(transport, flow, view);
  const Verdict verdict = classify(match, matcher_.models(), flow.payload_packets, Progress::ended, Verdict{}, rules_);
  Call call;
  call.alert =
      verdict.state == IdentificationState::identified && matcher_.models()[verdict.model].category == Category::tunnel;
  call.block = call.alert && kBlockRule.holds(verdict);
  return call;
}

}  // namespace spidd
