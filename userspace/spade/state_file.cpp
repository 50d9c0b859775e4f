// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Copies of tables, their files, and tables from them.
#include "userspace/spade/state_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <system_error>

#include "userspace/base/staged_files.h"
#include "userspace/base/whole_file.h"

namespace spidd {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostBytes = std::size_t{1} << 32;
constexpr std::size_t kHeadOfOriginal = 12;  // bytes
constexpr std::size_t kTemporarySuffix = 7;  // of StagedFiles: a dot and six characters

// What a table scaled away while it was copied.
void scale_copied(std::vector<ProbabilityTable::Stored>& entries, const Decay& decay, std::int64_t seconds) {
  const double scale = std::pow(decay.factor, static_cast<double>(seconds / 60 / decay.interval_minutes));
  for (ProbabilityTable::Stored& entry : entries) entry.count *= scale;
  std::erase_if(entries, [&](const ProbabilityTable::Stored& entry) { return entry.count < decay.cutoff; });
}

// Parents first and numbered from 1; without what has lost its parent, and no count above its parent's.
std::vector<ProbabilityTable::Stored> in_order(const std::vector<ProbabilityTable::Stored>& copied, std::size_t levels,
                                               double& total) {
  using Stored = ProbabilityTable::Stored;
  std::uint32_t last = 0;
  for (const Stored& entry : copied) last = std::max(last, entry.id);
  std::vector<std::uint32_t> number(last + std::size_t{1});
  std::vector<Stored> ordered;
  ordered.reserve(copied.size());
  std::vector<std::uint32_t> marks;
  marks.reserve(copied.size());
  std::vector<const Stored*> waiting;
  const auto place = [&](const Stored& entry, std::uint32_t parent) {
    Stored placed{entry.value, entry.count, static_cast<std::uint32_t>(ordered.size() + 1), parent};
    if (parent != 0) placed.count = std::min(placed.count, ordered[parent - 1].count);
    ordered.push_back(placed);
    marks.push_back(entry.mark);
    number[entry.id] = placed.id;
  };
  double sum = 0;
  for (const Stored& entry : copied) {
    if (entry.parent != 0) {
      waiting.push_back(&entry);
      continue;
    }
    sum += entry.count;
    place(entry, 0);
  }
  total = std::max(total, sum);
  for (std::size_t level = 1; level < levels; ++level) {
    std::vector<const Stored*> deeper;
    for (const Stored* entry : waiting) {
      const std::uint32_t parent = entry->parent <= last ? number[entry->parent] : 0;
      if (parent == 0) {
        deeper.push_back(entry);
      } else if (marks[parent - 1] == entry->parent_mark) {
        place(*entry, parent);
      }
    }
    waiting = std::move(deeper);
  }
  return ordered;
}

// Left by a writer that was killed.
void remove_leftovers(const fs::path& path) {
  const std::string prefix = "." + path.filename().string();
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(path.parent_path(), ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.size() == prefix.size() + kTemporarySuffix && name.starts_with(prefix + ".") &&
        entry.is_regular_file(ignored))
      fs::remove(entry.path(), ignored);
  }
}

tl::unexpected<Error> refuse_original(const std::string& path) {
  return fail("{} is a state file of Spade 030125, which is left as it is: name another", path);
}

}  // namespace

SpadeSnapshot::SpadeSnapshot(SpadeState state, std::vector<const ProbabilityTable*> tables)
    : state_(std::move(state)), tables_(std::move(tables)) {}

