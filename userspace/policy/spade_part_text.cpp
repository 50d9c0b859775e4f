// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Only what is not the default is written: what is left to be read is what the administrator decided.
#include <fmt/ranges.h>

#include <cmath>

#include "userspace/policy/spade_part.h"
#include "userspace/spade/detector.h"

namespace spidd {
namespace {

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

// Numbers as TOML reads them back bit by bit.
std::string number_text(double value) { return fmt::format("{}", value); }

// To the millisecond, which is finer than any setting.
std::string duration_text(double count, Duration unit) {
  const double milliseconds = count * static_cast<double>(unit / std::chrono::milliseconds(1));
  const auto whole = static_cast<std::int64_t>(std::llround(milliseconds));
  if (whole % 1000 != 0) return fmt::format("\"{}ms\"", whole);
  return fmt::format("\"{}\"", format_duration(std::chrono::milliseconds(whole)));
}

class Writer {
 public:
  void line(std::string_view key, std::string_view value) { out_ += fmt::format("{} = {}\n", key, value); }
  void head(std::string_view name) { out_ += fmt::format("{}{}\n", out_.empty() ? "" : "\n", name); }

  template <class Value, class Text>
  void unless(std::string_view key, const Value& value, const Value& standard, Text written) {
    if (value != standard) line(key, written(value));
  }
  void boolean(std::string_view key, bool value, bool standard) {
    unless(key, value, standard, [](bool yes) { return yes ? "true" : "false"; });
  }
  void number(std::string_view key, double value, double standard) { unless(key, value, standard, number_text); }
  void integer(std::string_view key, std::uint64_t value, std::uint64_t standard) {
    unless(key, value, standard, [](std::uint64_t n) { return fmt::format("{}", n); });
  }
  void duration(std::string_view key, double count, double standard, Duration unit) {
    unless(key, count, standard, [&](double n) { return duration_text(n, unit); });
  }
  void text(std::string_view key, std::string_view value, std::string_view standard) {
    unless(key, value, standard, [](std::string_view word) { return quoted(word); });
  }
  void prefixes(std::string_view key, const std::vector<IpPrefix>& prefixes) {
    std::vector<std::string> words;
    for (const IpPrefix& prefix : prefixes) words.push_back(quoted(prefix.to_string()));
    if (!words.empty()) line(key, fmt::format("[{}]", fmt::join(words, ", ")));
  }
  void ports(std::string_view key, const std::vector<std::uint16_t>& ports) {
    if (!ports.empty()) line(key, fmt::format("[{}]", fmt::join(ports, ", ")));
  }
  void exclusions(std::string_view name, const ReportExclusions& exclusions) {
    if (exclusions.empty()) return;
    head(name);
    prefixes("sources", exclusions.sources);
    prefixes("destinations", exclusions.destinations);
    ports("source_ports", exclusions.source_ports);
    ports("destination_ports", exclusions.destination_ports);
  }

  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

void write_detector(Writer& out, const DetectorSettings& detector) {
  const bool closed = detector.type == DetectorType::closed_dport;
  const bool dead = detector.type == DetectorType::dead_dest;
  const bool odd_source = detector.type == DetectorType::odd_dport || detector.type == DetectorType::odd_port_dest;
  const bool codes = detector.type == DetectorType::odd_typecode;
  DetectorSettings standard =
      default_detector(detector.type, detector.transport, detector.tcp_flags, detector.icmp_type, detector.max_entropy);
  if (!detector.relative_score) {
    standard.threshold = -1;
    standard.min_observations = 0;
  }
  out.head("[[spade.detector]]");
  out.line("id", quoted(detector.id));
  out.line("type", quoted(detector_type_name(detector.type)));
  if (!dead) out.text(odd_source ? "from" : "to", side_name(detector.side), side_name(NetworkSide::home));
  if (!codes) out.line("transport", quoted(transport_name(detector.transport)));
  if ((closed || dead) && detector.transport == Transport::tcp)
    out.line("tcp_flags", quoted(tcp_scope_name(detector.tcp_flags)));
  if (codes || (dead && detector.transport == Transport::icmp))
    out.line("icmp_type", quoted(icmp_scope_name(detector.icmp_type)));
  out.number("max_entropy", detector.max_entropy, 2.5);
  out.integer("probability_mode", detector.probability_mode, 3);
  out.boolean("relative_score", detector.relative_score, true);
  // What would have no effect is left out: it would be a mistake.
  const bool waits = waits_for_answers(detector);
  if (!detector.relative_score) out.boolean("corrected_score", detector.corrected_score, true);
  if (!dead) out.line("threshold", number_text(detector.threshold));
  out.number("min_observations", detector.min_observations, standard.min_observations);
  out.number("min_observations_destination", detector.min_observations_destination, 0);
  if (waits || (detector.wait_seconds == 0 && standard.wait_seconds > 0))
    out.line("wait", duration_text(detector.wait_seconds, std::chrono::seconds(1)));
  if (waits) out.boolean("report_on_opposite", detector.report_on_opposite, false);
  out.duration("decay_every", detector.decay.interval_minutes, standard.decay.interval_minutes,
               std::chrono::minutes(1));
  out.number("decay_factor", detector.decay.factor, standard.decay.factor);
  out.number("decay_cutoff", detector.decay.cutoff, standard.decay.cutoff);
  ReportExclusions exclusions = detector.exclusions;
  if (detector.transport == Transport::icmp) exclusions.source_ports = exclusions.destination_ports = {};
  out.exclusions("[spade.detector.exclude]", exclusions);
}

void write_adapter(Writer& out, const AdapterSettings& settings) {
  out.head("[[spade.adapt]]");
  out.line("detector", quoted(std::visit([](const auto& kind) { return kind.id; }, settings)));
  if (const auto* weighted = std::get_if<WeightedAdapter>(&settings)) {
    out.line("kind", quoted("weighted"));
    out.line("target", fmt::format("{}", weighted->target));
    out.line("period", duration_text(weighted->period_hours, std::chrono::hours(1)));
    out.number("new_weight", weighted->new_weight, WeightedAdapter{}.new_weight);
    out.boolean("by_count", weighted->by_count, WeightedAdapter{}.by_count);
  } else if (const auto* layered = std::get_if<LayeredAdapter>(&settings)) {
    const LayeredAdapter standard;
    out.line("kind", quoted("layered"));
    out.line("target", number_text(layered->target));
    out.line("period", duration_text(layered->period_minutes, std::chrono::minutes(1)));
    out.integer("short_windows", layered->short_windows, standard.short_windows);
    out.integer("medium_windows", layered->medium_windows, standard.medium_windows);
    out.integer("long_windows", layered->long_windows, standard.long_windows);
  } else if (const auto* mean = std::get_if<MeanAdapter>(&settings)) {
    out.line("kind", quoted("mean"));
    out.line("target", number_text(mean->target));
    out.line("period", duration_text(mean->period_minutes, std::chrono::minutes(1)));
    out.integer("windows", mean->windows, MeanAdapter{}.windows);
  }
}

void write_extensions(Writer& out, const SpadeExtensions& extensions) {
  const SpadeExtensions standard;
  if (extensions == standard) return;
  out.head("[spade.extensions]");
  out.boolean("learn_answered_only", extensions.learn_answered_only, standard.learn_answered_only);
  out.boolean("quarantine", extensions.quarantine, standard.quarantine);
  out.boolean("incidents", extensions.incidents, standard.incidents);
  out.boolean("scan_promotion", extensions.scan_promotion, standard.scan_promotion);
  out.boolean("burst_score", extensions.burst_score, standard.burst_score);
  if (extensions.burst_threshold != standard.burst_threshold)
    out.line("burst_threshold", number_text(extensions.burst_threshold));
  out.integer("burst_least", extensions.burst_least, standard.burst_least);
  out.boolean("asset_prior", extensions.asset_prior, standard.asset_prior);
  if (extensions.incident_idle != standard.incident_idle)
    out.line("incident_idle",
             duration_text(static_cast<double>(extensions.incident_idle / std::chrono::milliseconds(1)),
                           std::chrono::milliseconds(1)));
  out.integer("max_incidents", extensions.max_incidents, standard.max_incidents);
}

}  // namespace

std::string spade_part_text(const SpadeSettings& settings) {
  const SpadeSettings standard = distributed_settings();
  const auto path = [](const std::string& file) {
    return file.empty() ? std::string_view("none") : std::string_view(file);
  };
  Writer out;
  out.head("[spade]");
  out.boolean("enabled", settings.enabled, true);
  out.text("profile", profile_name(settings.profile), profile_name(standard.profile));
  out.prefixes("home", settings.home);
  out.text("log_file", path(settings.log_file), path(standard.log_file));
  out.text("state_file", path(settings.state_file), path(standard.state_file));
  out.integer("checkpoint_updates", settings.checkpoint_updates, standard.checkpoint_updates);
  out.text("destination", destination_name(settings.destination), destination_name(standard.destination));
  out.text("adjustments", destination_name(settings.adjustments), destination_name(settings.destination));
  out.integer("max_table_bytes", settings.max_table_bytes, standard.max_table_bytes);
  out.integer("max_waiting", settings.max_waiting, standard.max_waiting);
  out.exclusions("[spade.exclude]", settings.exclusions);
  if (settings.statistics != StatisticsSettings{}) {
    out.head("[spade.statistics]");
    out.boolean("entropy", settings.statistics.entropy, false);
    out.boolean("unconditional", settings.statistics.unconditional, false);
    out.boolean("conditional", settings.statistics.conditional, false);
  }
  write_extensions(out, settings.extensions);
  for (const DetectorSettings& detector : settings.detectors) write_detector(out, detector);
  for (const AdapterSettings& adapter : settings.adapters) write_adapter(out, adapter);
  for (const AdviserSettings& adviser : settings.advisers) {
    out.head("[[spade.advise]]");
    out.line("detector", quoted(adviser.id));
    out.line("target", fmt::format("{}", adviser.target));
    out.line("period", duration_text(adviser.hours, std::chrono::hours(1)));
  }
  for (const SurveySettings& survey : settings.surveys) {
    out.head("[[spade.survey]]");
    out.line("detector", quoted(survey.id));
    out.text("file", survey.file, "");
    out.line("interval", duration_text(survey.interval_minutes, std::chrono::minutes(1)));
  }
  return out.take();
}

}  // namespace spidd
