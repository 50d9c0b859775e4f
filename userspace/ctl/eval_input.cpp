// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/eval_input.h"

#include <algorithm>
#include <iterator>

#include "userspace/ctl/session_options.h"

namespace spidd {
namespace {

// Those of --set, then directories.
Result<std::vector<CaptureSource>> sources_of(const CommandLine& line) {
  std::vector<CaptureSource> sources;
  for (const std::string& text : line.texts("set")) {
    auto source = parse_eval_source(text);
    if (!source) return tl::unexpected(source.error());
    sources.push_back(std::move(*source));
  }
  std::ranges::move(capture_sources(line), std::back_inserter(sources));
  for (const CaptureSource& source : sources) {
    if (std::ranges::count(sources, source.name, &CaptureSource::name) > 1)
      return fail("there are two sets of the name {}", source.name);
  }
  return sources;
}

}  // namespace

std::size_t EvalInput::part_named(const std::string& name) const {
  return static_cast<std::size_t>(std::ranges::find(parts, name, &Part::name) - parts.begin());
}

std::size_t EvalInput::part_of(std::size_t flow) const {
  return static_cast<std::size_t>(std::ranges::upper_bound(parts, flow, {}, &Part::flows_end) - parts.begin());
}

void declare_eval_input(CommandLine& line) {
  line.values("set", "NAME:DIR[:LABELS[:MANIFEST]]",
              "a set of captures that gets figures of its own; may be repeated; all sets are trained together");
  declare_capture_sources(line);
}

Result<CaptureSource> parse_eval_source(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0;;) {
    const std::size_t colon = text.find(':', begin);
    parts.push_back(text.substr(begin, colon - begin));
    if (colon == std::string::npos) break;
    begin = colon + 1;
  }
  if (parts.size() < 2 || parts.size() > 4 || parts[0].empty() || parts[1].empty())
    return fail("--set {}: not NAME:DIR[:LABELS[:MANIFEST]]", text);
  parts.resize(4);
  return CaptureSource{parts[0], parts[1], parts[2], parts[3]};
}

void add_part(EvalInput& input, const std::string& name, TrainingSet set) {
  for (const LabelledFlow& flow : set.flows) input.truths.push_back({flow.label, flow.category == Category::tunnel});
  input.parts.push_back({name, 0, set.flows.size(), set.captures.size(), set.groups.size(), set.losses});
  input.set.merge(std::move(set));
  input.parts.back().flows_end = input.set.flows.size();
}

Result<EvalInput> load_eval_input(const CommandLine& line) {
  const auto sources = sources_of(line);
  if (!sources) return tl::unexpected(sources.error());
  const auto limits = session_limits(line, kRecordLimit);
  if (!limits) return error_of(limits);
  EvalInput input;
  for (const CaptureSource& source : *sources) {
    auto loaded = load_captures(line, source, {line.has("strict"), *limits});
    if (!loaded) return std::move(loaded).error().within(source.name);
    add_part(input, source.name, std::move(*loaded));
  }
  if (auto merged = merge_names(input.set, line.texts("same")); !merged) return tl::unexpected(merged.error());
  input.set.split_single_variants();
  return input;
}

}  // namespace spidd
