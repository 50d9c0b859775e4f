// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl train: adds the flows of labelled captures to the models of a directory. Additive: training twice adds.
#include <filesystem>

#include "userspace/ctl/command.h"
#include "userspace/spid/trainer.h"

namespace spidd {

namespace {

constexpr unsigned kDefaultFlowsPerCapture = 60;

Result<TrainingSet> load_set(const CommandLine& line, const std::string& directory) {
  if (line.has("labels"))
    return load_labelled_captures({.directory = directory,
                                   .labels = line.text("labels"),
                                   .taxonomy = line.text("taxonomy"),
                                   .manifest = line.text("manifest")});
  const auto category = parse_category(line.text("category"));
  if (!category) return tl::unexpected(category.error());
  if (!line.has("taxonomy")) return load_capture_tree(directory, nullptr, *category);
  const auto taxonomy = Taxonomy::load(line.text("taxonomy"));
  if (!taxonomy) return tl::unexpected(taxonomy.error());
  return load_capture_tree(directory, &*taxonomy, *category);
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
  line.value("labels", "FILE", "table (TSV) that gives the label of every flow of the captures in DIR");
  line.value("taxonomy", "FILE", "table (TSV) of family and category of every label");
  line.value("manifest", "FILE", "table (TSV) of the environment every capture comes from");
  line.value("category", "NAME", "category of labels without a taxonomy: plain, encrypted, tunnel or p2p", "plain");
  line.value("flows-per-capture", "N", "flows of one label taken from one capture",
             fmt::to_string(kDefaultFlowsPerCapture));
  line.value("min-flows", "N", "flows a label needs to get a model", "1");
  line.positional("directory", 1, 1000);
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  if (!line.has("into")) return line.usage_error("--into is missing: where are the models?");
  if (line.has("labels") && line.positionals().size() != 1)
    return line.usage_error("--labels is about one directory of captures");
  const auto flows_per_capture = line.number("flows-per-capture", 1, 1'000'000);
  if (!flows_per_capture) return line.usage_error(flows_per_capture.error().message);
  const auto min_flows = line.number("min-flows", 1, 1'000'000);
  if (!min_flows) return line.usage_error(min_flows.error().message);

  TrainingSet set;
  for (const std::string& directory : line.positionals()) {
    auto loaded = load_set(line, directory);
    if (!loaded) return report_failure("train", loaded.error());
    set.merge(std::move(*loaded));
  }
  print_losses(set);
  TrainingRules rules;
  rules.flows_per_capture = static_cast<unsigned>(*flows_per_capture);
  rules.min_flows = static_cast<unsigned>(*min_flows);
  const std::vector<bool> use = select_flows(set, rules);
  const ModelDatabase learned = train_models(set, measure_flows(set, use, rules.payload_packets), use);
  if (learned.models.empty()) return report_failure("train", Error{"no flow to learn from was found"});

  const auto database = add_to_existing(line.text("into"), learned);
  if (!database) return report_failure("train", database.error());
  if (const auto saved = save_models(*database, line.text("into")); !saved)
    return report_failure("train", saved.error());
  std::uint64_t flows = 0;
  for (const ProtocolModel& model : learned.models) flows += model.flows;
  fmt::print("{} flows of {} captures added to {} models in {}\n", flows, set.captures.size(), learned.models.size(),
             line.text("into"));
  return kExitDone;
}

}  // namespace spidd
