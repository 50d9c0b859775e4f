// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The tables of all detectors. Detectors that learn from the same packets with the same decay share one, also if one of
// them needs a prefix of the other's features only. Source: spade.md 2.1. Not thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/spade/detector.h"
#include "userspace/spade/probability_table.h"

namespace spidd {

// What max_table_bytes must be for the detectors of these settings. An error is what Spade::create() says of one.
Result<std::uint64_t> least_table_bytes(const SpadeSettings& settings);

class TableSet {
 public:
  using Index = std::size_t;

  // Tables for `needs`, in their order. `max_bytes`: all tables together; beyond the least they need, shared out by the
  // number of features. An error says how many tables there are and what they need, if that is more.
  static Result<TableSet> create(std::span<const TableNeed> needs, std::uint64_t max_bytes);

  // Of the needs, in their order.
  Index table_of(std::size_t need) const { return table_of_need_[need]; }

  void advance(std::int64_t second);

  // A new packet: what counts() said before is forgotten.
  void next_packet() { packet_++; }
  // Of the packet's values; of a table of live sources: of its destination. Looked up once a packet.
  const ProbabilityTable::Counts& counts(Index index, const Observation& packet);
  double entropy(Index index, const Observation& packet, std::size_t depth) const;
  bool is_live(Index index, const IpAddress& host) const;

  // What a table learns, as bits.
  using Kinds = std::uint8_t;
  static constexpr Kinds kAttempts = 1;     // to connect or to be heard, whose outcome is open
  static constexpr Kinds kMessages = 2;     // of ICMP
  static constexpr Kinds kLiveSources = 4;  // who is there
  static constexpr Kinds kAll = kAttempts | kMessages | kLiveSources;

  // As often as the packet's count, in all tables of the kinds whose conditions hold. Returns in how many.
  unsigned record(const Observation& packet, Conditions conditions, Kinds kinds = kAll);
  // Whether record() would record anything.
  bool is_recorded(Conditions conditions, Kinds kinds) const;

  struct Table {
    Conditions recorded = 0;
    Kinds kind = kMessages;
    std::uint64_t observations = 0;
    std::uint64_t looked_up = 0;  // the packet that `counts` is of
    ProbabilityTable::Counts counts;
    std::vector<std::size_t> entropy_depths;
    std::size_t max_entries = 0;
    ProbabilityTable table;
  };
  // As new.
  void clear(Index index);
  const std::vector<Table>& tables() const { return tables_; }
  std::vector<Table>& tables() { return tables_; }

 private:
  TableSet() = default;
  static void track_entropies(Table& table);

  std::uint64_t packet_ = 0;
  std::vector<Table> tables_;
  std::vector<Index> table_of_need_;
};

}  // namespace spidd
