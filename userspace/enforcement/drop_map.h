// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The drop tables in the kernel as a mirror of the active blocks: BlockList decides what is blocked, this writes it
// down where packets meet it. The kernel checks expiry itself, so that a block ends in time even when nobody removes
// it.
//
// Every change is visible to the next packet: the generation in the kernel's configuration is raised after it, and
// flows that cached an older answer look again.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/capture/bpf_datapath.h"
#include "userspace/enforcement/block_journal.h"
#include "userspace/enforcement/block_list.h"

namespace spidd {

// What a block has dropped.
struct BlockHits {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::optional<Timestamp> last;
};

// Owned by the control thread; borrows the maps, so it ends before the BpfDatapath.
class DropMap {
 public:
  // Opens the journal STATE/blocks.jsonl and looks at what the kernel holds; changes nothing yet.
  static Result<DropMap> open(const DropMapHandles& maps, const std::string& state_directory);

  // Brings kernel and journal together after a start and returns the blocks that are active at `now`, each with the
  // slot it has in the kernel: those the kernel still holds (with rule "recovered" if the journal does not know them)
  // and those of the journal that a reboot or a clean stop took out of the kernel, which are put back. Expired entries
  // are removed. Call once, before anything else, also when enforcement is off.
  Result<std::vector<Block>> load_existing(Timestamp now);

  // Puts the block into the kernel, or gives the one that is there another expiry. Error if its table is full. A new
  // block starts with no hits.
  Result<> put(const Block& block, Timestamp now);
  // Takes them out; those that are not there are fine.
  Result<> remove(std::span<const Block> blocks);

  // Makes the kernel's never-block prefixes exactly these. They are added before others are removed.
  Result<> set_never_block(std::span<const IpPrefix> prefixes);
  // Whether the kernel drops at all.
  void set_enforcing(bool enforcing);
  bool enforcing() const;
  // The daemon's sign of life: at least every few seconds, or FailPolicy::open ends all drops.
  void heartbeat();

  Result<BlockHits> hits(std::uint32_t slot) const;

  // Changes that did not reach the journal (disk full): active now, but forgotten by a reboot.
  std::uint64_t journal_failures() const { return journal_failures_; }
  std::size_t damaged_journal_lines() const { return journal_.damaged_lines(); }

 private:
  DropMap(const DropMapHandles& maps, BlockJournal journal) : maps_(maps), journal_(std::move(journal)) {}

  // Entries of each table, as the kernel's configuration wants them.
  struct Counts {
    std::uint32_t flows = 0;
    std::uint32_t endpoints = 0;
    std::uint32_t hosts = 0;
    std::uint32_t prefixes = 0;
  };
  std::uint32_t& count_of(const BlockTarget& target);
  // Returns whether the entry is new.
  Result<bool> write_entry(const Block& block, Timestamp now);
  Result<> erase_entry(const BlockTarget& target);
  Result<std::vector<Block>> read_entries(Timestamp now);
  Result<> zero_hits(std::uint32_t slot);
  void publish();
  void note_journal(const Result<>& written) { journal_failures_ += written ? 0 : 1; }

  DropMapHandles maps_;
  BlockJournal journal_;
  KernelClock clock_;
  Counts counts_;
  std::uint64_t journal_failures_ = 0;
};

}  // namespace spidd
