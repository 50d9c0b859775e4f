// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl train: adds the flows of labelled captures to the models of a directory. Additive: training twice adds.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "userspace/ctl/command.h"
#include "userspace/spid/trainer.h"

namespace spidd {

namespace {

// Where the flows of one directory come from, and what is known about them.
struct Source {
  std::string directory;
  std::string labels;    // "": the folders say the labels
  std::string manifest;  // may be ""
  std::string name;      // for the provenance
  std::size_t flows_end = 0;
};

// The n-th --labels, --manifest and --source are about the n-th directory.
std::vector<Source> sources_of(const CommandLine& line) {
  std::vector<Source> sources;
  const auto labels = line.texts("labels");
  const auto manifests = line.texts("manifest");
  const auto names = line.texts("source");
  for (const std::string& directory : line.positionals()) {
    const std::size_t i = sources.size();
    const auto nth = [i](const std::vector<std::string>& texts) { return i < texts.size() ? texts[i] : std::string(); };
    sources.push_back({directory, nth(labels), nth(manifests), i < names.size() ? names[i] : directory});
  }
  return sources;
}

Result<TrainingSet> load_set(const CommandLine& line, const Source& source) {
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

// A row for every model: what it was made of, and how many flows each source gave.
Result<void> write_provenance(const std::string& path, const ModelDatabase& learned, const TrainingSet& set,
                              const std::vector<bool>& use, const std::vector<Source>& sources) {
  std::map<std::pair<std::string, Transport>, std::vector<std::uint64_t>> flows_of;
  std::size_t source = 0;
  for (std::size_t i = 0; i < set.flows.size(); ++i) {
    while (i >= sources[source].flows_end) ++source;
    auto& flows = flows_of[{set.flows[i].label, set.flows[i].transport}];
    flows.resize(sources.size());
    if (use[i]) ++flows[source];
  }
  std::string text = "label\ttransport\tcategory\tfamily\tflows\tpayload_packets\tcaptures\tsources\n";
  for (const ProtocolModel& model : learned.models) {
    std::string from;
    const auto& flows = flows_of[{model.label, model.transport}];
    for (std::size_t i = 0; i < flows.size(); ++i)
      if (flows[i] > 0) from += fmt::format("{}{}:{}", from.empty() ? "" : " ", sources[i].name, flows[i]);
    text += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", model.label, transport_name(model.transport),
                        category_name(model.category), model.family, model.flows, model.payload_packets, model.captures,
                        from);
  }
  std::ofstream file(path);
  file << text;
  file.close();
  if (!file) return fail_errno(errno, "{}", path);
  return {};
}

bool holds_models(const std::string& directory) {
  std::error_code ignored;  // a directory that cannot be read gets its message when it is written to
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored))
    if (entry.path().extension() == ".json") return true;
  return false;
}

// What was there before, and what was learned now, in one database.
Result<ModelDatabase> add_to_existing(const std::string& directory, const ModelDatabase& learned) {
  ModelDatabase database;
  if (holds_models(directory)) {
    auto existing = load_models(directory);
    if (!existing) return tl::unexpected(existing.error());
    database = std::move(*existing);
  }
  for (const ProtocolModel& model : learned.models)
    database.find_or_add(model.label, model.transport, model.category, model.family).merge(model);
  return database;
}

void print_losses(const TrainingSet& set) {
  for (const std::string& damaged : set.damaged) fmt::print(stderr, "spidctl train: {}\n", damaged);
  const TrainingSet::Losses& losses = set.losses;
  if (losses.no_meaning + losses.other_protocol + losses.no_payload > 0)
    fmt::print(
        stderr,
        "spidctl train: labels without a flow: {} not in the taxonomy, {} neither TCP, UDP nor ICMP echo, {} not "
        "found or without payload\n",
        losses.no_meaning, losses.other_protocol, losses.no_payload);
}

}  // namespace

