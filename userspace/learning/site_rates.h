// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How often flows of accepted services would be called tunnels, before and after learning the site: the figure that
// says whether a site may be trusted to block. No flow is judged by models that learned from it.
#pragma once

#include <cstdint>
#include <map>

#include "userspace/learning/site_file.h"
#include "userspace/spid/matcher.h"

namespace spidd {

// How flows are judged: by the engine's rules, which this folder does not know.
class SiteJudge {
 public:
  struct Call {
    bool alert = false;  // a tunnel under the alert rule
    bool block = false;  // and under the block rule
  };
  virtual ~SiteJudge() = default;

  virtual std::span<const ModelSummary> shipped() const = 0;  // without the site's models

  // From now on by the shipped models and these.
  virtual Result<> use(ModelDatabase site) = 0;
  virtual Call judge(Transport transport, View view, const Fingerprint& flow) const = 0;
};

struct SiteRates {
  std::uint64_t flows = 0;  // judged: samples of accepted services
  std::uint64_t alerts_before = 0;
  std::uint64_t blocks_before = 0;
  std::uint64_t alerts_after = 0;  // by models that know the flow's service, but not the flow
  std::uint64_t blocks_after = 0;
  std::uint64_t alerts_elsewhere = 0;  // by models that do not know the flow's service
  std::uint64_t blocks_elsewhere = 0;
  std::map<SiteKey, std::uint64_t> blocked_services;  // what is still called a tunnel under the block rule
};

// Upper end of the one-sided 95 % interval of a share of which `count` in `total` were seen (Clopper and Pearson).
// 1 if nothing was seen.
double upper_limit_95(std::uint64_t count, std::uint64_t total);

// Models of the accepted services, one a label, transport and view.
ModelDatabase site_models(const std::map<SiteKey, SiteRecord>& decided, MeterRules rules);

// Puts models of the site, and others that were learned, beside the shipped ones. What the site has of a label that is
// shipped is added to it, with at most as much say as the shipped flows have: of a few services alone, a model would be
// so sharp that every tunnel through the same carrier looked like it.
Result<> add_learned_models(ModelDatabase& shipped, ModelDatabase learned);

// Judges every sample of the accepted services, in folds: a client of a service, or where it has one, a stretch of
// time, is left out of the models that judge it. Takes the time of a dozen builds of a matcher.
Result<SiteRates> measure_rates(const std::map<SiteKey, SiteRecord>& decided, MeterRules rules, SiteJudge& judge);

}  // namespace spidd
