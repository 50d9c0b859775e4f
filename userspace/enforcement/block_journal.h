// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The active blocks on disk, so that a restart or a reboot does not forget why something is blocked: the kernel's
// tables hold no rule names and do not outlive a reboot. One JSON object a line, appended with every change, rewritten
// when most lines are out of date.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"
#include "userspace/enforcement/block_list.h"

namespace spidd {

// Owned by the control thread. A line is one write(): after a crash at most the last one is cut short.
class BlockJournal {
 public:
  // Opens or creates the file (mode 0600) and reads it. Lines that cannot be read are counted and dropped.
  static Result<BlockJournal> open(std::string path);

  // In no order; those that expired while nobody was looking included.
  std::vector<Block> blocks() const;
  const Block* find(const BlockTarget& target) const;

  // A new block, or new values of one that is there.
  Result<> add(const Block& block);
  Result<> remove(const BlockTarget& target);

  std::size_t damaged_lines() const { return damaged_lines_; }

 private:
  explicit BlockJournal(std::string path) : path_(std::move(path)) {}
  Result<> read();
  Result<> append(const std::string& line);
  Result<> rewrite();

  std::string path_;
  UniqueFd file_;
  std::map<BlockTarget, Block> blocks_;
  std::size_t lines_ = 0;
  std::size_t damaged_lines_ = 0;
};

}  // namespace spidd
