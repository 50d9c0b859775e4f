// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Services of the site as bytes of a file: versioned, with a checksum. Numbers are little endian. What is read may be
// hostile.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "userspace/learning/site_service.h"

namespace spidd {

// What the operator has said of a service.
enum class SiteState : std::uint8_t { recorded, accepted, rejected };
std::string_view site_state_name(SiteState state);  // "recorded", "accepted", "rejected"

struct SiteRecord {
  SiteState state = SiteState::recorded;
  SiteService service;                           // rejected: its key only
  std::string label;                             // accepted: what its flows are from now on
  std::string accepted_family;                   // and ...
  Category accepted_category = Category::plain;  // ... that label's
  float accepted_threshold = 0;                  // score below which that label is not given
  Timestamp decided{};
};

struct SiteFile {
  MeterRules rules = MeterRules::corrected;  // that the flows were measured with
  Timestamp since{};                         // of the period of recording
  Timestamp until{};
  std::vector<SiteRecord> records;
};

std::string format_site_file(const SiteFile& file);

// `name` stands in front of errors.
Result<SiteFile> parse_site_file(std::string_view bytes, const std::string& name);

}  // namespace spidd
