// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SPADE's memory on disk: written while the engine works, atomically, and read at start. Source: spade.md 8.1.
//
// At a checkpoint, in the engine's thread:      SpadeSnapshot snapshot(monitor.save(), views);
//   between packets, until it is true:          snapshot.take_slice(kSliceEntries)
// then in any thread:                           write_state(path, std::move(snapshot).finish());
// At start:                                     read_state(path, now), then AnomalyMonitor::restore(), which uses
// restore_table().
//
// The file: "SPADEst\n", u32 version, then parts of u32 type, u32 length, payload, u32 CRC-32C over these three. All
// numbers are little endian; text is u16 length and bytes; an address is 16 bytes in network order, a port or an ICMP
// type and code a u16.
//   1 start      i64 packet clock
//   2 table      text conditions, u8 n, n times u8 feature, u32 interval in minutes, f64 factor, f64 cutoff, i64 start,
//                i64 last scaling, f64 N
//   3 entries    of the table before it: u32 number of its parent (0: none; entries count from 1), value, f64 count
//   4 threshold  text detector, f64 score, f64 raw bits, text what its scores are
//   5 history    text name, f64...
//   6 end        u32 number of parts, this one included
//   7 incidents  u64 key of their hashes, u64 last id
//   8 incident   one that is open (incident_format.h); those that had no news for longest first
// Version 1 had no incidents; version 1 and 2 do not say what a threshold's scores are. Parts stand in the order 1 to
// 5, 7, 8, 6.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/base/time.h"
#include "userspace/spade/spade_state.h"

namespace spidd {

// A copy of the tables, made in slices that hold up nobody. What changes between two slices is in the copy or not; the
// whole of it is repaired so that it can be restored. Not thread-safe; the tables must outlive the last slice.
class SpadeSnapshot {
 public:
  static constexpr std::uint32_t kSliceEntries = 16384;  // about a millisecond

  // `state`: everything but the tables' clocks, N and entries. `tables`: in the same order.
  SpadeSnapshot(SpadeState state, std::vector<const ProbabilityTable*> tables);

  // Looks at no more than `most` places. True if that was all.
  bool take_slice(std::uint32_t most = kSliceEntries);
  void take_all();
  // Requires: take_slice() was true.
  SpadeState finish() &&;

 private:
  SpadeState state_;
  std::vector<const ProbabilityTable*> tables_;
  std::size_t table_ = 0;
  std::uint32_t place_ = 0;
};

std::string encode_state(const SpadeState& state);
// The message says at which byte what is wrong. Nothing of a damaged file is used.
Result<SpadeState> decode_state(std::string_view bytes);

// Whether these are the first bytes of a state file of Spade 030125, a memory image (spade.md 8.1).
bool is_state_of_original(std::string_view bytes);

// Atomically and through to the disk: whoever reads sees the old file or the new one. Never over one of Spade 030125.
// For the owner alone: it names every host and port that was seen.
Result<> write_state(const std::string& path, const SpadeState& state);

struct SpadeStateRead {
  SpadeState state;
  bool found = false;
  // A damaged file: what is wrong, and where it was put aside (`path`.damaged-TIME). Then `state` is empty.
  std::string damage;
};
// An error only if there is a file that cannot be read, one of Spade 030125, or a damaged one that cannot be put aside:
// all of them stay where they are, and nothing should be written there.
Result<SpadeStateRead> read_state(const std::string& path, Timestamp now);

enum class Downtime : std::uint8_t {
  ignored,  // the original: counts are as they were (2.4.6)
  decayed,  // as if there had been no packets
};
// Fills `table`, which must be new and have the features of `saved`; it keeps its own decay. Returns how many entries
// found no room. An error leaves the table unusable.
Result<std::size_t> restore_table(const SpadeState::Table& saved, Downtime downtime, ProbabilityTable& table);

}  // namespace spidd
