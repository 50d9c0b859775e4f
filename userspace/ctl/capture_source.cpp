// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/capture_source.h"

#include <algorithm>
#include <cstdio>

namespace spidd {

void declare_capture_sources(CommandLine& line) {
  line.values("labels", "FILE",
              "table (TSV) that gives the label of every flow of the captures in DIR; with several DIR once for each");
  line.value("taxonomy", "FILE", "table (TSV) of family and category of every label");
  line.values("manifest", "FILE",
              "table (TSV) of the environment every capture comes from; the first is about the first DIR, and so on");
  line.values("source", "NAME", "name of DIR in what is written; with several DIR once for each");
  line.values("same", "LABEL=OTHER", "flows of LABEL are trained as OTHER: two names of one protocol");
  line.value("category", "NAME",
             "category of labels that neither a taxonomy nor a table gives one: plain, encrypted, tunnel or p2p",
             "plain");
}

std::vector<CaptureSource> capture_sources(const CommandLine& line) {
  const auto labels = line.texts("labels");
  const auto manifests = line.texts("manifest");
  const auto names = line.texts("source");
  std::vector<CaptureSource> sources;
  for (const std::string& directory : line.positionals()) {
    const auto nth = [i = sources.size()](const std::vector<std::string>& texts) {
      return i < texts.size() ? texts[i] : std::string();
    };
    const std::string name = nth(names);
    sources.push_back({name.empty() ? directory : name, directory, nth(labels), nth(manifests)});
  }
  return sources;
}

Result<TrainingSet> load_captures(const CommandLine& line, const CaptureSource& source, FlowRules rules) {
  const auto category = parse_category(line.text("category"));
  if (!category) return error_of(category);
  if (!source.labels.empty())
    return load_labelled_captures({.directory = source.directory,
                                   .tables = {.labels = source.labels,
                                              .taxonomy = line.text("taxonomy"),
                                              .manifest = source.manifest,
                                              .category = *category},
                                   .rules = rules});
  if (!line.has("taxonomy")) return load_capture_tree(source.directory, nullptr, *category, rules);
  const auto taxonomy = Taxonomy::load(line.text("taxonomy"));
  if (!taxonomy) return tl::unexpected(taxonomy.error());
  return load_capture_tree(source.directory, &*taxonomy, *category, rules);
}

void print_damaged(const char* command, const TrainingSet& set) {
  constexpr std::size_t kShown = 5;
  for (std::size_t i = 0; i < std::min(set.damaged.size(), kShown); ++i)
    fmt::print(stderr, "spidctl {}: {}\n", command, set.damaged[i]);
  if (set.damaged.size() > kShown)
    fmt::print(stderr, "spidctl {}: and {} more captures that are damaged or missing\n", command,
               set.damaged.size() - kShown);
}

Result<void> merge_names(TrainingSet& set, const std::vector<std::string>& same) {
  for (const std::string& names : same) {
    const std::size_t equals = names.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == names.size())
      return fail("--same {}: not LABEL=OTHER", names);
    set.merge_label(names.substr(0, equals), names.substr(equals + 1));
  }
  return {};
}

}  // namespace spidd
