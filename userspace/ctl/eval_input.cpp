// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/eval_input.h"

#include <algorithm>

namespace spidd {
namespace {

Result<TrainingSet> load_source(const CommandLine& line, const EvalSource& source) {
  if (!source.labels.empty())
    return load_labelled_captures({.directory = source.directory,
                                   .labels = source.labels,
                                   .taxonomy = line.text("taxonomy"),
                                   .manifest = source.manifest});
  const auto category = parse_category(line.text("category"));
  if (!category) return tl::unexpected(category.error());
  if (!line.has("taxonomy")) return load_capture_tree(source.directory, nullptr, *category);
  const auto taxonomy = Taxonomy::load(line.text("taxonomy"));
  if (!taxonomy) return tl::unexpected(taxonomy.error());
  return load_capture_tree(source.directory, &*taxonomy, *category);
}

// Those of --set, then directories with the n-th --labels, --manifest and --source.
Result<std::vector<EvalSource>> sources_of(const CommandLine& line) {
  std::vector<EvalSource> sources;
  for (const std::string& text : line.texts("set")) {
    auto source = parse_eval_source(text);
    if (!source) return tl::unexpected(source.error());
    sources.push_back(std::move(*source));
  }
  const auto& directories = line.positionals();
  const auto nth = [&line](const char* option, std::size_t i) {
    const auto texts = line.texts(option);
    return i < texts.size() ? texts[i] : std::string();
  };
  for (std::size_t i = 0; i < directories.size(); ++i) {
    const std::string name = nth("source", i);
    sources.push_back({name.empty() ? directories[i] : name, directories[i], nth("labels", i), nth("manifest", i)});
  }
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (std::ranges::count(sources, sources[i].name, &EvalSource::name) > 1)
      return fail("there are two sets of the name {}", sources[i].name);
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
  line.values("labels", "FILE",
              "table (TSV) that gives the label of every flow of the captures in DIR; with several DIR once for each");
  line.value("taxonomy", "FILE", "table (TSV) of family and category of every label");
  line.values("manifest", "FILE",
              "table (TSV) of the environment every capture comes from; the first is about the first DIR, and so on");
  line.values("source", "NAME", "name of DIR as a set; with several DIR once for each");
  line.values("same", "LABEL=OTHER", "flows of LABEL are trained as OTHER: two names of one protocol");
  line.value("category", "NAME", "category of labels without a taxonomy: plain, encrypted, tunnel or p2p", "plain");
}

Result<EvalSource> parse_eval_source(const std::string& text) {
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
  return EvalSource{parts[0], parts[1], parts[2], parts[3]};
}

void add_part(EvalInput& input, const std::string& name, TrainingSet set) {
  for (const LabelledFlow& flow : set.flows) input.truths.push_back({flow.label, flow.category == Category::tunnel});
  input.parts.push_back({name, 0, set.flows.size(), set.captures.size(), set.groups.size(), set.losses});
  input.set.merge(std::move(set));
  input.parts.back().flows_end = input.set.flows.size();
}

Result<void> merge_names(EvalInput& input, const std::vector<std::string>& same) {
  for (const std::string& names : same) {
    const std::size_t equals = names.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == names.size())
      return fail("--same {}: not LABEL=OTHER", names);
    input.set.merge_label(names.substr(0, equals), names.substr(equals + 1));
  }
  return {};
}

Result<EvalInput> load_eval_input(const CommandLine& line) {
  const auto sources = sources_of(line);
  if (!sources) return tl::unexpected(sources.error());
  EvalInput input;
  for (const EvalSource& source : *sources) {
    auto loaded = load_source(line, source);
    if (!loaded) return std::move(loaded).error().within(source.name);
    add_part(input, source.name, std::move(*loaded));
  }
  if (auto merged = merge_names(input, line.texts("same")); !merged) return tl::unexpected(merged.error());
  input.set.split_single_variants();
  return input;
}

}  // namespace spidd
