// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Reports that wait for a response, or for its absence. Source: spade.md 6.2. Bounded; adding, taking by response and
// taking by age cost the same however many wait, also if all wait for the same response. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "userspace/base/lru_table.h"
#include "userspace/capture/observation.h"

namespace spidd {

struct WaitingReport {
  Observation packet;  // count: packets over the threshold
  double score = 0;
  double raw_bits = 0;
  double base = 0;
  double threshold = 0;
};

// The detector whose report waits, and the packet it is about. ICMP has no ports: the pair of addresses matches.
struct WaitingKey {
  IpAddress source;
  IpAddress destination;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint32_t detector = 0;

  bool operator==(const WaitingKey&) const = default;

  static WaitingKey of(const Observation& packet, std::uint32_t detector);
  // Of the packet that `response` answers: the reverse, or the one inside an unreachable.
  static WaitingKey answered_by(const Observation& response, std::uint32_t detector);
};

}  // namespace spidd

template <>
struct std::hash<spidd::WaitingKey> {
  // Keyed with a secret of the process: the keys are the attacker's to choose.
  std::size_t operator()(const spidd::WaitingKey& key) const noexcept;
};

namespace spidd {

class WaitQueue {
 public:
  // `limit` 0: nothing can wait.
  WaitQueue(std::size_t detectors, std::uint32_t limit);

  // Since `second`, which must not be lower than that of any earlier call for the detector. False if the queue is full.
  bool add(std::uint32_t detector, std::int64_t second, const WaitingReport& report);

  // The oldest report that waits under `key`; call until nothing is left.
  std::optional<WaitingReport> take(const WaitingKey& key);
  // The detector's oldest report, if it waits since `second` or longer.
  std::optional<WaitingReport> take_older(std::uint32_t detector, std::int64_t second);

  // Since when the detector's oldest report waits.
  std::optional<std::int64_t> oldest(std::uint32_t detector) const;

  std::size_t size() const { return size_; }
  std::size_t size(std::uint32_t detector) const { return lines_[detector].size; }

 private:
  using Index = std::uint32_t;
  static constexpr Index kNone = ~Index{0};

  // Reports under a key, oldest first.
  struct Group {
    Index oldest = kNone;
    Index newest = kNone;
  };
  // A detector's reports, oldest first.
  struct Line {
    Index oldest = kNone;
    Index newest = kNone;
    std::size_t size = 0;
  };
  struct Entry {
    WaitingReport report;
    std::int64_t second = 0;
    Index older = kNone;  // of the line
    Index newer = kNone;
    Index next_of_key = kNone;  // also the free list
  };

  WaitingReport remove_oldest(LruTable<WaitingKey, Group>::Slot group);

  std::uint32_t limit_;
  std::size_t size_ = 0;
  Index free_ = kNone;
  std::deque<Entry> entries_;
  std::vector<Line> lines_;
  LruTable<WaitingKey, Group> groups_;
};

}  // namespace spidd
