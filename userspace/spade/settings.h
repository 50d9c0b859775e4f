// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What SPADE is told to do: detectors, adapters, tables. Plain data, immutable once loaded. Read from the policy's
// [spade] part and from the original's "preprocessor spade" lines (snort_config.h). Defaults: spade.md 5.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "userspace/base/ip_address.h"
#include "userspace/base/result.h"
#include "userspace/base/time.h"
#include "userspace/capture/packet_record.h"

namespace spidd {

enum class SpadeProfile : std::uint8_t {
  documented,  // what the original's documents say, its faults mended (default)
  v030125,     // what Spade v030125.1 does, so that results can be compared
};
std::string_view profile_name(SpadeProfile profile);  // "documented", "030125"
Result<SpadeProfile> parse_spade_profile(std::string_view name);

enum class DetectorType : std::uint8_t { closed_dport, dead_dest, odd_dport, odd_port_dest, odd_typecode };
std::string_view detector_type_name(DetectorType type);  // "closed-dport"
Result<DetectorType> parse_detector_type(std::string_view name);

enum class NetworkSide : std::uint8_t { home, nothome, any };
enum class TcpScope : std::uint8_t { synonly, synack, setup, established, teardown, weird };
enum class IcmpScope : std::uint8_t { err, noterr, any };
std::string_view side_name(NetworkSide side);
std::string_view tcp_scope_name(TcpScope scope);
std::string_view icmp_scope_name(IcmpScope scope);
Result<NetworkSide> parse_side(std::string_view name);
Result<TcpScope> parse_tcp_scope(std::string_view name);
Result<IcmpScope> parse_icmp_scope(std::string_view name);  // "all" is another word for any (D14)

// A letter, then letters, digits, - and _; at most 50.
bool is_detector_id(std::string_view id);

// Of a probability table: every `interval_minutes` all counts are multiplied by `factor`, what falls below `cutoff` is
// forgotten. interval_minutes 0: no decay.
struct Decay {
  std::uint32_t interval_minutes = 240;
  double factor = 0.96409;
  double cutoff = 0.18;

  auto operator<=>(const Decay&) const = default;

  // The factor with which a count halves in `hours`; hours 0 gives 0.
  static double factor_of_half_life(double hours, std::uint32_t interval_minutes);
};

// Packets that are scored, recorded and fed to adapters as any other, but never reported.
struct ReportExclusions {
  std::vector<IpPrefix> sources;
  std::vector<IpPrefix> destinations;
  std::vector<std::uint16_t> source_ports;
  std::vector<std::uint16_t> destination_ports;

  bool empty() const {
    return sources.empty() && destinations.empty() && source_ports.empty() && destination_ports.empty();
  }
  bool operator==(const ReportExclusions&) const = default;
};

// Where something was read: no part of what is set, so settings that differ in it alone are equal.
struct SettingLine {
  unsigned number = 0;  // in the file; 0: in none

  bool operator==(const SettingLine&) const { return true; }
};

struct DetectorSettings {
  std::string id;  // is_detector_id(), or a serial number from an original configuration; unique
  DetectorType type = DetectorType::closed_dport;
  NetworkSide side = NetworkSide::home;     // `to` of closed-dport and odd-typecode, `from` of the odd ones
  Transport transport = Transport::tcp;     // odd-typecode: always icmp, which includes ICMPv6
  TcpScope tcp_flags = TcpScope::synonly;   // closed-dport, dead-dest
  IcmpScope icmp_type = IcmpScope::any;     // dead-dest, odd-typecode
  double threshold = 0.85;                  // reported if score >= threshold; below 0: never (until adapted)
  double min_observations = 400;            // 0 or less: no such gate
  double min_observations_destination = 0;  // closed-dport: of the destination alone (D5). 0: no such gate
  double max_entropy = 2.5;                 // bits; odd-port-dest
  bool relative_score = true;               // closed-dport; else raw
  bool corrected_score = true;              // raw scores only: bits; else the original's older units (3.2)
  unsigned probability_mode = 3;            // 0..3; closed-dport
  unsigned wait_seconds = 0;                // for a response. 0: report at once
  bool report_on_opposite = false;          // revwaitrpt
  ReportExclusions exclusions;
  Decay decay;
  SettingLine line;

