// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl models list|show: what the models are and what they were trained from. Reads the files; asks no daemon.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "userspace/ctl/command.h"
#include "userspace/daemon/config.h"
#include "userspace/report/table.h"
#include "userspace/spid/protocol_model.h"

namespace spidd {

namespace {

nlohmann::ordered_json summary_json(const ProtocolModel& model) {
  return {{"label", model.label},
          {"transport", transport_name(model.transport)},
          {"category", category_name(model.category)},
          {"family", model.family},
          {"flows", model.flows},
          {"captures", model.captures},
          {"payload_packets", model.payload_packets}};
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
               {"CATEGORY"},
               {"FAMILY"},
               {"FLOWS", Align::right},
               {"CAPTURES", Align::right},
               {"PAYLOAD PACKETS", Align::right}});
  for (const ProtocolModel& model : database.models)
    table.add({model.label, std::string(transport_name(model.transport)), std::string(category_name(model.category)),
               model.family, fmt::to_string(model.flows), fmt::to_string(model.captures),
               fmt::to_string(model.payload_packets)});
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
    if (!json)
      fmt::print("{} over {}: {}, family {}, {} flows of {} captures, {} payload packets\n{}\n", model.label,
                 transport_name(model.transport), category_name(model.category), model.family, model.flows,
                 model.captures, model.payload_packets, table.text());
  }
  if (models.empty()) return report_failure("models", Error{fmt::format("there is no model '{}'", wanted)});
  if (json) fmt::print("{}\n", models.dump(2));
  return kExitDone;
}

}  // namespace

int command_models(const CommandArguments& arguments) {
  CommandLine line("spidctl models", "list | show LABEL|FAMILY",
                   "Shows the protocol models and what they were trained from.");
  line.value("models", "DIR", "directory of model files; default: the installed ones");
  line.flag("json", "print JSON");
  line.positional("action", 1, 2);
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  const auto& words = line.positionals();
  const bool list = words[0] == "list" && words.size() == 1;
  if (!list && !(words[0] == "show" && words.size() == 2)) return line.usage_error("say 'list', or 'show' and a label");

  const auto database = load_models(line.has("models") ? line.text("models") : default_models_directory());
  if (!database) return report_failure("models", database.error());
  return list ? list_models(*database, line.has("json")) : show_model(*database, words[1], line.has("json"));
}

}  // namespace spidd
