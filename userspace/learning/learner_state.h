// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the learner knows, as a file that outlives the daemon: "spidd-learned 1\n", the FNV-1a hash of the rest (8
// bytes, lowest first), then numbers of 7 bits a byte (LEB128), lowest first, and texts with their length in front.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "userspace/base/result.h"
#include "userspace/learning/unknown_learner.h"

namespace spidd {

struct LearnedState {
  std::deque<Cluster> clusters;
  std::uint32_t next_id = 1;
};

std::string format_learned(const std::deque<Cluster>& clusters, std::uint32_t next_id);

// The text may be hostile. What was measured with other meters is refused.
Result<LearnedState> parse_learned(std::string_view text);
// The part behind the hash.
Result<LearnedState> parse_learned_body(std::string_view body);

// DIRECTORY/learned/clusters, written atomically and through to the disk; makes the folder if it is missing.
Result<> save_learned(const UnknownLearner& learner, const std::string& directory);

// Into the learner. A missing file is no error. A damaged one is renamed to clusters.damaged, so that it is neither
// used nor overwritten, and is an error that says so. Where that is not possible, or the file cannot be read, the error
// has a code, and nothing may be saved over it. With an error the learner is as it was.
enum class LearnedUse : std::uint8_t { change, read };  // who only reads renames nothing
Result<> load_learned(UnknownLearner& learner, const std::string& directory, LearnedUse use = LearnedUse::change);

// The folder of the file, for DirectoryLock: to be held by whoever loads and saves.
std::string learned_folder(const std::string& directory);

// The models of what is kept there, without a learner: nothing is changed, whatever is wrong with the file. A missing
// one has none.
Result<ModelDatabase> read_learned_models(const std::string& directory);

}  // namespace spidd
