// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/spade_config.h"

#include <cstdio>

#include "userspace/base/whole_file.h"
#include "userspace/policy/spade_part.h"

namespace spidd {

Result<SnortConfig> load_spade_config(const std::string& path, SpadeProfile profile) {
  constexpr std::size_t kMostText = 1 << 20;
  std::string text;
  if (const auto read = read_whole_file(path, kMostText, text); !read)
    return fail("{}", printable_path(read.error().message));
  if (is_snort_config(text)) return load_snort_config(path, profile);
  auto settings = parse_spade_part(text, path);
  if (!settings) return tl::unexpected(settings.error());
  return SnortConfig{std::move(*settings), {}};
}

std::vector<std::string> files_not_written(const SpadeSettings& settings) {
  std::vector<std::string> notes;
  const auto note = [&notes](std::string_view what, const std::string& file) {
    if (!file.empty())
      notes.push_back(fmt::format("{} {}: spidd writes it, analyze does not; --spade-log FILE has log and surveys",
                                  what, printable_path(file)));
  };
  note("log file", settings.log_file);
  for (const SurveySettings& survey : settings.surveys) note("survey file", survey.file);
  return notes;
}

void print_notes(const SnortConfig& config) {
  for (const std::string& note : config.notes) fmt::print(stderr, "{}\n", note);
}

}  // namespace spidd
