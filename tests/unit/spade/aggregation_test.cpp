// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SPADE on everything against SPADE on what the kernel gives it (spade.md 12.10): the same packets alert, with the same
// scores. Captures: an office under attack, those of tests/replay, and of the directories in the environment variable
// SPIDD_SPADE_CAPTURES (separated by colons), one after the other as one stream.
//
//   every     each packet an observation, as the original sees it
//   relevant  what the kernel sends if it counts nothing: of data to somebody silent the first three packets, of UDP
//   the
//             first of each direction of a flow (12.1)
//   counted   the same, but familiar attempts are counted and handed over once a second, without the client's port
//
// `every` sees more of data and of UDP, by intent. Of dead destinations the keys are still the same; what closed-dport
// and the odd detectors make of it is only compared between `relevant` and `counted`.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>
#include <tuple>

#include "tests/support/capture_writer.h"
#include "tests/support/known_attempts.h"
#include "tests/support/office_capture.h"
#include "userspace/capture/pcap_source.h"
#include "userspace/spade/familiar_attempts.h"
#include "userspace/spade/monitor.h"

namespace spidd {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr double kMostDifference = 0.001;

// What an administrator would call the same alert. The client's port is left out: counts have none.
struct AlertKey {
  std::string detector;
  IpAddress source, destination;
  std::uint16_t port = 0;
  std::uint8_t icmp_type = 0, icmp_code = 0;

  auto operator<=>(const AlertKey&) const = default;
};

struct AlertSum {
  double highest = 0;
  std::uint64_t packets = 0;
};

using Alerts = std::map<AlertKey, AlertSum>;

std::string text(const AlertKey& key) {
  return fmt::format("{} {} > {}:{} icmp {}/{}", key.detector, key.source.to_string(), key.destination.to_string(),
                     key.port, key.icmp_type, key.icmp_code);
}

class Collector : public AnomalySink {
 public:
  void alert(const SpadeAlert& alert) override {
    const Observation& packet = alert.packet;
    AlertSum& sum = alerts[{alert.detector, packet.source, packet.destination, packet.destination_port,
                            packet.icmp_type, packet.icmp_code}];
    sum.highest = std::max(sum.highest, alert.score);
    sum.packets += packet.count;
  }
  void adjusted(const ThresholdAdjusted&) override {}
  void incident(const Incident&, IncidentCause, Timestamp) override {}
  void suspected(const Observation& packet) override {
    if (listener) listener(packet);
  }

  Alerts alerts;
  std::function<void(const Observation&)> listener;
};

// As AnomalyWatch in the daemon: what is familiar is counted, once a second the counts are handed over.
class Engine {
 public:
  Engine(const SpadeSettings& settings, bool counts, const FamiliarAttempts::Settings& rule = {})
      : counts_(counts), familiar_(rule, settings) {
    auto made = AnomalyMonitor::create(settings, 1, collector_);
    EXPECT_TRUE(made) << (made ? "" : made.error().message);
    monitor_ = *std::move(made);
    if (!counts) return;
    collector_.listener = [this](const Observation& packet) {
      const FamiliarAttempts::Suspects suspects = familiar_.suspected(packet);
      suspects_.insert(suspects_.end(), suspects.each.begin(), suspects.each.begin() + suspects.count);
    };
  }

  void observe(const Observation& packet) {
    now_ = packet.time;
    if (counts_) {
      if (packet.time >= next_poll_) poll();
      if (known_.count(packet)) return;
    }
    ++observed;
    monitor_->observe(packet);
    if (!counts_) return;
    if (const auto attempt = familiar_.seen(packet)) known_.know(*attempt);
    see_suspects_again();
  }
  void finish() {
    if (counts_) poll();
    monitor_->advance(now_ + seconds(60));
    monitor_->finish();
  }

  const Alerts& alerts() const { return collector_.alerts; }
  SpadeStatistics statistics() const { return monitor_->spade().statistics(); }

  std::uint64_t observed = 0;
  std::uint64_t counted = 0;
  std::size_t most_known = 0;

 private:
  void poll() {
    most_known = std::max(most_known, known_.size());
    known_.poll(now_, [this](const Observation& count) { observe_count(count); });
    see_suspects_again();
    monitor_->advance(now_ - milliseconds(50));
    next_poll_ = now_ + seconds(1);
  }
  void see_suspects_again() {
    for (std::size_t i = 0; i < suspects_.size(); ++i)
      known_.forget(ConnectionAttempt(suspects_[i]), now_, [this](const Observation& count) { observe_count(count); });
    suspects_.clear();
  }
  void observe_count(const Observation& count) {
    counted += count.count;
    monitor_->observe(count);
  }

