// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The text of one model file (format: policy/models/README.md). Private to spid/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "userspace/spid/protocol_model.h"

namespace spidd {

inline constexpr std::string_view kMeterSet = "spidd45";
std::string_view rules_name(MeterRules rules);  // "corrected", "strict"
Result<MeterRules> parse_rules(std::string_view name);
std::optional<std::uint64_t> parse_hash(std::string_view text);  // 16 hexadecimal digits

// A model with what its file says of the way it was measured.
struct ModelFile {
  ProtocolModel model;
  unsigned snap = 0;
  MeterRules rules = MeterRules::corrected;
};

// Where in its file a text begins, for errors.
struct TextPosition {
  std::size_t line = 1;
  std::size_t byte = 0;
};

// `name` stands in front of errors. The text may be hostile. Unknown, missing and repeated keys are errors; so is a sum
// of bins that is not the number of measurements.
Result<ModelFile> parse_model(std::string_view text, const std::string& name, TextPosition start = {});

std::string format_model(const ProtocolModel& model, unsigned snap, MeterRules rules);

// "<label>.<transport>.json", or "<label>.<transport>.<view>.json" unless the view is both
std::string model_file_name(const ProtocolModel& model);

}  // namespace spidd
