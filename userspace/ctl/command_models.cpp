// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl models: what the models are and what they were trained from, and changes to their directory
// (models_change.h). Works on the files; asks no daemon.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "userspace/ctl/command.h"
#include "userspace/ctl/models_change.h"
#include "userspace/daemon/config.h"
#include "userspace/report/table.h"
#include "userspace/spid/database_header.h"

namespace spidd {

namespace {

constexpr std::uint32_t kFewFlows = 26;  // a tenth of the vector's length: reliable from there on [Hjelmvik 2008]

std::string plural(std::uint64_t count, const std::string& thing) {
  return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

// What a model lacks before a verdict on it may block; "" = nothing.
std::string missing_evidence(const ProtocolModel& model) {
  std::string text;
  const auto add = [&text](std::uint64_t has, std::uint64_t needs, const std::string& thing) {
    if (has < needs) text += fmt::format("{}{}", text.empty() ? "" : ", ", plural(needs - has, "more " + thing));
  };
  add(model.flows, kEvidenceFlows, "flow");
  add(model.payload_packets, kEvidencePackets, "packet");
  add(model.captures, kEvidenceCaptures, "capture");
  return text;
}

nlohmann::ordered_json summary_json(const ProtocolModel& model) {
  return {{"label", model.label},
          {"transport", transport_name(model.transport)},
          {"view", view_name(model.view)},
          {"category", category_name(model.category)},
          {"family", model.family},
          {"origin", origin_name(model.origin)},
          {"flows", model.flows},
          {"captures", model.captures},
          {"payload_packets", model.payload_packets},
          {"threshold", std::round(static_cast<double>(model.threshold) * 1000) / 1000},
          {"may_block", model.has_evidence()},
          {"missing", missing_evidence(model)}};
}

int list_models(const ModelDatabase& database, bool json) {
  if (json) {
    auto models = nlohmann::ordered_json::array();
    for (const ProtocolModel& model : database.models) models.push_back(summary_json(model));
    fmt::print("{}\n", models.dump(2));
    return kExitDone;
  }
  Table table({{"LABEL"},
               {"TRANSPORT"},
               {"VIEW"},
               {"CATEGORY"},
               {"FAMILY"},
               {"ORIGIN"},
               {"FLOWS", Align::right},
               {"CAPTURES", Align::right},
               {"PACKETS", Align::right},
               {"THRESHOLD", Align::right},
               {"MAY BLOCK"}});
  for (const ProtocolModel& model : database.models) {
    const std::string missing = missing_evidence(model);
    table.add({model.label, std::string(transport_name(model.transport)), std::string(view_name(model.view)),
               std::string(category_name(model.category)), model.family, std::string(origin_name(model.origin)),
               fmt::to_string(model.flows), fmt::to_string(model.captures), fmt::to_string(model.payload_packets),
               fmt::format("{:.3f}", model.threshold), missing.empty() ? "yes" : "no: " + missing});
  }
  fmt::print("{}{} models\n", table.text(), database.models.size());
  return kExitDone;
}

// The bins of a meter that hold most of its measurements, most frequent first.
std::vector<unsigned> top_bins(const ProtocolModel& model, unsigned meter, std::size_t count) {
  const std::uint32_t* counters = model.counters.data() + meter * kBinsPerMeter;
  std::vector<unsigned> bins;
  for (unsigned bin = 0; bin < kBinsPerMeter; ++bin)
    if (counters[bin] > 0) bins.push_back(bin);
  std::ranges::stable_sort(bins, std::greater{}, [&](unsigned bin) { return counters[bin]; });
  bins.resize(std::min(bins.size(), count));
  return bins;
}

// All models of that label; of a family all its labels, because verdicts may name a family of tunnels as a whole.
int show_model(const ModelDatabase& database, const std::string& wanted, bool json) {
  auto models = nlohmann::ordered_json::array();
  for (const ProtocolModel& model : database.models) {
    if (model.label != wanted && model.family != wanted) continue;
    nlohmann::ordered_json entry = summary_json(model);
    Table table({{"METER"}, {"MEASUREMENTS", Align::right}, {"MOST FREQUENT BINS"}});
    for (unsigned meter = 0; meter < kMeterCount; ++meter) {
      nlohmann::ordered_json bins = nlohmann::ordered_json::array();
      std::string text;
      for (const unsigned bin : top_bins(model, meter, 6)) {
        const std::uint32_t count = model.counters[meter * kBinsPerMeter + bin];
        const double share = static_cast<double>(count) / static_cast<double>(model.measurements[meter]);
        bins.push_back({{"bin", bin}, {"count", count}});
        text += fmt::format("{}{} ({:.0f} %)", text.empty() ? "" : ", ", bin, 100 * share);
      }
      entry["meters"].push_back(
          {{"meter", meter_name(meter)}, {"measurements", model.measurements[meter]}, {"top_bins", std::move(bins)}});
      table.add({std::string(meter_name(meter)), fmt::to_string(model.measurements[meter]), text});
    }
    models.push_back(std::move(entry));
    if (!json) {
      const std::string missing = missing_evidence(model);
      fmt::print("{} over {}, view {}: {}, family {}, {} of {}, {} payload packets, may block: {}\n{}\n", model.label,
                 transport_name(model.transport), view_name(model.view), category_name(model.category), model.family,
                 plural(model.flows, "flow"), plural(model.captures, "capture"), model.payload_packets,
                 missing.empty() ? "yes" : "no, " + missing + " needed", table.text());
    }
    if (model.flows < kFewFlows)
      fmt::print(stderr, "spidctl models: {} over {}, view {}: {} are few; models are reliable from {} on\n",
                 model.label, transport_name(model.transport), view_name(model.view), plural(model.flows, "flow"),
                 kFewFlows);
  }
  if (models.empty()) return report_failure("models", Error{fmt::format("there is no model '{}'", wanted)});
  if (json) fmt::print("{}\n", models.dump(2));
  return kExitDone;
}

// Models under the daemon's state directory are the site's, those of the installed directory shipped, all others the
// administrator's own.
Origin origin_of(const std::string& directory) {
  if (directory.starts_with("/var/lib/spidd/")) return Origin::site;
  std::error_code ignored;
  return std::filesystem::equivalent(directory, default_models_directory(), ignored) ? Origin::shipped : Origin::own;
}

int show(const CommandLine& line, const std::string& directory) {
  const auto database = load_models(directory, origin_of(directory));
  if (!database) return report_failure("models", database.error());
  if (!thresholds_fit(*database))
    fmt::print(stderr,
               "spidctl models: {0}: the thresholds were found among other models than these: for new ones, give all "
               "captures these were made of to 'spidctl train --calibrate-only --into {0}'\n",
               directory);
  const auto& words = line.positionals();
  return words[0] == "list" ? list_models(*database, line.has("json"))
                            : show_model(*database, words[1], line.has("json"));
}

}  // namespace

int command_models(const CommandArguments& arguments) {
  CommandLine line(
      "spidctl models",
      "list | show LABEL|FAMILY | merge LABEL... | rename LABEL NEW | forget LABEL | export LABEL|all FILE "
      "| import FILE",
      "Shows the protocol models and what they were trained from, and changes a directory of them. A "
      "command that fails changes nothing; a running daemon reads them with 'spidctl policy reload'.");
  line.value("models", "DIR", "directory of model files; default: the installed ones");
  line.flag("json", "list, show: print JSON");
  line.value("into", "LABEL", "merge: label of the sum (required)");
  line.flag("keep", "merge: keep the models that were added up");
  line.value("transport", "NAME", "forget: only of this transport; import: of models whose file does not say (XML)");
  line.value("family", "NAME", "merge, import: family of the models; else what they say, or their label");
  line.value("category", "NAME", "import: of models whose file does not say (XML)");
  line.values("rename", "LABEL=NEW", "import: under another label");
  line.values("only", "LABEL", "import: not all, but these");
  line.flag("add", "import: add the counts to models that are there already");
  line.flag("replace", "import: take the place of models that are there already");
  line.value("format", "NAME", "export: json or xml (SPID 0.4.6); import: the same, or auto", "auto");
  line.flag("all-meters", "export as XML: also the meters that SPID 0.4.6 has not");
  line.flag("one-way", "export: also the models of single directions");
  line.positional("action", 1, 100);
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  const std::string directory = line.has("models") ? line.text("models") : default_models_directory();
  const auto& words = line.positionals();
  const std::string& action = words[0];
  if (action == "list" && words.size() == 1) return show(line, directory);
  if (action == "show" && words.size() == 2) return show(line, directory);
  if (action == "merge" && words.size() >= 2) return models_merge(line, directory);
  if (action == "rename" && words.size() == 3) return models_rename(line, directory);
  if (action == "forget" && words.size() == 2) return models_forget(line, directory);
  if (action == "export" && words.size() == 3) return models_export(line, directory);
  if (action == "import" && words.size() == 2) return models_import(line, directory);
  return line.usage_error(
      "say 'list', 'show LABEL', 'merge LABEL... --into NEW', 'rename LABEL NEW', 'forget LABEL', 'export LABEL FILE' "
      "or "
      "'import FILE'");
}

}  // namespace spidd
