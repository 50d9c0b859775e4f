// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How the engine would judge flows that the site has recorded: with the shipped models alone, and with the site's.
#pragma once

#include <memory>

#include "userspace/engine/classification.h"
#include "userspace/learning/site_rates.h"

namespace spidd {

class SiteJudgement final : public SiteJudge {
 public:
  static Result<std::unique_ptr<SiteJudge>> of(ModelDatabase shipped);

  std::span<const ModelSummary> shipped() const override { return summaries_; }
  Result<> use(ModelDatabase site) override;
  Call judge(Transport transport, View view, const Fingerprint& flow) const override;

 private:
  SiteJudgement(ModelDatabase shipped, Matcher matcher);

  ModelDatabase shipped_;
  std::vector<ModelSummary> summaries_;
  Matcher matcher_;
  ClassificationRules rules_;
};

}  // namespace spidd
