// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Where SPADE's alerts, adjustments and incidents go, and how many.
#include "userspace/daemon/event_output.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

namespace spidd {
namespace {

using testing::HasSubstr;
using testing::Not;

class EventOutputTest : public testing::Test {
 protected:
  EventOutputTest() {
    std::string pattern = testing::TempDir() + "spidd-output-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    open(0);
  }
  ~EventOutputTest() override { std::filesystem::remove_all(directory_); }

  void open(std::uint64_t packets_a_second) {
    EventOutput::Outputs outputs;
    outputs.push_back(*AlertOutput::open({AlertFormat::fast, directory_ + "/alert"}));
    outputs.push_back(*AlertOutput::open({AlertFormat::csv, directory_ + "/alert.csv"}));
    output_ = std::make_unique<EventOutput>(*EventLog::open(directory_ + "/events.jsonl"),
                                            EventOutput::Limits{10, 10, 0, packets_a_second}, std::move(outputs));
  }
  // What a file holds once all that was written is in it.
  std::string contents(const std::string& name) {
    output_.reset();
    std::ifstream file(directory_ + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static SpadeAlert alert() {
    SpadeAlert alert;
    alert.packet.source = *IpAddress::parse("192.0.2.1");
    alert.packet.destination = *IpAddress::parse("10.0.0.5");
    alert.activity = "Closed dest port used";
    alert.scope = "local dest, syn";
    return alert;
  }

  std::string directory_;
  std::unique_ptr<EventOutput> output_;
};

TEST_F(EventOutputTest, WritesAlertsToEveryOutput) {
  output_->write(alert(), "eth0", SpadeDestination::alert);
  EXPECT_EQ(output_->output_errors().size(), 0U);
  EXPECT_THAT(contents("alert"),
              HasSubstr("[**] [104:1:1] Spade: Closed dest port used: local dest, syn: 0.0000 [**]"));
  EXPECT_THAT(contents("alert.csv"), HasSubstr(",104,1,1,"));
  EXPECT_THAT(contents("events.jsonl"), HasSubstr("\"in_iface\":\"eth0\""));
}

TEST_F(EventOutputTest, LogIsTheEventLogAlone) {
  output_->write(alert(), "eth0", SpadeDestination::log);
  output_->write(ThresholdAdjusted{{}, "web", 0.9, 1, 2}, SpadeDestination::log);
  EXPECT_EQ(contents("alert"), "");
  EXPECT_THAT(contents("events.jsonl"), HasSubstr("Threshold adjusted"));
}

TEST_F(EventOutputTest, NoneIsNothing) {
  output_->write(ThresholdAdjusted{{}, "web", 0.9, 1, 2}, SpadeDestination::none);
  EXPECT_EQ(contents("alert"), "");
  EXPECT_EQ(contents("events.jsonl"), "");
}

TEST_F(EventOutputTest, CountsAlertsOverTheLimitButWritesIncidents) {
  open(3);
  for (int i = 0; i < 100; ++i) output_->write(alert(), "", SpadeDestination::both);
  Incident incident;
  IncidentEvent event;
  event.incident = &incident;
  output_->write(event, SpadeDestination::both);
  EXPECT_GE(output_->packets_over_limit(), 94U);  // the second may have turned
  EXPECT_EQ(output_->alerts().last_number(), 1U);
  output_->log().flush();
  const std::uint64_t over = output_->packets_over_limit();
  EXPECT_EQ(output_->log().counters().written, 101 - over);
  EXPECT_THAT(contents("alert"), HasSubstr("; incident 0 opened [**]"));
}

TEST_F(EventOutputTest, OpensAllFilesAnew) {
  for (const char* name : {"alert", "events.jsonl"})
    std::filesystem::rename(directory_ + "/" + name, directory_ + "/" + name + ".1");
  ASSERT_TRUE(output_->reopen());
  output_->write(alert(), "", SpadeDestination::alert);
  EXPECT_EQ(contents("alert.1"), "");
  EXPECT_THAT(contents("alert"), Not(testing::IsEmpty()));
  EXPECT_THAT(contents("events.jsonl"), Not(testing::IsEmpty()));
}

}  // namespace
}  // namespace spidd
