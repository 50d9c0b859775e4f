// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SPADE on a capture whose attacks are known (tests/lab/spade_scenarios.py): which raise an incident, after how many of
// their packets, how large it says they are; what else raises one; and the alerts of the original's profile beside it.
//
//   spade_scenarios CAPTURE.pcap ORACLE.tsv [HOME] [SWITCH=on|off]... [list]
//
// HOME: a network, 10.1.0.0/16 if none is given. SWITCH: one of the switches of [spade.extensions], to see what it is
// good for. list: all incidents, not only the false ones.
#include <fmt/format.h>

#include <fstream>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "userspace/capture/pcap_source.h"
#include "userspace/spade/incidents.h"
#include "userspace/spade/spade.h"

namespace spidd {
namespace {

struct Claim {
  double begin = 0;
  double end = 0;
  std::string type;  // attack, noise, trap
  std::string label;
  std::string kind;
  std::string source;
  std::string target;
  std::uint64_t packets = 0;

  std::uint64_t sent = 0;  // so far
  std::uint64_t alerts = 0;
  std::uint64_t original_alerts = 0;
  std::uint64_t incidents = 0;
  std::uint64_t first_incident = 0;  // `sent` when it was opened
  std::uint64_t scan_after = 0;
  Incident last;
};

constexpr double kGrace = 3700;  // seconds: an incident may be said late, and again

double seconds(Timestamp time) { return std::chrono::duration<double>(time.time_since_epoch()).count(); }

class Judge : public IncidentSink {
 public:
  Judge(std::vector<Claim> claims, bool list) : claims_(std::move(claims)), list_(list) {
    for (std::size_t i = 0; i < claims_.size(); ++i) {
      const Claim& claim = claims_[i];
      if (claim.source == "*")
        by_target_[claim.target].push_back(i);
      else
        by_source_[claim.source].push_back(i);
    }
  }

  using Claims = std::unordered_map<std::string, std::vector<std::size_t>>;

  Claim* claim_of(const std::string& source, Timestamp time) { return claim_in(by_source_, source, time); }
  // Of many sources, that are nobody's.
  Claim* claim_at(const std::string& target, Timestamp time) { return claim_in(by_target_, target, time); }

  Claim* claim_in(const Claims& known, const std::string& host, Timestamp time) {
    const auto found = known.find(host);
    if (found == known.end()) return nullptr;
    for (const std::size_t i : found->second)
      if (seconds(time) >= claims_[i].begin && seconds(time) <= claims_[i].end + kGrace) return &claims_[i];
    return nullptr;
  }

  void incident(const Incident& incident, IncidentCause cause, Timestamp now) override {
    const bool opened = cause == IncidentCause::opened;
    Claim* claim = claim_of(incident.host.to_string(), incident.last);
    if (incident.side == IncidentSide::target) claim = claim_at(incident.host.to_string(), incident.last);
    if (claim == nullptr && incident.side == IncidentSide::target) {
      // Several attacks may seek the same target: right, but nobody's alone.
      for (const Claim& other : claims_)
        if (other.target == incident.host.to_string() && seconds(incident.last) >= other.begin &&
            seconds(incident.first) <= other.end + kGrace)
          return;
    }
    if (claim != nullptr) {
      if (opened && claim->incidents++ == 0) claim->first_incident = claim->sent;
      if (incident.scan && claim->scan_after == 0) claim->scan_after = claim->sent;
      if (cause == IncidentCause::closed && (claim->incidents == 1 || incident.count > claim->last.count))
        claim->last = incident;
    } else if (opened) {
      ++unclaimed;
    }
    if (list_ || (claim == nullptr && opened))
      fmt::print("{:.0f} {} #{} {}{} [{}]\n", seconds(now), incident_cause_name(cause), incident.id,
                 incident_message(incident), incident.scan ? ", scan" : "", claim == nullptr ? "-" : claim->label);
  }

  std::vector<Claim>& claims() { return claims_; }
  std::uint64_t unclaimed = 0;

 private:
  std::vector<Claim> claims_;
  Claims by_source_;
  Claims by_target_;
  bool list_;
};

class Alerts : public SpadeSink {
 public:
  Alerts(Judge& judge, Incidents* incidents) : judge_(&judge), incidents_(incidents) {}

  void alert(const SpadeAlert& alert) override {
    Claim* claim = judge_->claim_of(alert.packet.source.to_string(), alert.packet.time);
    if (claim == nullptr) claim = judge_->claim_at(alert.packet.destination.to_string(), alert.packet.time);
    if (claim == nullptr)
      ++unclaimed;
    else
      ++(incidents_ != nullptr ? claim->alerts : claim->original_alerts);
    if (incidents_ != nullptr) incidents_->alert(alert);
  }
  void adjusted(const ThresholdAdjusted& /*adjustment*/) override {}

  std::uint64_t unclaimed = 0;