  bool operator==(const DetectorSettings&) const = default;
};

// The settings that a detector has when nothing but its type and these is said (5.2, 2.4). `max_entropy` decides
// odd-port-dest's minobs.
DetectorSettings default_detector(DetectorType type, Transport transport = Transport::tcp,
                                  TcpScope tcp_flags = TcpScope::synonly,
                                  std::optional<IcmpScope> icmp_type = std::nullopt, double max_entropy = 2.5);

// spade-adapt, 7.2: target is alerts a period.
struct WeightedAdapter {
  std::string id;
  unsigned target = 20;
  double period_hours = 2;
  double new_weight = 0.5;
  bool by_count = true;

  bool operator==(const WeightedAdapter&) const = default;
};
// spade-adapt2, 7.3. target: 1 or more: alerts an hour; below: share of the scored packets.
struct LayeredAdapter {
  std::string id;
  double target = 0.01;
  double period_minutes = 15;
  unsigned short_windows = 4;    // NS
  unsigned medium_windows = 24;  // NM
  unsigned long_windows = 7;     // NL

  bool operator==(const LayeredAdapter&) const = default;
};
// spade-adapt3, 7.4; target as in LayeredAdapter.
struct MeanAdapter {
  std::string id;
  double target = 0.01;
  double period_minutes = 60;
  unsigned windows = 168;

  bool operator==(const MeanAdapter&) const = default;
};
using AdapterSettings = std::variant<WeightedAdapter, LayeredAdapter, MeanAdapter>;

struct AdviserSettings {  // spade-threshadvise, 7.6
  std::string id;
  unsigned target = 200;
  unsigned hours = 24;

  bool operator==(const AdviserSettings&) const = default;
};

struct SurveySettings {  // spade-survey, 7.7
  std::string id;
  std::string file;  // empty: kept for `spidctl spade survey` only
  double interval_minutes = 60;

  bool operator==(const SurveySettings&) const = default;
};

struct StatisticsSettings {  // spade-stats, 7.8
  bool entropy = false;
  bool unconditional = false;
  bool conditional = false;

  bool operator==(const StatisticsSettings&) const = default;
};

// What spidd does beyond the original (12.6, 12.7).
struct SpadeExtensions {
  bool learn_answered_only = false;  // an attempt that nobody answers does not become normal
  bool quarantine = true;            // nor what belongs to an open incident
  bool incidents = true;             // group alerts by source and by target
  bool scan_promotion = true;        // call an incident a scan by the outcomes of its attempts (TRW)
  bool burst_score = true;           // what is many times as frequent as usual, beside rarity (MIDAS)
  double burst_threshold = 1000;     // chi-square of a burst
  std::uint32_t burst_least = 60;    // attempts of a source in ten seconds; of a service ten times that
  bool asset_prior = false;          // small baselines lean on those of their group
  Duration incident_idle = std::chrono::minutes(10);  // an incident without news closes
  std::uint32_t max_incidents = 4096;

  bool operator==(const SpadeExtensions&) const = default;
};

enum class SpadeDestination : std::uint8_t { alert, log, both, none };
std::string_view destination_name(SpadeDestination destination);
Result<SpadeDestination> parse_destination(std::string_view name);

struct SpadeSettings {
  bool enabled = true;
  SpadeProfile profile = SpadeProfile::documented;
  std::vector<IpPrefix> home;  // empty: everything is home
  std::vector<DetectorSettings> detectors;
  std::vector<AdapterSettings> adapters;  // at most one a detector: the last counts
  std::vector<AdviserSettings> advisers;
  std::vector<SurveySettings> surveys;
  StatisticsSettings statistics;
  ReportExclusions exclusions;  // for every detector
  std::string log_file;         // empty: on request only
  std::string state_file;       // empty: nothing is kept over a restart. No '/': in the state directory of spidd
  std::uint64_t checkpoint_updates = 50000;
  SpadeDestination destination = SpadeDestination::alert;
  SpadeDestination adjustments = SpadeDestination::alert;
  SpadeExtensions extensions;
  std::uint64_t max_table_bytes = 256ULL << 20;  // all tables together; each needs 168 KiB
  std::uint32_t max_waiting = 65536;             // reports that wait for a response

  bool operator==(const SpadeSettings&) const = default;
};

// The set that the original was distributed with (5.4), with ids that say what they are about.
SpadeSettings distributed_settings();

}  // namespace spidd
