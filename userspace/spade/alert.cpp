// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The original's words for alerts (spade.md 5.3).
#include "userspace/spade/alert.h"

#include <fmt/format.h>

#include <array>

namespace spidd {

std::string_view port_status_name(PortStatus status) {
  constexpr std::array<std::string_view, 7> kNames = {"unknown",       "probably closed", "likely closed", "closed",
                                                      "probably open", "likely open",     "open"};
  return kNames.at(static_cast<std::size_t>(status));
}

std::string SpadeAlert::message() const { return fmt::format("Spade: {}: {}: {:.4f}", activity, scope, score); }

std::string ThresholdAdjusted::message() const {
  return fmt::format("Spade: id={}: Threshold adjusted to {:.4f} after {} alerts (of {}){}", detector, threshold,
                     reported, scored, held ? ", held back from now until the next adjustment" : "");
}

}  // namespace spidd