 private:
  Judge* judge_;
  Incidents* incidents_;
};

std::vector<Claim> read_claims(const std::string& path) {
  std::ifstream file(path);
  std::vector<Claim> claims;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::vector<std::string> fields(8);
    std::istringstream stream(line);
    for (std::string& field : fields) std::getline(stream, field, '\t');
    Claim claim;
    claim.begin = std::stod(fields[0]);
    claim.end = std::stod(fields[1]);
    claim.type = fields[2];
    claim.label = fields[3];
    claim.kind = fields[4];
    claim.source = fields[5];
    claim.target = fields[6];
    claim.packets = std::stoull(fields[7]);
    claims.push_back(std::move(claim));
  }
  return claims;
}

// The distributed set, and the two detectors that the scenarios need beyond it.
SpadeSettings settings_of(SpadeProfile profile, const IpPrefix& home) {
  SpadeSettings settings = distributed_settings();
  settings.profile = profile;
  settings.home = {home};
  settings.state_file.clear();
  const auto add = [&settings](const char* id, DetectorType type, Transport transport) {
    DetectorSettings detector = default_detector(type, transport);
    detector.id = id;
    settings.detectors.push_back(detector);
  };
  add("odd-port", DetectorType::odd_dport, Transport::tcp);
  add("odd-resolver", DetectorType::odd_port_dest, Transport::udp);
  return settings;
}

bool set(SpadeExtensions& extensions, std::string_view word) {
  const std::string_view name = word.substr(0, word.find('='));
  const bool on = word.substr(word.find('=') + 1) == "on";
  const std::pair<std::string_view, bool*> switches[] = {
      {"learn_answered_only", &extensions.learn_answered_only},
      {"quarantine", &extensions.quarantine},
      {"scan_promotion", &extensions.scan_promotion},
      {"burst_score", &extensions.burst_score},
      {"asset_prior", &extensions.asset_prior},
  };
  for (const auto& [known, value] : switches)
    if (known == name) return *value = on, true;
  return false;
}

int run(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: {} CAPTURE.pcap ORACLE.tsv [HOME] [SWITCH=on|off]... [list]\n", argv[0]);
    return 2;
  }
  SpadeExtensions extensions;
  std::string_view network = "10.1.0.0/16";
  bool list = false;
  for (const std::string_view word : std::span(argv + 3, argv + argc)) {
    if (word == "list")
      list = true;
    else if (word.find('=') == std::string_view::npos)
      network = word;
    else if (!set(extensions, word))
      return fmt::print(stderr, "{} is no switch\n", word), 2;
  }
  const auto home = IpPrefix::parse(network);
  if (!home) return fmt::print(stderr, "{}\n", home.error().message), 2;

  Judge judge(read_claims(argv[2]), list);
  SpadeSettings settings = settings_of(SpadeProfile::documented, *home);
  settings.extensions = extensions;
  Incidents incidents(settings.extensions, HomeNetwork(settings.home), 1, judge);
  Alerts alerts(judge, &incidents);
  Alerts original_alerts(judge, nullptr);
  auto spade = Spade::create(settings, alerts);
  auto original = Spade::create(settings_of(SpadeProfile::v030125, *home), original_alerts);
  if (!spade || !original) return fmt::print(stderr, "the settings cannot be\n"), 1;
  if (extensions.quarantine)
    spade->set_learning_filter([&incidents](const Observation& o) { return !incidents.in_quarantine(o); });

  Timestamp first{};
  Timestamp last{};
  std::uint64_t packets = 0;
  Duration spent{};
  PcapSource::Settings reading;
  reading.observe = [&](const Observation& o) {
    if (packets++ == 0) first = o.time;
    last = o.time;
    if (o.kind == Observation::Kind::packet) {
      Claim* claim = judge.claim_of(o.source.to_string(), o.time);
      if (claim == nullptr) claim = judge.claim_at(o.destination.to_string(), o.time);
      if (claim != nullptr && claim->sent < claim->packets) ++claim->sent;
    }
    const auto begin = std::chrono::steady_clock::now();
    incidents.observe(o);
    spent += std::chrono::steady_clock::now() - begin;
    spade->observe(o);
    original->observe(o);
  };
  auto source = PcapSource::open(argv[1], reading);
  if (!source) return fmt::print(stderr, "{}\n", source.error().message), 1;
  if (const auto done = source->run([](const PacketRecord&) {}); !done)
    return fmt::print(stderr, "{}\n", done.error().message), 1;
  incidents.close_all();

  const double hours = seconds(last) / 3600 - seconds(first) / 3600;
  fmt::print("{:<24} {:>7} {:>8} {:>9} {:>9} {:>6} {:<18} {:>8} {:>6} {:>6} {:>7}\n", "scenario", "packets", "incident",
             "after", "scan at", "number", "kind", "count", "hosts", "ports", "alerts, original");
  for (const Claim& claim : judge.claims())
    fmt::print("{:<24} {:>7} {:>8} {:>9} {:>9} {:>6} {:<18} {:>8} {:>6.0f} {:>6.0f} {:>7} {:>7}{}\n", claim.label,
               claim.packets, claim.incidents > 0 ? "yes" : "no", claim.first_incident, claim.scan_after,
               claim.incidents, claim.incidents > 0 ? incident_kind_name(claim.last.kind) : "", claim.last.count,
               claim.last.hosts, claim.last.ports, claim.alerts, claim.original_alerts,
               claim.incidents > 0 && claim.last.confirmed ? " confirmed" : "");
  const Incidents::Counters counters = incidents.counters();
  fmt::print("{} packets in {:.1f} hours; background: {} incidents ({:.2f} an hour), {} alerts, original {}\n", packets,
             hours, judge.unclaimed, static_cast<double>(judge.unclaimed) / hours, alerts.unclaimed,
             original_alerts.unclaimed);
  fmt::print(
      "first contacts: {} answered, {} failed; {} in quarantine, {} in an outage; {} bytes, {:.0f} ns a packet\n",
      counters.contacts_answered, counters.contacts_failed, counters.quarantined, counters.outage, incidents.bytes(),
      static_cast<double>(spent.count()) / static_cast<double>(packets));
  return 0;
}

}  // namespace
}  // namespace spidd

int main(int argc, char** argv) { return spidd::run(argc, argv); }
