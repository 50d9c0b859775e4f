// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SPADE's alerts as JSON: the original's ids and words, and the numbers behind them.
#include "userspace/report/spade_events.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace spidd {
namespace {

using nlohmann::json;

constexpr Timestamp kTime{std::chrono::sys_days(std::chrono::year(2026) / 11 / 21) + std::chrono::hours(19)};

SpadeAlert closed_port() {
  SpadeAlert alert;
  alert.packet.time = kTime;
  alert.packet.source = IpAddress::parse("192.0.2.1").value();
  alert.packet.destination = IpAddress::parse("10.0.0.5").value();
  alert.packet.source_port = 40000;
  alert.packet.destination_port = 23;
  alert.reported = kTime + std::chrono::seconds(4);
  alert.detector = "closed-syn";
  alert.score = 0.93126;
  alert.raw_bits = 12.5;
  alert.threshold = 0.85;
  alert.base = 5432.1;
  alert.status = PortStatus::likely_closed;
  alert.activity = "Closed dest port used";
  alert.scope = "local dest, syn";
  return alert;
}

TEST(SpadeEvents, AnAlertHasTheOriginalsSignatureAndItsNumbers) {
  std::string out;
  append_json(out, closed_port(), "eth1");
  EXPECT_EQ(json::parse(out), json::parse(R"json({
    "timestamp": "2026-11-21T19:00:00.000000+0000", "event_type": "alert", "in_iface": "eth1",
    "src_ip": "192.0.2.1", "src_port": 40000, "dest_ip": "10.0.0.5", "dest_port": 23, "proto": "TCP",
    "alert": {"action": "allowed", "gid": 104, "signature_id": 1, "rev": 1, "category": "", "severity": 3,
              "signature": "Spade: Closed dest port used: local dest, syn: 0.9313"},
    "spade": {"detector": "closed-syn", "type": "closed-dport", "score": 0.9313, "raw_bits": 12.5, "threshold": 0.85,
              "status": "likely closed", "base": 5432.1, "count": 1, "activity": "Closed dest port used",
              "scope": "local dest, syn", "reported": "2026-11-21T19:00:04.000000+0000"}})json"));
}

TEST(SpadeEvents, IcmpHasTypeAndCodeInsteadOfPorts) {
  SpadeAlert alert = closed_port();
  alert.packet.transport = Transport::icmp6;
  alert.packet.source = IpAddress::parse("2001:db8::1").value();
  alert.packet.icmp_type = 137;
  alert.reported = alert.packet.time;
  std::string out;
  append_json(out, alert, {});
  const json event = json::parse(out);
  EXPECT_EQ(event["proto"], "IPv6-ICMP");
  EXPECT_EQ(event["src_ip"], "2001:db8::1");
  EXPECT_EQ(event["icmp_type"], 137);
  EXPECT_EQ(event["icmp_code"], 0);
  EXPECT_FALSE(event.contains("src_port"));
  EXPECT_FALSE(event.contains("in_iface"));
  EXPECT_FALSE(event["spade"].contains("reported"));
}

TEST(SpadeEvents, AnAdjustmentHasNoPacket) {
  std::string out;
  append_json(out, ThresholdAdjusted{kTime, "web", 0.91234, 12, 3456});
  EXPECT_EQ(json::parse(out), json::parse(R"json({
    "timestamp": "2026-11-21T19:00:00.000000+0000", "event_type": "alert",
    "alert": {"action": "allowed", "gid": 104, "signature_id": 2, "rev": 1, "category": "", "severity": 3,
              "signature": "Spade: id=web: Threshold adjusted to 0.9123 after 12 alerts (of 3456)"
}
, "spade" : { "detector" : "web", "threshold" : 0.9123, "reported" : 12, "scored" : 3456 }
})json"));
}

}  // namespace
}  // namespace spidd