  bool counts_;
  FamiliarAttempts familiar_;
  test::KnownAttempts known_;
  Collector collector_;
  std::unique_ptr<AnomalyMonitor> monitor_;
  std::vector<ConnectionAttempt> suspects_;
  Timestamp now_;
  Timestamp next_poll_;
};

struct Engines {
  explicit Engines(const SpadeSettings& settings, const FamiliarAttempts::Settings& rule = {})
      : every(settings, false), relevant(settings, false), counted(settings, true, rule) {}

  // Each file begins where the one before it ended.
  void read(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
      read_into(every, path, PcapSource::Observed::every_packet);
      read_into(relevant, path, PcapSource::Observed::as_in_kernel);
      read_into(counted, path, PcapSource::Observed::as_in_kernel);
      end_ += length_ + seconds(1);
    }
    for (Engine* engine : {&every, &relevant, &counted}) engine->finish();
  }

  Engine every, relevant, counted;

 private:
  void read_into(Engine& engine, const std::string& path, PcapSource::Observed observed) {
    length_ = {};
    std::optional<Timestamp> begin;
    PcapSource::Settings settings;
    settings.observed = observed;
    settings.observe = [&](Observation packet) {
      if (!begin) begin = packet.time;
      const Duration since = std::max(packet.time - *begin, Duration::zero());
      length_ = std::max(length_, since);
      packet.time = end_ + since;
      engine.observe(packet);
    };
    auto source = PcapSource::open(path, settings);
    ASSERT_TRUE(source) << source.error().message;
    // A damaged capture gives what it has.
    (void)source->run([](const PacketRecord&) {});
  }

  Timestamp end_{seconds(1'700'000'000)};
  Duration length_{};
};

// Of which the kernel sends fewer packets.
bool is_reduced(const AlertKey& key) {
  return key.detector.find("udp") != std::string::npos || key.detector.find("established") != std::string::npos;
}

bool is_dead_dest(const AlertKey& key) { return key.detector.starts_with("dead"); }

struct Comparison {
  std::size_t keys = 0, missing = 0, added = 0, other_packets = 0;
  double difference = 0;
};

Comparison compare(const Alerts& expected, const Alerts& found, bool reduced) {
  Comparison result;
  for (const auto& [key, sum] : expected) {
    if (reduced && is_reduced(key) && !is_dead_dest(key)) continue;
    ++result.keys;
    const auto same = found.find(key);
    if (same == found.end()) {
      ++result.missing;
      ADD_FAILURE() << "no alert: " << text(key) << " score " << sum.highest << " packets " << sum.packets;
      continue;
    }
    result.difference = std::max(result.difference, std::abs(same->second.highest - sum.highest));
    if (reduced && is_reduced(key)) {
      EXPECT_LE(same->second.packets, sum.packets) << text(key);
    } else if (same->second.packets != sum.packets) {
      ++result.other_packets;
      ADD_FAILURE() << text(key) << ": " << same->second.packets << " packets instead of " << sum.packets;
    }
  }
  for (const auto& [key, sum] : found) {
    if (expected.contains(key)) continue;
    ++result.added;
    ADD_FAILURE() << "an alert too many: " << text(key) << " score " << sum.highest << " packets " << sum.packets;
  }
  EXPECT_LE(result.difference, kMostDifference);
  return result;
}

void print(const char* what, const Comparison& result) {
  fmt::print("{}: {} alerting keys, {} missing, {} added, {} with another number of packets, scores differ by {:.6f}\n",
             what, result.keys, result.missing, result.added, result.other_packets, result.difference);
}

void compare_all(Engines& engines) {
  print("  every / relevant", compare(engines.every.alerts(), engines.relevant.alerts(), true));
  print("  relevant / counted", compare(engines.relevant.alerts(), engines.counted.alerts(), false));
  print("  every / counted", compare(engines.every.alerts(), engines.counted.alerts(), true));
  const SpadeStatistics relevant = engines.relevant.statistics(), counted = engines.counted.statistics();
  // A count may come after a decay step or within a quarantine that its packets came before.
  const auto near = [](double value) { return value * 0.001; };
  const auto updates = static_cast<double>(relevant.updates);
  EXPECT_NEAR(updates, static_cast<double>(counted.updates), near(updates));
  for (std::size_t i = 0; i < relevant.detectors.size(); ++i) {
    EXPECT_EQ(relevant.detectors[i].evaluated, counted.detectors[i].evaluated) << relevant.detectors[i].id;
    EXPECT_EQ(relevant.detectors[i].reported, counted.detectors[i].reported) << relevant.detectors[i].id;
    const double remembered = relevant.detectors[i].remembered;
    EXPECT_NEAR(remembered, counted.detectors[i].remembered, near(remembered)) << relevant.detectors[i].id;
  }
  fmt::print("  observations: every {}, relevant {}, counted {} and {} of {} attempts\n", engines.every.observed,
             engines.relevant.observed, engines.counted.observed, engines.counted.counted, engines.counted.most_known);
  std::map<std::string, std::uint64_t> alerts;
  for (const auto& [key, sum] : engines.every.alerts()) alerts[key.detector] += sum.packets;
  for (const auto& [detector, packets] : alerts) fmt::print("  {} {}\n", detector, packets);
}

SpadeSettings settings_of(std::vector<std::string> home, bool incidents) {
  SpadeSettings settings = distributed_settings();
  for (const std::string& prefix : home) settings.home.push_back(*IpPrefix::parse(prefix));
  settings.extensions.incidents = incidents;
  return settings;
}

class Aggregation : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const test::OfficeCapture capture = test::office_capture(900, 1);
    office_ = std::make_unique<test::MemoryFile>(capture.bytes);
  }
  static void TearDownTestSuite() { office_.reset(); }

