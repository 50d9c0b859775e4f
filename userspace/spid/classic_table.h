// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The logarithms of the original's divergence, worked out once a model for the bins it has seen; all other bins of a
// meter share one value. Private to spid/.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "userspace/spid/protocol_model.h"

namespace spidd {

class ClassicTable {
 public:
  explicit ClassicTable(const ProtocolModel& model);

  // classic_divergence() to about six digits, without logarithms of the model. Does not allocate.
  double divergence(const Fingerprint& flow, std::span<const unsigned> meters) const;

 private:
  struct Bin {
    std::uint16_t row;
    float log_share;  // log2((C + 1) / (N + 256))
  };
  std::vector<Bin> bins_;                               // those seen, rising rows
  std::array<std::uint32_t, kMeterCount + 1> first_{};  // of each meter in bins_
  std::array<double, kMeterCount> sum_{};               // of the logarithms of all 256 bins
  std::array<float, kMeterCount> log_unseen_{};
};

}  // namespace spidd
