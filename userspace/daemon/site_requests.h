// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What `spidctl site` asks for, and the answers: the same from a running spidd and, without one, from a directory.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>

#include "userspace/learning/site_learning.h"

namespace spidd {

struct SiteRequest {
  enum class Verb : std::uint8_t { status, record, stop, review, accept, reject, undo, forget };
  Verb verb = Verb::status;
  Duration length{};         // record
  SiteSelection selection;   // accept; its services: reject, undo, forget
  SiteNaming naming;         // accept
  std::size_t limit = 1000;  // review: most services shown
};

// "status", "record", ...
std::string_view site_verb_name(SiteRequest::Verb verb);

// Reads the members of a request: {"verb":"accept","services":[...],"label":...,"as":...}. Hostile. `known` gets the
// keys that belong to it.
Result<SiteRequest> parse_site_request(const nlohmann::json& request, std::vector<std::string>& known);

using LoadSiteJudge = std::function<Result<std::unique_ptr<SiteJudge>>()>;

// Does what is asked for, and measures the rates if a decision made it necessary. `models_changed` is set where the
// site's models are others now.
Result<nlohmann::ordered_json> answer_site(SiteLearning& site, const SiteRequest& request, const LoadSiteJudge& load,
                                           Timestamp now, bool& models_changed);

// The rates, if they are not known and there is anything to measure.
Result<> measure_site(SiteLearning& site, const LoadSiteJudge& load);

}  // namespace spidd
