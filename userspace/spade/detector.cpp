// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The five detectors: tables of spade.md 2.1 (what is scored by what) and 6.1 (what is waited for), as data.
#include "userspace/spade/detector.h"

#include <algorithm>

#include "userspace/spade/score.h"

namespace spidd {

using namespace condition;

namespace {

constexpr unsigned kForcedWait = 5;  // closed-dport of synack, established and teardown cannot do without
constexpr std::size_t kLongestId = 50;

bool is_icmp(Transport transport) { return transport == Transport::icmp || transport == Transport::icmp6; }

// A serial number, as the original gives to detectors without an id.
bool is_serial_number(std::string_view id) {
  return !id.empty() && id.size() <= kLongestId && id.find_first_not_of("0123456789") == std::string_view::npos;
}

// The side of a response: the other end.
Conditions flipped(Conditions scope) {
  Conditions sides = 0;
  if ((scope & kToHome) != 0) sides |= kFromHome;
  if ((scope & kToForeign) != 0) sides |= kFromForeign;
  if ((scope & kFromHome) != 0) sides |= kToHome;
  if ((scope & kFromForeign) != 0) sides |= kToForeign;
  return sides;
}

// 6.3: an unreachable proves the host alive if the host itself says that only the port or protocol is not there (or, as
// a filter of its own would, that it is prohibited).
bool proves_life(const IpAddress& destination, const Observation& unreachable) {
  if (unreachable.reporter != destination) return false;
  const unsigned code = unreachable.icmp_code;
  if (!destination.is_ipv4()) return code == 1 || code == 4;
  return code == 2 || code == 3 || code == 9 || code == 10 || code == 13;
}

// Networks and hosts that cannot be reached or do not exist. A router that says "port unreachable" or "prohibited" is a
// filter, which knows nothing of the host.
bool proves_death(const IpAddress& destination, const Observation& unreachable) {
  const unsigned code = unreachable.icmp_code;
  if (!destination.is_ipv4()) return code == 0 || code == 3;
  return code == 0 || code == 1 || (code >= 5 && code <= 8) || code == 11 || code == 12;
}

}  // namespace

bool waits_for_answers(const DetectorSettings& settings) {
  const auto detector = Detector::create(settings, Compatibility::of(SpadeProfile::documented));
  return detector && detector->waiting() != Detector::Waiting::none;
}

Result<Detector> Detector::create(const DetectorSettings& settings, const Compatibility& compatibility,
                                  bool asset_prior) {
  if (settings.id.empty()) return fail("a detector has no id");
  if (!compatibility.any_id && !is_detector_id(settings.id) && !is_serial_number(settings.id)) {
    return fail("detector \"{}\": an id is a letter, then letters, digits, - and _, at most {} in all", settings.id,
                kLongestId);
  }
  const Decay& decay = settings.decay;
  if (!(decay.factor >= 0 && decay.factor <= 1) || !(decay.cutoff >= 0)) {
    return fail("detector {}: counts cannot decay by a factor of {} with a cutoff of {}", settings.id, decay.factor,
                decay.cutoff);
  }
  Detector detector(settings, compatibility);
  if (auto planned = detector.plan(); !planned) {
    return std::move(planned).error().within(fmt::format("detector {}", settings.id));
  }
  const bool odd = settings.type == DetectorType::odd_dport || settings.type == DetectorType::odd_port_dest;
  if (asset_prior && odd) detector.lean_on_group();
  detector.plan_texts();
  return detector;
}

std::string Detector::score_kind() const {
  const std::string_view unit = settings_.relative_score    ? "relative"
                                : settings_.corrected_score ? "bits"
                                                            : "old units";
  return fmt::format("{} {} {}", detector_type_name(settings_.type), unit, settings_.probability_mode);
}

Result<> Detector::plan() {
  if (settings_.type != DetectorType::closed_dport) settings_.relative_score = true;
  switch (settings_.type) {
    case DetectorType::closed_dport:
      return plan_closed_dport();
    case DetectorType::dead_dest:
      return plan_dead_dest();
    case DetectorType::odd_dport:
      return plan_odd({Feature::source, Feature::destination_port});
    case DetectorType::odd_port_dest:
      return plan_odd({Feature::source, Feature::destination_port, Feature::destination});
    case DetectorType::odd_typecode:
      plan_odd_typecode();
      return {};
  }
  return fail("its type is unknown");
}

Result<> Detector::plan_closed_dport() {
  const Conditions side = to_condition(settings_.side);
  const bool tcp = settings_.transport == Transport::tcp;
  if (!tcp && settings_.transport != Transport::udp) return fail("closed-dport is about tcp or udp");
  if (tcp && settings_.tcp_flags == TcpScope::setup) return fail("closed-dport has no tcpflags=setup");
  scope_ = side | (tcp ? tcp_condition(settings_.tcp_flags) : kUdp | kAttempt);
  const Conditions recorded = side | (tcp ? kSyn : kUdp | kAttempt);
  learns_from_scored_ = scope_ == recorded;

  switch (settings_.probability_mode) {
    case 0:
      needs_.push_back({recorded, {Feature::destination_port, Feature::source_port, Feature::source}, settings_.decay});
      needs_.push_back({recorded, {Feature::source_port, Feature::source, Feature::destination}, settings_.decay});
      settings_.min_observations = 0;
      break;
    case 1:
      needs_.push_back({recorded,
                        {Feature::destination, Feature::destination_port, Feature::source, Feature::source_port},
                        settings_.decay});
      break;
    case 2:
      needs_.push_back({recorded, {Feature::destination, Feature::destination_port, Feature::source}, settings_.decay});
      break;
    case 3:
      needs_.push_back({recorded, {Feature::destination, Feature::destination_port}, settings_.decay});
      break;
    default:
      return fail("probmode is 0 to 3");
  }
  target_level_ = needs_.front().features.size();
  if (settings_.probability_mode == 0 || !compatibility_.minimum_of_destination)
    settings_.min_observations_destination = 0;

  responses_.all = flipped(side);
  if (!tcp) {
    if (settings_.wait_seconds > 0) waiting_ = Waiting::for_presence;
    responses_.any = kUnreachableUdp;
  } else if (settings_.tcp_flags == TcpScope::synonly) {
    if (settings_.wait_seconds > 0) waiting_ = Waiting::for_absence;
    responses_.any = kSynAck | (compatibility_.reset_is_no_answer ? 0 : kReset);
  } else if (settings_.tcp_flags != TcpScope::weird) {
    if (settings_.wait_seconds == 0) settings_.wait_seconds = kForcedWait;
    waiting_ = Waiting::for_presence;
    responses_.any = kReset;
  }
  return {};
}

Result<> Detector::plan_dead_dest() {
  scope_ = kToHome | kToHost;
  needs_.push_back({kFromHome | kRepresentative, {Feature::source}, settings_.decay});
  learns_from_scored_ = false;
  target_level_ = 1;
  settings_.threshold = 1;
  if (settings_.wait_seconds > 0) waiting_ = Waiting::for_absence;

  responses_.all = kFromHome;
  if (settings_.transport == Transport::udp) {
    scope_ |= kUdp;
    responses_.any = kUdp | kUnreachableUdp;
    return {};
  }
  if (is_icmp(settings_.transport)) {
    scope_ |= icmp_condition(settings_.icmp_type);
    responses_.any = kIcmpOther | kUnreachableIcmp;
    return {};
  }
  scope_ |= tcp_condition(settings_.tcp_flags);
  responses_.any = kUnreachableTcp;
  switch (settings_.tcp_flags) {
    case TcpScope::synonly:
      responses_.any |= kSynAck | kReset;
      break;
    case TcpScope::setup:
      responses_.any |= kSynAck | kReset | kEstablished | kTeardown;
      break;
    case TcpScope::synack:
    case TcpScope::established:
      responses_.any |= kEstablished | kTeardown;
      break;
    case TcpScope::teardown:
      responses_.any |= kTeardown;
      break;
    case TcpScope::weird:
      responses_.any = 0;
      waiting_ = Waiting::none;
      break;
  }
  return {};
}

Result<> Detector::plan_odd(std::vector<Feature> features) {
  const bool tcp = settings_.transport == Transport::tcp;
  if (!tcp && settings_.transport != Transport::udp) {
    return fail("{} is about tcp or udp", detector_type_name(settings_.type));
  }
  scope_ = from_condition(settings_.side) | (tcp ? kSyn : kUdp | kAttempt);
  target_level_ = features.size();
  gate_level_ = base_level_ = target_level_ - 1;
  if (settings_.type == DetectorType::odd_port_dest) {
    if (compatibility_.odd_port_dest_base_is_source) base_level_ = 1;
    const bool gated = compatibility_.zero_entropy_is_no_gate ? settings_.max_entropy > 0 : settings_.max_entropy >= 0;
    if (gated) entropy_depth_ = gate_level_;
  }
  needs_.push_back({scope_, std::move(features), settings_.decay, entropy_depth_});

  responses_ = {flipped(scope_), tcp ? kSynAck : kUnreachableUdp};
  if (settings_.wait_seconds > 0) waiting_ = tcp ? Waiting::for_absence : Waiting::for_presence;
  return {};
}

// The same table without the source.
void Detector::lean_on_group() {
  asset_prior_ = true;
  TableNeed group = needs_.front();
  group.features.erase(group.features.begin());
  group.entropy_depth = 0;
  needs_.push_back(std::move(group));
  if (settings_.min_observations > kPriorMinimum) settings_.min_observations = kPriorMinimum;
}

void Detector::plan_odd_typecode() {
  scope_ = to_condition(settings_.side) | icmp_condition(settings_.icmp_type);
  // What is odd among pings of IPv4 says nothing of IPv6, nor do they make enough observations of it.
  for (const Conditions version : {kIcmp4, kIcmp6})
    needs_.push_back({scope_ | version, {Feature::icmp_type_code}, settings_.decay});
  target_level_ = 1;
  responses_ = {flipped(scope_), kIcmpOther};
  if (settings_.wait_seconds > 0) waiting_ = Waiting::for_absence;
}

void Detector::plan_texts() {
  scope_text_ = conditions_text(scope_);
  switch (settings_.type) {
    case DetectorType::closed_dport:
      activity_at_once_ = "Rare dest port used";
      activity_waited_ = settings_.report_on_opposite ? "Rare but open dest port used" : "Closed dest port used";
      if (compatibility_.text_by_settings && settings_.wait_seconds > 0) activity_at_once_ = activity_waited_;
      return;
    case DetectorType::dead_dest:
      activity_at_once_ = "Non-live dest used";
      break;
    case DetectorType::odd_dport:
      activity_at_once_ = "Source used odd dest port";
      break;
    case DetectorType::odd_port_dest:
      activity_at_once_ = "Source used odd dest for port";
      break;
    case DetectorType::odd_typecode:
      activity_at_once_ = "Odd ICMP type/code found";
      break;
  }
  activity_waited_ = activity_at_once_;
}

unsigned Detector::sid() const {
  switch (settings_.type) {
    case DetectorType::closed_dport:
      return 1;
    case DetectorType::dead_dest:
      return 3;
    case DetectorType::odd_dport:
      return 4;
    case DetectorType::odd_typecode:
      return 5;
    case DetectorType::odd_port_dest:
      return 6;
  }
  return 0;
}

Detector::Score Detector::scored(double probability, double relative, double base) const {
  // Counts that decayed apart can be a rounding error beyond their base.
  const double bits = std::max(0.0, raw_score(probability));
  if (settings_.relative_score) return {{std::max(0.0, relative), bits}, base};
  return {{settings_.corrected_score ? bits : legacy_raw_score(probability), bits}, base};
}

std::optional<Detector::Score> Detector::score(const Counts& counts, double added) const {
  if (settings_.probability_mode == 0 && settings_.type == DetectorType::closed_dport)
    return bayes_score(counts, added);
  const auto& at = counts.first->at;
  double base = at[base_level_] + added;
  if (!(base > 0)) return std::nullopt;
  if (compatibility_.unknown_destination_is_normal && settings_.type == DetectorType::closed_dport &&
      !(at[1] + added > 0)) {
    return scored(1, 0, base);
  }
  double count = at[target_level_] + added;
  if (asset_prior_) {
    // Without this source, or it would confirm itself.
    const auto& group = counts.second->at;
    const double others = group[base_level_ - 1] - at[base_level_];
    const double alike = std::max(0.0, group[target_level_ - 1] - at[target_level_]);
    if (others > 0) count += kPriorWeight * std::min(1.0, alike / others);
    base += kPriorWeight;
  }
  const double relative = count > 0 ? relative_score(count, base).value_or(0) : 1;
  return scored(one_more_probability(count, base), relative, base);
}

// P(dport) P(sport | dport) P(sip | dport, sport) P(dip | sport, sip), 2.2.
std::optional<Detector::Score> Detector::bayes_score(const Counts& counts, double added) const {
  if (compatibility_.bayes_needs_raw && settings_.relative_score) return std::nullopt;
  const auto& first = counts.first->at;
  const auto& second = counts.second->at;
  const double base = first[0] + added;
  if (!(base > 0)) return std::nullopt;
  double probability = one_more_probability(second[3] + added, second[2] + added);
  for (std::size_t level = 1; level <= 3; level++)
    probability *= one_more_probability(first[level] + added, first[level - 1] + added);
  const double bits = std::max(0.0, raw_score(probability));
  return Score{{settings_.corrected_score ? bits : legacy_raw_score(probability), bits}, base};
}

Conditions Detector::examined() const {
  const Conditions responses = settings_.type == DetectorType::dead_dest ? 0 : responses_.any;
  Conditions examined = (waiting_ == Waiting::none ? 0 : responses) | scope_;
  if ((examined & kSetup) != 0) examined |= kSynAck;
  return examined;
}

PortStatus Detector::first_status() const {
  const bool likely = settings_.type == DetectorType::closed_dport || settings_.type == DetectorType::dead_dest;
  return likely ? PortStatus::probably_closed : PortStatus::unknown;
}

std::optional<Resolution> Detector::answered(const IpAddress& destination, const Observation& response,
                                             Conditions conditions) const {
  bool open = waiting_ == Waiting::for_absence;
  if (settings_.type == DetectorType::closed_dport && (conditions & kReset) != 0) open = false;
  if (settings_.type == DetectorType::dead_dest && (conditions & kUnreachable) != 0 &&
      !compatibility_.unreachable_is_life && !proves_life(destination, response)) {
    if (!proves_death(destination, response)) return std::nullopt;
    open = false;
  }
  return Resolution{open == settings_.report_on_opposite, open ? PortStatus::open : PortStatus::closed};
}

Resolution Detector::timed_out() const {
  if (waiting_ == Waiting::for_absence) return {!settings_.report_on_opposite, PortStatus::likely_closed};
  return {settings_.report_on_opposite, PortStatus::unknown};
}

}  // namespace spidd