bool SpadeSnapshot::take_slice(std::uint32_t most) {
  if (table_ == tables_.size()) return true;
  const ProbabilityTable& table = *tables_[table_];
  SpadeState::Table& copy = state_.tables[table_];
  if (place_ == 0) {
    copy.entries.clear();
    // Newcomers of the time between slices have room, too: growing would copy everything at once.
    copy.entries.reserve(table.entries() + table.entries() / 8 + 1024);
  } else if (copy.last_scaled_second != ProbabilityTable::kNoSecond &&
             table.last_scaled_second() > copy.last_scaled_second) {
    scale_copied(copy.entries, table.decay(), table.last_scaled_second() - copy.last_scaled_second);
  }
  copy.start_second = table.start_second();
  copy.last_scaled_second = table.last_scaled_second();
  place_ = table.copy_slice(place_, most, copy.entries);
  if (place_ != 0) return false;
  copy.total = table.counts({}).at[0];
  return ++table_ == tables_.size();
}

void SpadeSnapshot::take_all() {
  while (!take_slice()) continue;
}

SpadeState SpadeSnapshot::finish() && {
  for (SpadeState::Table& table : state_.tables)
    table.entries = in_order(table.entries, table.features.size(), table.total);
  return std::move(state_);
}

bool is_state_of_original(std::string_view bytes) {
  // 'v', its version, and a text with a length of two bytes.
  constexpr std::string_view kName = "netspade";
  return bytes.starts_with('v') && bytes.size() >= kHeadOfOriginal && bytes.substr(4, kName.size()) == kName;
}

Result<> write_state(const std::string& path, const SpadeState& state) {
  std::string head(kHeadOfOriginal, '\0');
  std::ifstream(path, std::ios::binary).read(head.data(), static_cast<std::streamsize>(head.size()));
  if (is_state_of_original(head)) return refuse_original(path);
  StagedFiles files;
  if (Result<> written = files.write(path, encode_state(state), StagedFiles::kForOwner); !written) return written;
  return files.commit();
}

Result<SpadeStateRead> read_state(const std::string& path, Timestamp now) {
  remove_leftovers(fs::absolute(path));
  std::string bytes;
  if (Result<> read = read_whole_file(path, kMostBytes, bytes); !read) {
    if (read.error().code == ENOENT) return SpadeStateRead{};
    return tl::unexpected<Error>(std::move(read).error());
  }
  if (is_state_of_original(bytes)) return refuse_original(path);
  Result<SpadeState> state = decode_state(bytes);
  if (state) return SpadeStateRead{std::move(*state), true, {}};
  const auto second = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  Result<std::string> aside = set_aside(path, fmt::format(".damaged-{}", second), true);
  if (!aside) return std::move(aside).error().within(state.error().message);
  return SpadeStateRead{{}, true, fmt::format("{}: {}; put aside as {}", path, state.error().message, *aside)};
}

Result<std::size_t> restore_table(const SpadeState::Table& saved, Downtime downtime, ProbabilityTable& table) {
  if (saved.features != table.features()) return fail("a table of other features");
  const std::int64_t last_scaled =
      downtime == Downtime::decayed ? saved.last_scaled_second : ProbabilityTable::kNoSecond;
  if (Result<> clock = table.restore_clock(saved.start_second, last_scaled, saved.total); !clock)
    return tl::unexpected<Error>(std::move(clock).error());
  std::vector<bool> lost(saved.entries.size());
  std::size_t without_room = 0;
  for (std::size_t i = 0; i < saved.entries.size(); ++i) {
    const ProbabilityTable::Stored& entry = saved.entries[i];
    std::array<FeatureValue, ProbabilityTable::kMaxDepth> path;
    std::size_t from = path.size();
    path[--from] = entry.value;
    bool is_lost = false;
    for (std::uint32_t parent = entry.parent; parent != 0 && from > 0; parent = saved.entries[parent - 1].parent) {
      is_lost = is_lost || lost[parent - 1];
      path[--from] = saved.entries[parent - 1].value;
    }
    if (!is_lost) {
      const Result<> restored = table.restore(std::span(path).subspan(from), entry.count);
      if (!restored && restored.error().code != ENOSPC) return fail("entry {}: {}", i + 1, restored.error().message);
      is_lost = !restored;
    }
    lost[i] = is_lost;
    without_room += is_lost ? 1 : 0;
  }
  return without_room;
}

}  // namespace spidd
