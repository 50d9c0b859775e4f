// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/report/incident_event.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace spidd {
namespace {

Incident sweep() {
  Incident incident;
  incident.id = 7;
  incident.kind = IncidentKind::horizontal_scan;
  incident.host = IpAddress::parse("192.0.2.1").value();
  incident.first = Timestamp{std::chrono::seconds(1000)};
  incident.last = Timestamp{std::chrono::seconds(1012)};
  incident.count = 37;
  incident.max_score = 1;
  incident.hosts = 36.2;
  incident.ports = 1;
  incident.failed = 36;
  incident.scan = true;
  IncidentExample example;
  example.source = incident.host;
  example.destination = IpAddress::parse("10.0.0.5").value();
  example.destination_port = 445;
  example.tcp_flags = 2;
  incident.examples = {example, example};
  return incident;
}

nlohmann::json written(const IncidentEvent& event) {
  std::string line;
  append_json(line, event);
  return nlohmann::json::parse(line);
}

TEST(IncidentEvent, SaysWhoDidWhatHowOften) {
  const Incident incident = sweep();
  const auto json =
      written({Timestamp{std::chrono::seconds(1012)}, &incident, IncidentCause::opened, "eth0", "", false, false, ""});
  EXPECT_EQ(json["event_type"], "incident");
  EXPECT_EQ(json["in_iface"], "eth0");
  EXPECT_EQ(json["src_ip"], "192.0.2.1");
  EXPECT_EQ(json["incident"]["id"], 7);
  EXPECT_EQ(json["incident"]["kind"], "horizontal scan");
  EXPECT_EQ(json["incident"]["hosts"], 36);
  EXPECT_EQ(json["incident"]["scan"], true);
  EXPECT_EQ(json["incident"]["acknowledged"], false);
  ASSERT_EQ(json["incident"]["examples"].size(), 2U);
  EXPECT_EQ(json["incident"]["examples"][1]["dest_port"], 445);
  EXPECT_EQ(json["alert"]["action"], "allowed");
  EXPECT_EQ(json["alert"]["severity"], 2);
}

TEST(IncidentEvent, SaysWhyItDidNotBlock) {
  const Incident incident = sweep();
  const auto json = written({{}, &incident, IncidentCause::grew, "", "scans", false, true, "unconfirmed"});
  EXPECT_EQ(json["alert"]["rule"], "scans");
  EXPECT_EQ(json["alert"]["would_block"], true);
  EXPECT_EQ(json["alert"]["reason"], "unconfirmed");
  EXPECT_TRUE(json["incident"]["examples"].empty()) << "they were told when it opened";
}

TEST(IncidentEvent, OfATargetNamesItAsDestination) {
  Incident incident = sweep();
  incident.side = IncidentSide::target;
  const auto json = written({{}, &incident, IncidentCause::opened, "", "", false, false, ""});
  EXPECT_EQ(json["dest_ip"], "192.0.2.1");
  EXPECT_FALSE(json.contains("src_ip"));
}

}  // namespace
}  // namespace spidd
