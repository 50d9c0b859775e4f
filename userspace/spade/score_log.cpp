// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/score_log.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <vector>

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

// The counts one level below an entry.
struct Below {
  double sum = 0;
  double weighted_logs = 0;  // sum of c log2 c

  double entropy() const { return sum > 0 ? std::log2(sum) - weighted_logs / sum : 0; }
};

// How many values lead to each entry, itself included; of 0, which is above the first level, none.
std::vector<std::uint8_t> depths_of(const SpadeState::Table& table) {
  std::vector<std::uint8_t> depths(table.entries.size() + 1);
  for (std::size_t i = 0; i < table.entries.size(); ++i)
    depths[i + 1] = static_cast<std::uint8_t>(depths[table.entries[i].parent] + 1);
  return depths;
}

// H(a), H(b|a), H(c|a,b): of a feature given all before it, weighted by how often those are seen.
std::string entropies(const SpadeState::Table& table, const std::vector<std::uint8_t>& depths) {
  std::vector<Below> below(table.entries.size() + 1);
  for (const ProbabilityTable::Stored& entry : table.entries) {
    below[entry.parent].sum += entry.count;
    below[entry.parent].weighted_logs += entry.count * std::log2(entry.count);
  }
  std::vector<double> entropy(table.features.size() + 1, 0);
  for (std::size_t i = 0; i < below.size(); ++i)
    entropy[depths[i]] += below[i].entropy() * (i == 0 ? 1 : table.entries[i - 1].count / below[0].sum);

  std::string text;
  for (std::size_t i = 0; i < table.features.size(); ++i)
    text += fmt::format("H({}{}{})= {:.8f}\n", feature_name(table.features[i]), i == 0 ? "" : "|",
                        names(std::span(table.features).first(i)), entropy[i]);
  return text;
}

// P(a=..,b=..) or P(b=..|a=..) of every entry.
std::string probabilities(const SpadeState::Table& table, const std::vector<std::uint8_t>& depths, bool conditional,
                          SpadeProfile profile, std::size_t most_lines) {
  const std::span<const Feature> features = table.features;
  std::array<FeatureValue, ProbabilityTable::kMaxDepth> values;
  std::string text;
  std::size_t lines = 0;
  for (std::size_t i = 0; i < table.entries.size(); ++i) {
    const ProbabilityTable::Stored& entry = table.entries[i];
    const std::size_t last = depths[i + 1] - std::size_t{1};
    if ((conditional && last == 0) || ++lines > most_lines) continue;
    values[last] = entry.value;
    std::size_t level = last;
    for (std::uint32_t at = entry.parent; at != 0; at = table.entries[at - 1].parent)
      values[--level] = table.entries[at - 1].value;
    const std::span<const FeatureValue> path(values.data(), last + 1);
    if (!conditional) {
      text += fmt::format("P({})= {:.12f}\n", assignment(features, path, profile), entry.count / table.total);
      continue;
    }
    text += fmt::format(
        "P({}={}|{})= {:.12f}\n", feature_name(features[last]), value_text(features[last], path[last], profile),
        assignment(features, path.first(last), profile), entry.count / table.entries[entry.parent - 1].count);
  }
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

std::string table_log(const SpadeState::Table& table, const StatisticsSettings& wanted, SpadeProfile profile,
                      std::size_t most_lines) {
  const Decay& decay = table.decay;
  std::string text = fmt::format("\nTable of {}\nRecorded is: P({})\n", table.conditions, names(table.features));
  if (decay.interval_minutes == 0)
    text += "Not scaled\n";
  else
    text += fmt::format("Scaled by {} every {} minutes, forgotten below {}\n", decay.factor, decay.interval_minutes,
                        decay.cutoff);
  if (table.start_second == ProbabilityTable::kNoSecond)
    text += "Not started\n";
  else
    text += fmt::format("Started at {}, last scaled at {}\n", table.start_second, table.last_scaled_second);
  if (!is_wanted(wanted)) return text;
  const std::vector<std::uint8_t> depths = depths_of(table);
  if (wanted.entropy) text += entropies(table, depths);
  if (wanted.unconditional) text += probabilities(table, depths, false, profile, most_lines);
  if (wanted.conditional) text += probabilities(table, depths, true, profile, most_lines);
  return text;
}

std::string score_log(const SpadeStatistics& statistics, std::span<const ThresholdAdviser* const> advisers) {
  std::string text = detector_log(statistics);
  for (const ThresholdAdviser* adviser : advisers) text += "\n" + adviser->text();
  return text;
}

}  // namespace spidd
