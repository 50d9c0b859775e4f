// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SPADE over a stream of packets: what is printed of a scan, in every format, and the sums.
#include "userspace/ctl/spade_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "userspace/spade/snort_config.h"

namespace spidd {
namespace {

using testing::HasSubstr;

constexpr Timestamp kStart{std::chrono::sys_days(std::chrono::year(2026) / 11 / 21) + std::chrono::hours(19)};

Observation syn(Duration after, std::string_view source, std::uint16_t source_port, std::uint16_t port) {
  Observation packet;
  packet.time = kStart + after;
  packet.source = IpAddress::parse(source).value();
  packet.destination = IpAddress::parse("10.0.0.5").value();
  packet.source_port = source_port;
  packet.destination_port = port;
  packet.tcp_flags = 0x02;
  return packet;
}

Observation answer(Observation packet, std::uint8_t flags) {
  std::swap(packet.source, packet.destination);
  std::swap(packet.source_port, packet.destination_port);
  packet.time += std::chrono::milliseconds(1);
  packet.tcp_flags = flags;
  return packet;
}

std::shared_ptr<const Policy> observing_policy() { return std::make_shared<const Policy>(builtin_policy()); }

// 200 connections to one port, two closed ports tried after them, and more connections until the wait is over.
std::string lines_of(AlertFormat format, std::string* summary = nullptr) {
  const auto config = parse_snort_config(
      "preprocessor spade: statefile=0\npreprocessor spade-detect: id=scan wait=2 minobs=100\n", "snort.conf");
  std::string lines;
  auto run =
      SpadeRun::create(config->settings, format, observing_policy(), [&](std::string_view more) { lines += more; });
  EXPECT_TRUE(run) << run.error().message;
  const auto connect = [&](Duration after, std::uint16_t port) {
    const Observation packet = syn(after, "192.0.2.1", port, 80);
    (*run)->observe(packet);
    (*run)->observe(answer(packet, 0x12));
  };
  for (std::uint16_t i = 0; i < 200; ++i)
    connect(std::chrono::milliseconds(10 * i), static_cast<std::uint16_t>(1024 + i));
  for (std::uint16_t port = 22; port < 24; ++port) {
    const Observation packet = syn(std::chrono::milliseconds(2000 + port), "198.51.100.66", 50000, port);
    (*run)->observe(packet);
    (*run)->observe(answer(packet, 0x14));
  }
  for (std::uint16_t i = 0; i < 10; ++i) connect(std::chrono::seconds(3 + i), static_cast<std::uint16_t>(2000 + i));
  (*run)->finish();
  if (summary != nullptr) *summary = (*run)->summary();
  const auto counters = (*run)->counters().values;
  EXPECT_THAT(counters, testing::Contains(std::pair<std::string, std::uint64_t>("alerts", 2)));
  EXPECT_THAT(counters, testing::Contains(std::pair<std::string, std::uint64_t>("observations", 424)));
  return lines;
}

TEST(SpadeRun, PrintsTheScanInEveryFormatOfSnort) {
  EXPECT_EQ(lines_of(AlertFormat::fast),
            "11/21-19:00:02.022000  [**] [104:1:1] Spade: Closed dest port used: local dest, syn: 1.0000 [**] {TCP} "
            "198.51.100.66:50000 -> 10.0.0.5:22\n"
            "11/21-19:00:02.023000  [**] [104:1:1] Spade: Closed dest port used: local dest, syn: 1.0000 [**] {TCP} "
            "198.51.100.66:50000 -> 10.0.0.5:23\n");
  EXPECT_EQ(lines_of(AlertFormat::syslog),
            "[104:1:1] Spade: Closed dest port used: local dest, syn: 1.0000 {TCP} 198.51.100.66:50000 -> 10.0.0.5:22\n"
            "[104:1:1] Spade: Closed dest port used: local dest, syn: 1.0000 {TCP} 198.51.100.66:50000 -> "
            "10.0.0.5:23\n");
  EXPECT_THAT(lines_of(AlertFormat::csv),
              HasSubstr("11/21-19:00:02.022000,104,1,1,\"Spade: Closed dest port used: local dest, syn: 1.0000\",TCP,"
                        "198.51.100.66,50000,10.0.0.5,22,,,,******S*,"));
}

TEST(SpadeRun, PrintsTheScanAsEvents) {
  const std::string lines = lines_of(AlertFormat::eve);
  EXPECT_EQ(std::ranges::count(lines, '\n'), 2);
  EXPECT_THAT(lines, HasSubstr("\"timestamp\":\"2026-11-21T19:00:02.022000+0000\",\"event_type\":\"alert\","
                               "\"src_ip\":\"198.51.100.66\",\"src_port\":50000,\"dest_ip\":\"10.0.0.5\","
                               "\"dest_port\":22,\"proto\":\"TCP\""));
  EXPECT_THAT(lines, HasSubstr("\"status\":\"closed\""));
}

TEST(SpadeRun, SumsUpEveryDetector) {
  std::string summary;
  lines_of(AlertFormat::fast, &summary);
  EXPECT_THAT(summary, HasSubstr("scan      Closed dest port used  local dest, syn     0.8500"));
  EXPECT_THAT(summary, HasSubstr("SPADE: 424 packets observed"));
  // As 'spidctl spade status' says it: who has not enough observations is not scored.
  EXPECT_THAT(summary, HasSubstr("SCORED  TOO EARLY  OVER  EXCLUDED  HELD BACK  WAITED  CANCELLED  ALERTS"));
  EXPECT_THAT(summary, HasSubstr("0.8500     113         99     2         0          0       2          0       2"));
  EXPECT_THAT(summary, HasSubstr("Incidents: 0\n"));
}

// SPADE with one detector that waits: answered connections to port 80, and ports that nobody answers for.
struct Scan {
  std::unique_ptr<SpadeRun> run;
  std::string lines;

