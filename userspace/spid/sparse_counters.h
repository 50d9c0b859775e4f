// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Counters of a protocol that is only being learned: those of a ProtocolModel (protocol_model.h), but only the bins
// that were hit, and no more of them than a limit. A model takes 44 KiB, these at most 8 bytes a bin.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/spid/protocol_model.h"

namespace spidd {

class SparseCounters {
 public:
  struct Row {
    std::uint16_t row;
    std::uint32_t count;  // > 0, saturating
    bool operator==(const Row&) const = default;
  };

  // Where more than `most_rows` bins are needed, those go that hold the smallest share of their meter.
  void add(const Fingerprint& flow, std::size_t most_rows);
  void merge(const SparseCounters& other, std::size_t most_rows);

  // Takes away what was added once. False, and nothing changes, if it cannot all have been.
  bool subtract(const Fingerprint& flow);

  // Adds the counters, not flows or packets.
  void add_to(ProtocolModel& model) const;

  std::span<const Row> rows() const { return rows_; }                                           // rising
  const std::array<std::uint64_t, kMeterCount>& measurements() const { return measurements_; }  // of rows()

  // From rows() of another; what is not rising, not a bin or zero is an error.
  static Result<SparseCounters> from_rows(std::vector<Row> rows);

 private:
  template <class Rows>
  void add_rows(const Rows& other, std::size_t most_rows);
  void trim(std::size_t most_rows);
  void count_measurements();

  std::vector<Row> rows_;
  std::array<std::uint64_t, kMeterCount> measurements_{};
};

}  // namespace spidd