int command_train(const CommandArguments& arguments) {
  CommandLine line("spidctl train", "DIR...",
                   "Adds the flows of captures to protocol models. Without --labels the name of the folder a capture "
                   "lies in is the label of its flows: DIR/LABEL/*.pcap.");
  line.value("into", "DIR", "directory of the models to add to; made if it is missing (required)");
  line.values("labels", "FILE",
              "table (TSV) that gives the label of every flow of the captures in DIR; with several DIR once for each");
  line.value("taxonomy", "FILE", "table (TSV) of family and category of every label");
  line.values("manifest", "FILE",
              "table (TSV) of the environment every capture comes from; the first is about the first DIR, and so on");
  line.values("same", "LABEL=OTHER", "train flows of LABEL as OTHER: two names of one protocol");
  line.value("category", "NAME", "category of labels without a taxonomy: plain, encrypted, tunnel or p2p", "plain");
  line.value("flows-per-group", "N", "flows of one label taken from one environment, lab variant or capture",
             fmt::to_string(TrainingRules{}.flows_per_group));
  line.value("min-flows", "N", "flows a label needs to get a model", "1");
  line.flag("calibrate", "find the models' thresholds by cross-validation; needs flows of many labels and captures");
  line.value("provenance", "FILE", "write a table (TSV) of what every model was made of");
  line.values("source", "NAME", "name of DIR in that table; with several DIR once for each");
  line.positional("directory", 1, 1000);
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  if (!line.has("into")) return line.usage_error("--into is missing: where are the models?");
  if (line.has("labels") && line.texts("labels").size() != line.positionals().size())
    return line.usage_error("--labels is needed once for each directory");
  const auto flows_per_group = line.number("flows-per-group", 1, 1'000'000);
  if (!flows_per_group) return line.usage_error(flows_per_group.error().message);
  const auto min_flows = line.number("min-flows", 1, 1'000'000);
  if (!min_flows) return line.usage_error(min_flows.error().message);

  TrainingSet set;
  std::vector<Source> sources = sources_of(line);
  for (Source& source : sources) {
    auto loaded = load_set(line, source);
    if (!loaded) return report_failure("train", loaded.error());
    set.merge(std::move(*loaded));
    source.flows_end = set.flows.size();
  }
  for (const std::string& same : line.texts("same")) {
    const std::size_t equals = same.find('=');
    if (equals == std::string::npos) return line.usage_error(fmt::format("--same {}: not LABEL=OTHER", same));
    set.merge_label(same.substr(0, equals), same.substr(equals + 1));
  }
  set.split_single_variants();
  print_losses(set);
  TrainingRules rules;
  rules.flows_per_group = static_cast<unsigned>(*flows_per_group);
  rules.flows_per_capture = std::max(rules.flows_per_capture, rules.flows_per_group);
  rules.min_flows = static_cast<unsigned>(*min_flows);
  const std::vector<bool> use = select_flows(set, rules);
  const std::vector<bool> spread = spread_flows(set, use, rules);
  const FlowFingerprints fingerprints = measure_flows(set, use, rules.payload_packets);
  ModelDatabase learned = train_models(set, fingerprints, spread);
  if (learned.models.empty()) return report_failure("train", Error{"no flow to learn from was found"});
  if (line.has("calibrate")) calibrate_thresholds(set, fingerprints, use, rules, learned);

  const auto database = add_to_existing(line.text("into"), learned);
  if (!database) return report_failure("train", database.error());
  if (const auto saved = save_models(*database, line.text("into")); !saved)
    return report_failure("train", saved.error());
  if (line.has("provenance")) {
    const auto written = write_provenance(line.text("provenance"), learned, set, spread, sources);
    if (!written) return report_failure("train", written.error());
  }
  std::uint64_t flows = 0;
  for (const ProtocolModel& model : learned.models) flows += model.flows;
  fmt::print("{} flows of {} captures added to {} models in {}\n", flows, set.captures.size(), learned.models.size(),
             line.text("into"));
  return kExitDone;
}

}  // namespace spidd
