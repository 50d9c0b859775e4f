// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/score_log.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <vector>

#include "userspace/spade/probability_table.h"

namespace spidd {
namespace {

// "1.2.3.4", or as the original writes it: a number.
std::string value_text(Feature feature, const FeatureValue& value, SpadeProfile profile) {
  if (feature != Feature::source && feature != Feature::destination)
    return fmt::format("{}{}", value.high != 0 ? "v6:" : "", value.low);
  IpAddress address;
  for (std::size_t i = 0; i < 8; ++i) {
    address.bytes[i] = static_cast<std::uint8_t>(value.high >> (56 - 8 * i));
    address.bytes[8 + i] = static_cast<std::uint8_t>(value.low >> (56 - 8 * i));
  }
  if (profile == SpadeProfile::v030125 && address.is_ipv4())
    return fmt::format("{}", static_cast<std::uint32_t>(value.low));
  return address.to_string();
}

std::string names(std::span<const Feature> features) {
  std::string text;
  for (const Feature feature : features) text += fmt::format("{}{}", text.empty() ? "" : ",", feature_name(feature));
  return text;
}

std::string assignment(std::span<const Feature> features, std::span<const FeatureValue> path, SpadeProfile profile) {
  std::string text;
  for (std::size_t i = 0; i < path.size(); ++i)
    text +=
        fmt::format("{}{}={}", i == 0 ? "" : ",", feature_name(features[i]), value_text(features[i], path[i], profile));
  return text;
}

// The counts one level below a path.
struct Below {
  double sum = 0;
  double weighted_logs = 0;  // sum of c log2 c

  double entropy() const { return sum > 0 ? std::log2(sum) - weighted_logs / sum : 0; }
};

// H(a), H(b|a), H(c|a,b): of a feature given all before it, weighted by how often those are seen.
std::string entropies(const ProbabilityTable& table) {
  const std::vector<Feature>& features = table.features();
  std::map<std::vector<FeatureValue>, Below> below;
  table.for_each([&below](std::span<const FeatureValue> path, double count) {
    Below& parent = below[{path.begin(), path.end() - 1}];
    parent.sum += count;
    parent.weighted_logs += count * std::log2(count);
  });
  std::vector<double> entropy(features.size(), 0);
  const double total = below[{}].sum;
  for (const auto& [path, counts] : below)
    entropy[path.size()] += counts.entropy() * (path.empty() ? 1 : table.counts(path).at[path.size()] / total);

  std::string text;
  for (std::size_t i = 0; i < features.size(); ++i)
    text += fmt::format("H({}{}{})= {:.8f}\n", feature_name(features[i]), i == 0 ? "" : "|",
                        names(std::span(features).first(i)), entropy[i]);
  return text;
}

// P(a=..,b=..) or P(b=..|a=..) of every entry.
std::string probabilities(const ProbabilityTable& table, bool conditional, SpadeProfile profile,
                          std::size_t most_lines) {
  const std::span<const Feature> features = table.features();
  const double total = table.counts({}).at[0];
  std::string text;
  std::size_t lines = 0;
  table.for_each([&](std::span<const FeatureValue> path, double count) {
    const std::size_t last = path.size() - 1;
    if ((conditional && last == 0) || ++lines > most_lines) return;
    if (!conditional) {
      text += fmt::format("P({})= {:.12f}\n", assignment(features, path, profile), count / total);
      return;
    }
    const std::span<const FeatureValue> parent = path.first(last);
    text += fmt::format("P({}={}|{})= {:.12f}\n", feature_name(features[last]),
                        value_text(features[last], path[last], profile), assignment(features, parent, profile),
                        count / table.counts(parent).at[last]);
  });
  if (lines > most_lines) text += fmt::format("({} more entries left out)\n", lines - most_lines);
  return text;
}

std::string of_evaluated(std::uint64_t count, std::uint64_t evaluated) {
  if (evaluated == 0) return fmt::format("{} (-)", count);
  return fmt::format("{} ({:.2f}%)", count, 100.0 * static_cast<double>(count) / static_cast<double>(evaluated));
}

}  // namespace

std::string detector_log(const SpadeStatistics& statistics) {
  std::string text = fmt::format("{} packets were processed by Spade\n{} updates of tables\n", statistics.observations,
                                 statistics.updates);
  for (const DetectorStatistics& detector : statistics.detectors) {
    const auto line = [&](std::uint64_t count, std::string_view what) {
      text += fmt::format("  {} {}\n", of_evaluated(count, detector.evaluated), what);
    };
    text += fmt::format("\n** {}: {} (id={}) **\n", detector.activity, detector.scope, detector.id);
    text += fmt::format("  threshold {:.4f}\n", detector.threshold);
    text += fmt::format("  {} packets evaluated\n", detector.evaluated);
    line(detector.anomalous, "packets considered anomalous");
    line(detector.excluded, "reports dropped due to configured exclusion");
    if (detector.held_back > 0)
      line(detector.held_back, "anomalous packets not reported: as many as wished were in that period");
    line(detector.waited, "reports inserted in the wait queue");
    line(detector.cancelled, "waiting reports dropped after a response or its absence");
    line(detector.reported, "reports sent");
    line(detector.insufficient, "packets did not have enough observations");
    line(detector.responses, "packets checked against the wait queue");
    text += fmt::format("  {} observations stored\n  {:.2f} observations remembered\n", detector.recorded,
                        detector.remembered);
  }
  return text;
}

std::string table_log(const Spade::TableView& view, const StatisticsSettings& wanted, SpadeProfile profile,
                      std::size_t most_lines) {
  const ProbabilityTable& table = *view.table;
  const Decay& decay = table.decay();
  std::string text = fmt::format("\nTable of {}\nRecorded is: P({})\n", view.conditions, names(table.features()));
  if (decay.interval_minutes == 0)
    text += "Not scaled\n";
  else
    text += fmt::format("Scaled by {} every {} minutes, forgotten below {}\n", decay.factor, decay.interval_minutes,
                        decay.cutoff);
  text += fmt::format("Started at {}, last scaled at {}\n", table.start_second(), table.last_scaled_second());
  if (wanted.entropy) text += entropies(table);
  if (wanted.unconditional) text += probabilities(table, false, profile, most_lines);
  if (wanted.conditional) text += probabilities(table, true, profile, most_lines);
  return text;
}

std::string score_log(const SpadeStatistics& statistics, std::span<const ThresholdAdviser* const> advisers,
                      std::span<const Spade::TableView> tables, const StatisticsSettings& wanted,
                      SpadeProfile profile) {
  std::string text = detector_log(statistics);
  for (const ThresholdAdviser* adviser : advisers) text += "\n" + adviser->text();
  if (wanted.entropy || wanted.unconditional || wanted.conditional)
    for (const Spade::TableView& view : tables) text += table_log(view, wanted, profile);
  return text;
}

}  // namespace spidd