  static std::unique_ptr<test::MemoryFile> office_;
};

std::unique_ptr<test::MemoryFile> Aggregation::office_;

// Far more is counted than the daemon would.
FamiliarAttempts::Settings eager() {
  FamiliarAttempts::Settings rule;
  rule.answers = 3;
  rule.after_suspicion = seconds(20);
  return rule;
}

// The detectors that the distributed set leaves out, with low thresholds, some without a wait.
SpadeSettings sensitive_settings() {
  SpadeSettings settings = settings_of({"10.1.0.0/16"}, false);
  settings.detectors.clear();
  const auto add = [&](const char* id, DetectorType type, Transport transport, TcpScope flags, unsigned wait) {
    DetectorSettings detector = default_detector(type, transport, flags);
    detector.id = id;
    detector.wait_seconds = wait;
    detector.min_observations = 100;
    if (type != DetectorType::dead_dest) detector.threshold = 0.6;
    settings.detectors.push_back(detector);
  };
  using enum DetectorType;
  add("closed-syn-at-once", closed_dport, Transport::tcp, TcpScope::synonly, 0);
  add("closed-syn", closed_dport, Transport::tcp, TcpScope::synonly, 2);
  add("closed-synack", closed_dport, Transport::tcp, TcpScope::synack, 5);
  add("closed-established", closed_dport, Transport::tcp, TcpScope::established, 5);
  add("closed-teardown", closed_dport, Transport::tcp, TcpScope::teardown, 5);
  add("closed-udp", closed_dport, Transport::udp, TcpScope::synonly, 0);
  add("dead-setup", dead_dest, Transport::tcp, TcpScope::setup, 2);
  add("odd-port", odd_dport, Transport::tcp, TcpScope::synonly, 2);
  add("odd-port-at-once", odd_dport, Transport::tcp, TcpScope::synonly, 0);
  add("odd-server", odd_port_dest, Transport::tcp, TcpScope::synonly, 0);
  add("odd-udp-server", odd_port_dest, Transport::udp, TcpScope::synonly, 0);
  return settings;
}

TEST_F(Aggregation, ChangesNoAlertOfTheDistributedSet) {
  Engines engines(settings_of({"10.1.0.0/16"}, false));
  engines.read({office_->path()});
  compare_all(engines);
  EXPECT_GT(engines.every.alerts().size(), 500U);
  EXPECT_GT(engines.counted.counted, engines.counted.observed / 10);
}

TEST_F(Aggregation, ChangesNoAlertIfFarMoreIsCounted) {
  Engines engines(settings_of({"10.1.0.0/16"}, false), eager());
  engines.read({office_->path()});
  compare_all(engines);
}

TEST_F(Aggregation, ChangesNoAlertOfOtherDetectors) {
  for (const FamiliarAttempts::Settings& rule : {FamiliarAttempts::Settings{}, eager()}) {
    Engines engines(sensitive_settings(), rule);
    engines.read({office_->path()});
    compare_all(engines);
  }
}

TEST_F(Aggregation, ChangesNoAlertBesideIncidents) {
  Engines engines(settings_of({"10.1.0.0/16"}, true), eager());
  engines.read({office_->path()});
  compare_all(engines);
}

std::vector<std::string> captures_in(const fs::path& directory) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    const std::string suffix = entry.path().extension();
    if (suffix == ".pcap" || suffix == ".pcapng" || suffix == ".cap") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST(AggregationOfCaptures, ChangesNoAlert) {
  std::vector<std::string> files = captures_in(fs::path(SPIDD_SOURCE_DIR) / "tests/replay");
  if (const char* const more = std::getenv("SPIDD_SPADE_CAPTURES"); more != nullptr) {
    std::istringstream directories(more);
    for (std::string directory; std::getline(directories, directory, ':');)
      std::ranges::copy(captures_in(directory), std::back_inserter(files));
  }
  ASSERT_FALSE(files.empty());
  Engines engines(settings_of({"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"}, false), eager());
  engines.read(files);
  fmt::print("{} captures\n", files.size());
  compare_all(engines);
}

}  // namespace
}  // namespace spidd
