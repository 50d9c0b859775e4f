// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl train: adds the flows of labelled captures, or a live flow, to the models of a directory. Additive: training
// twice adds, though the same capture is no new evidence.
#include <algorithm>
#include <set>

#include "userspace/ctl/command.h"
#include "userspace/ctl/models_change.h"
#include "userspace/ctl/session_options.h"
#include "userspace/ctl/train_input.h"
#include "userspace/spid/database_header.h"
#include "userspace/spid/model_edit.h"
#include "userspace/spid/trainer.h"

namespace spidd {

namespace {

// What is there, perhaps of another training since this one began, and what was learned now, in one directory.
Result<void> save_added(const ModelDatabase& learned, const std::string& directory) {
  const auto lock = lock_models(directory);
  if (!lock) return tl::unexpected(lock.error());
  const auto loaded = load_models_if_any(directory);
  if (!loaded) return tl::unexpected(loaded.error());
  const ModelDatabase& existing = *loaded;
  ModelDatabase database = existing;
  if (!existing.models.empty() && (existing.rules != learned.rules || existing.snap != learned.snap))
    return fail("{}: its models are measured with other rules (--strict)", directory);
  database.rules = learned.rules;
  database.snap = learned.snap;
  database.creator = models_creator();
  for (const ProtocolModel& model : learned.models)
    database.find_or_add(model.label, model.transport, model.category, model.family, model.view).merge(model);
  // Thresholds were found among what was learned now: among all models only if there were none before.
  if (existing.models.empty() && learned.thresholds_for) database.thresholds_for = background_hash(database);
  return save_changes(existing, database, directory);
}

void print_losses(const TrainingSet& set) {
  print_damaged("train", set);
  const LabelLosses& losses = set.losses;
  if (losses.no_meaning + losses.other_protocol + losses.no_payload > 0)
    fmt::print(
        stderr,
        "spidctl train: labels without a flow: {} not in the taxonomy, {} neither TCP, UDP nor ICMP echo, {} not "
        "found or without payload\n",
        losses.no_meaning, losses.other_protocol, losses.no_payload);
}

int train_from_flow(const CommandLine& line, const std::string& socket_path, const ModelDatabase& existing) {
  const std::string directory = line.text("into");
  const auto learned = learn_live_flow(line, socket_path, existing);
  if (!learned) return report_failure("train", learned.error());
  if (const auto saved = save_added(*learned, directory); !saved) return report_failure("train", saved.error());
  const ProtocolModel& model = learned->models.front();
  fmt::print("flow {}: {} payload packets over {}, view {}, added to {} in {}\n", line.text("from-flow"),
             model.payload_packets, transport_name(model.transport), view_name(model.view), model.label, directory);
  return kExitDone;
}

// Thresholds for models that are there, from the captures they were made of: nothing is added.
int calibrate_only(const ModelDatabase& found, const TrainingSet& set, const std::string& directory) {
  const auto lock = lock_models(directory);
  if (!lock) return report_failure("train", lock.error());
  const auto existing = load_models(directory);
  if (!existing) return report_failure("train", existing.error());
  ModelDatabase database = *existing;
  database.creator = models_creator();
  std::set<std::string> missing;
  std::size_t calibrated = 0;
  for (ProtocolModel& model : database.models) {
    if (model.category == Category::tunnel) continue;
    const ProtocolModel* const same = found.find(model.label, model.transport, model.view);
    if (same == nullptr) {
      missing.insert(model.label);
      continue;
    }
    model.threshold = same->threshold;
    ++calibrated;
  }
  if (calibrated == 0) return report_failure("train", Error{"no model of the directory is of these captures' labels"});
  database.thresholds_for.reset();
  if (missing.empty()) database.thresholds_for = background_hash(database);
  if (const auto saved = save_changes(*existing, database, directory); !saved)
    return report_failure("train", saved.error());
  fmt::print("the thresholds of {} models in {} are found from {} captures; no flow was added\n", calibrated, directory,
             set.captures.size());
  if (missing.empty()) return kExitDone;
  fmt::print(stderr,
             "spidctl train: the captures have no flows of {}: their thresholds stay, and were not found among the "
             "models of this directory\n",
             fmt::join(missing, ", "));
  return kExitDone;
}

int train_from_captures(const CommandLine& line, TrainingRules rules, const ModelDatabase& existing) {
  const std::string directory = line.text("into");
  std::vector<SourceFlows> sources;
  const bool strict = line.has("strict") || (!existing.models.empty() && existing.rules == MeterRules::strict);
  const MeterRules meter_rules = strict ? MeterRules::strict : MeterRules::corrected;
  if (!existing.models.empty())
    if (const auto same = require_rules(existing, meter_rules, directory); !same)
      return report_failure("train", same.error());
  const auto limits = session_limits(line);
  if (!limits) return line.usage_error(limits.error().message);
  if (strict) rules.payload_packets = limits->frames;
  auto set = load_training(line, existing, flow_rules(meter_rules, *limits), sources);
  if (!set) return report_failure("train", set.error());
  if (const std::size_t damaged = set->damaged.size(); damaged > 0 && !line.has("use-damaged")) {
    print_damaged("train", *set);
    return report_failure(
        "train", Error{fmt::format("of {} capture{} not everything can be read, and nothing was added: --use-damaged "
                                   "learns from what can be read",
                                   damaged, damaged == 1 ? "" : "s")});
  }
  if (const auto same = merge_names(*set, line.texts("same")); !same) return line.usage_error(same.error().message);
  set->split_single_variants();
  print_losses(*set);
  const std::vector<bool> use = select_flows(*set, rules);
  const std::vector<bool> spread = spread_flows(*set, use, rules);
  const FlowFingerprints fingerprints = measure_flows(*set, use, rules.payload_packets, meter_rules);
  ModelDatabase learned = train_models(*set, fingerprints, spread);
  learned.rules = meter_rules;
  learned.snap = snap_of(meter_rules);
  if (learned.models.empty()) return report_failure("train", Error{"no flow to learn from was found"});
  for (const ProtocolModel& model : learned.models)
    for (const std::string& name : {model.label, model.family})
      if (const auto good = check_given_name(name); !good) return report_failure("train", good.error());
  const bool adds = !line.has("calibrate-only");
  if (line.has("calibrate") || !adds) {
    calibrate_thresholds(*set, fingerprints, use, rules, learned);
    learned.thresholds_for = background_hash(learned);
  }
  if (!adds) return calibrate_only(learned, *set, directory);
  if (line.has("calibrate") && !existing.models.empty())
    fmt::print(stderr,
               "spidctl train: thresholds are found among the flows that are added now: for all models of {}, give all "
               "their captures to 'spidctl train --calibrate-only'\n",
               directory);
  // First what can fail and be repeated: flows that were added once must not be added again.
  if (line.has("provenance")) {
    const auto written = write_provenance(line.text("provenance"), learned, *set, spread, sources);
    if (!written) return report_failure("train", written.error());
  }
  if (const auto saved = save_added(learned, directory); !saved) return report_failure("train", saved.error());
  fmt::print("{} flows of {} captures added to {} models in {}\n", std::ranges::count(spread, true),
             set->captures.size(), learned.models.size(), directory);
  return kExitDone;
}

}  // namespace

int command_train(const CommandArguments& arguments) {
  CommandLine line("spidctl train", "DIR... | --label LABEL CAPTURE... | --from-flow ID --label LABEL",
                   "Adds flows to protocol models; what was learned before stays. Without --labels and --label the "
                   "name of the folder a capture lies in is the label of its flows: DIR/LABEL/*.pcap.");
  line.value("into", "DIR", "directory of the models to add to; made if it is missing (required)");
  line.value("label", "LABEL", "all flows of the captures named, or the live flow, are of this label");
  line.value("filter", "EXPRESSION", "with --label: only packets that match this pcap-filter(7) expression");
  line.value("from-flow", "ID", "learn from a flow of the running daemon: flow_id of its events, once it is decided");
  declare_capture_sources(line);
  line.value("family", "NAME", "with --label: family of the label; default: that of its models, or the label");
  line.flag("strict", "sessions and measurements as of SPID 0.4.6, to the bit, for a directory of such models");
  add_session_options(line);
  line.flag("use-damaged",
            "learn from what can be read of captures that are damaged or missing; without it they are an error, and "
            "nothing is added");
  line.value("flows-per-group", "N", "flows of one label taken from one environment, lab variant or capture",
             fmt::to_string(TrainingRules{}.flows_per_group));
  line.value("min-flows", "N", "flows a label needs to get a model", "1");
  line.flag("calibrate", "find the models' thresholds by cross-validation; needs flows of many labels and captures");
  line.flag("calibrate-only",
            "add nothing: find the thresholds of the models that are there, from all captures they were made of");
  line.value("provenance", "FILE", "write a table (TSV) of what every model was made of");
  line.positional("directory", 0, 100'000);
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  if (!line.has("into")) return line.usage_error("--into is missing: where are the models?");
  const bool live = line.has("from-flow");
  if (live && !line.has("label")) return line.usage_error("--label is missing: what is the flow?");
  if (live != line.positionals().empty())
    return line.usage_error(live ? "--from-flow takes no captures" : "say which captures, or --from-flow");
  if (line.has("filter") && (live || !line.has("label")))
    return line.usage_error("--filter needs --label and captures");
  if (line.has("label") && line.has("labels")) return line.usage_error("--label or --labels, not both");
  if (line.has("labels") && line.texts("labels").size() != line.positionals().size())
    return line.usage_error("--labels is needed once for each directory");
  const auto flows_per_group = line.number("flows-per-group", 1, 1'000'000);
  if (!flows_per_group) return line.usage_error(flows_per_group.error().message);
  const auto min_flows = line.number("min-flows", 1, 1'000'000);
  if (!min_flows) return line.usage_error(min_flows.error().message);

  if (line.has("calibrate-only") && (live || line.has("calibrate") || line.has("provenance")))
    return line.usage_error("--calibrate-only takes captures, and neither --calibrate nor --provenance");

  const auto existing =
      line.has("calibrate-only") ? load_models(line.text("into")) : load_models_if_any(line.text("into"));
  if (!existing) return report_failure("train", existing.error());
  if (live) return train_from_flow(line, arguments.socket_path, *existing);
  TrainingRules rules;
  rules.flows_per_group = static_cast<unsigned>(*flows_per_group);
  rules.flows_per_capture = std::max(rules.flows_per_capture, rules.flows_per_group);
  rules.min_flows = static_cast<unsigned>(*min_flows);
  return train_from_captures(line, rules, *existing);
}

}  // namespace spidd