  explicit Scan(std::string_view more_config = "") {
    const auto config = parse_snort_config(
        fmt::format("preprocessor spade: statefile=0\npreprocessor spade-detect: id=scan wait=2 minobs=100\n{}",
                    more_config),
        "snort.conf");
    run = SpadeRun::create(config->settings, AlertFormat::fast, observing_policy(), [this](std::string_view more) {
            lines += more;
          }).value();
  }
  void background(Duration from) {
    for (std::uint16_t i = 0; i < 200; ++i) {
      const Observation packet =
          syn(from + std::chrono::milliseconds(10 * i), "192.0.2.1", static_cast<std::uint16_t>(1024 + i), 80);
      run->observe(packet);
      run->observe(answer(packet, 0x12));
    }
  }
  void scan(Duration from, std::uint16_t ports) {
    for (std::uint16_t port = 1; port <= ports; ++port)
      run->observe(syn(from + std::chrono::milliseconds(port), "198.51.100.66", 50000, port));
  }
};

TEST(SpadeRun, SaysAtTheEndWhatStillWaitedAndWhatIncidentsWere) {
  Scan scan;
  scan.background({});
  scan.scan(std::chrono::seconds(3), 20);
  EXPECT_THAT(scan.lines, testing::Not(HasSubstr("Closed dest port used")));
  scan.run->finish();
  EXPECT_THAT(scan.lines, HasSubstr("198.51.100.66:50000 -> 10.0.0.5:20\n"));
  EXPECT_THAT(scan.lines, HasSubstr("[104:100:1] Spade: vertical scan by 198.51.100.66"));
  EXPECT_THAT(scan.lines, HasSubstr("incident 1 opened [**]\n"));
  EXPECT_THAT(scan.lines, testing::EndsWith("incident 1 closed [**]\n"));
  EXPECT_THAT(scan.run->summary(), HasSubstr("Incidents: 1: 1 vertical scan\n"));
  EXPECT_THAT(scan.run->incident_counters().values,
              testing::Contains(std::pair<std::string, std::uint64_t>("opened", 1)));
}

TEST(SpadeRun, JudgesByWhatAnEarlierRunLearned) {
  const std::string path = testing::TempDir() + "/spade_run.state";
  std::filesystem::remove(path);
  Scan first;
  EXPECT_EQ(first.run->load_state(path).value().size(), 0U);
  first.background({});
  first.run->finish();
  ASSERT_TRUE(first.run->save_state(path));

  Scan untaught;
  untaught.scan(std::chrono::seconds(10), 1);
  untaught.run->finish();
  EXPECT_EQ(untaught.lines, "");
  Scan taught;
  EXPECT_EQ(taught.run->load_state(path).value().size(), 0U);
  taught.scan(std::chrono::seconds(10), 1);
  taught.run->finish();
  EXPECT_THAT(taught.lines, HasSubstr("Closed dest port used"));
  std::filesystem::remove(path);
}

TEST(SpadeRun, CountsIncidentsThatGoOn) {
  const std::string path = testing::TempDir() + "/spade_run_incidents.state";
  std::filesystem::remove(path);
  Scan first;
  first.background({});
  first.scan(std::chrono::seconds(3), 20);
  ASSERT_TRUE(first.run->save_state(path));
  Scan second;
  EXPECT_EQ(second.run->load_state(path).value().size(), 0U);
  second.scan(std::chrono::seconds(10), 1);
  second.run->finish();
  EXPECT_THAT(second.run->summary(), HasSubstr("Incidents: 1: 1 vertical scan\n"));
  using Value = std::pair<std::string, std::uint64_t>;
  EXPECT_THAT(second.run->incident_counters().values, testing::Contains(Value("resumed", 1)));
  EXPECT_THAT(second.run->counters().values, testing::Contains(Value("entries_without_room", 0)));
  EXPECT_THAT(second.run->counters().values, testing::Contains(Value("waiting_cut_short", 0)));
  std::filesystem::remove(path);
}

TEST(SpadeRun, LogsDetectorsAdviceAndSurveys) {
  Scan scan(
      "preprocessor spade-threshadvise: id=scan target=10 obsper=1\npreprocessor spade-survey: id=scan interval=1\n");
  scan.background({});
  scan.background(std::chrono::minutes(2));
  scan.run->finish();
  const std::string log = scan.run->log();
  EXPECT_THAT(log, HasSubstr("800 packets were processed by Spade\n"));
  EXPECT_THAT(log, HasSubstr("(id=scan) **"));
  EXPECT_THAT(log, HasSubstr("\nSurvey of scan\n"));
  EXPECT_THAT(log, HasSubstr("\n1\t101\t"));
}

}  // namespace
}  // namespace spidd
