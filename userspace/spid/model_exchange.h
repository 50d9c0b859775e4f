// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Models in one file, to hand on: as JSON (an array of model files, or an object with it), or in the XML of SPID 0.4.6
// (formats: policy/models/README.md). Everything read may be hostile: errors name file and line, nothing is half taken.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/spid/protocol_model.h"

namespace spidd {

// All shipped models with their single directions are 151 MB of XML; reading takes six times the file's size.
inline constexpr std::size_t kMaxExchangeSize = std::size_t{256} << 20;

// For models whose file does not say: the original's XML has no family, no category, and no transport.
struct ModelDefaults {
  std::string family;  // "" = the label
  std::optional<Category> category;
  std::optional<Transport> transport;
};

struct ReadModels {
  ModelDatabase models;
  std::vector<std::string> notes;  // what the file had and could not be kept, for the administrator
};

// By the first character that is no space.
bool looks_like_xml(std::string_view text);

// An object with thresholds_for and an array of models, an array, or one model.
Result<ReadModels> parse_models_json(std::string_view text, const std::string& name);

// Names of the original become labels: small letters, "-" for what a label may not have; behind a label "NAME (udp)" is
// the transport, where no attribute says it. Counts are floor(p * n), as in the original; shares that spidd wrote give
// the exact counts again.
Result<ReadModels> parse_models_xml(std::string_view text, const std::string& name, const ModelDefaults& defaults);

std::string format_models_json(const ModelDatabase& models);

// Which meters the XML has: SPID 0.4.6 knows no others than its own.
enum class XmlMeters : std::uint8_t { original, all };

// Names are unique, as the original asks: a label that is there over several transports has the transport in its name.
std::string format_models_xml(const ModelDatabase& models, XmlMeters meters = XmlMeters::original);

}  // namespace spidd
