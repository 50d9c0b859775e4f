// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The lines of Snort's output plugins, character by character. Source: spade.md 8.2.
#include "userspace/report/alert_formats.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace spidd {
namespace {

// 2002-10-08 14:03:07.042 UTC.
constexpr Timestamp kTime{std::chrono::sys_days(std::chrono::year(2002) / 10 / 8) + std::chrono::hours(14) +
                          std::chrono::minutes(3) + std::chrono::seconds(7) + std::chrono::milliseconds(42)};

SpadeAlert closed_port() {
  SpadeAlert alert;
  alert.packet.time = kTime;
  alert.packet.source = IpAddress::parse("1.2.3.4").value();
  alert.packet.destination = IpAddress::parse("10.0.0.5").value();
  alert.packet.source_port = 1025;
  alert.packet.destination_port = 81;
  alert.packet.tcp_flags = 0x02;
  alert.reported = kTime + std::chrono::seconds(4);
  alert.detector = "closed-syn";
  alert.score = 1;
  alert.activity = "Closed dest port used";
  alert.scope = "local dest, syn";
  return alert;
}

SpadeAlert odd_code(std::string_view source, std::string_view destination, Transport transport) {
  SpadeAlert alert;
  alert.packet.time = alert.reported = kTime;
  alert.packet.source = IpAddress::parse(source).value();
  alert.packet.destination = IpAddress::parse(destination).value();
  alert.packet.transport = transport;
  alert.packet.icmp_type = 5;
  alert.packet.icmp_code = 1;
  alert.sid = 5;
  alert.score = 0.98765;
  alert.activity = "Odd ICMP type/code found";
  alert.scope = "local dest, icmp";
  return alert;
}

ThresholdAdjusted adjustment() { return {kTime, "web", 0.91234, 12, 3456}; }

template <class Event>
std::string line(AlertFormat format, const Event& event) {
  std::string out;
  append_alert(out, format, event);
  return out;
}

TEST(AlertFormats, FastIsAsInSnort) {
  EXPECT_EQ(line(AlertFormat::fast, closed_port()),
            "10/08-14:03:07.042000  [**] [104:1:1] Spade: Closed dest port used: local dest, syn: 1.0000 [**] {TCP} "
            "1.2.3.4:1025 -> 10.0.0.5:81\n");
  EXPECT_EQ(line(AlertFormat::fast, odd_code("1.2.3.4", "10.0.0.5", Transport::icmp)),
            "10/08-14:03:07.042000  [**] [104:5:1] Spade: Odd ICMP type/code found: local dest, icmp: 0.9877 [**] "
            "{ICMP} 1.2.3.4 -> 10.0.0.5\n");
  EXPECT_EQ(line(AlertFormat::fast, adjustment()),
            "10/08-14:03:07.042000  [**] [104:2:1] Spade: id=web: Threshold adjusted to 0.9123 after 12 alerts (of "
            "3456) [**]\n");
}

TEST(AlertFormats, FullBeginsWithTheMessage) {
  EXPECT_EQ(line(AlertFormat::full, closed_port()),
            "[**] [104:1:1] Spade: Closed dest port used: local dest, syn: 1.0000 [**]\n"
            "10/08-14:03:07.042000 1.2.3.4:1025 -> 10.0.0.5:81\nTCP ******S*\n\n");
  EXPECT_EQ(line(AlertFormat::full, odd_code("1.2.3.4", "10.0.0.5", Transport::icmp)),
            "[**] [104:5:1] Spade: Odd ICMP type/code found: local dest, icmp: 0.9877 [**]\n"
            "10/08-14:03:07.042000 1.2.3.4 -> 10.0.0.5\nICMP Type:5  Code:1\n\n");
  EXPECT_EQ(line(AlertFormat::full, adjustment()),
            "[**] [104:2:1] Spade: id=web: Threshold adjusted to 0.9123 after 12 alerts (of 3456) [**]\n"
            "10/08-14:03:07.042000\n\n");
}

TEST(AlertFormats, CsvHasTheDefaultColumns) {
  EXPECT_EQ(line(AlertFormat::csv, closed_port()),
            "10/08-14:03:07.042000,104,1,1,\"Spade: Closed dest port used: local dest, syn: 1.0000\",TCP,1.2.3.4,1025,"
            "10.0.0.5,81,,,,******S*,,,,,,,,,,,,,\n");
  EXPECT_EQ(line(AlertFormat::csv, odd_code("1.2.3.4", "10.0.0.5", Transport::icmp)),
            "10/08-14:03:07.042000,104,5,1,\"Spade: Odd ICMP type/code found: local dest, icmp: 0.9877\",ICMP,1.2.3.4,,"
            "10.0.0.5,,,,,,,,,,,,,,,5,1,,\n");
  const std::string adjusted = line(AlertFormat::csv, adjustment());
  EXPECT_EQ(adjusted,
            "10/08-14:03:07.042000,104,2,1,\"Spade: id=web: Threshold adjusted to 0.9123 after 12 alerts (of 3456)\","
            ",,,,,,,,,,,,,,,,,,,,,\n");
  EXPECT_EQ(std::ranges::count(adjusted, ','), 26);
}

TEST(AlertFormats, SyslogHasNoTimeAndAdjustmentsOnlyTheMessage) {
  EXPECT_EQ(line(AlertFormat::syslog, closed_port()),
            "[104:1:1] Spade: Closed dest port used: local dest, syn: 1.0000 {TCP} 1.2.3.4:1025 -> 10.0.0.5:81\n");
  EXPECT_EQ(line(AlertFormat::syslog, odd_code("1.2.3.4", "10.0.0.5", Transport::icmp)),
            "[104:5:1] Spade: Odd ICMP type/code found: local dest, icmp: 0.9877 {ICMP} 1.2.3.4 -> 10.0.0.5\n");
  EXPECT_EQ(line(AlertFormat::syslog, adjustment()),
            "Spade: id=web: Threshold adjusted to 0.9123 after 12 alerts (of 3456)\n");
}

TEST(AlertFormats, Ipv6EndpointsAreInBrackets) {
  SpadeAlert alert = closed_port();
  alert.packet.source = IpAddress::parse("2001:db8::1").value();
  alert.packet.destination = IpAddress::parse("2001:db8::2").value();
  EXPECT_EQ(line(AlertFormat::syslog, alert),
            "[104:1:1] Spade: Closed dest port used: local dest, syn: 1.0000 {TCP} [2001:db8::1]:1025 -> "
            "[2001:db8::2]:81\n");
  EXPECT_NE(line(AlertFormat::csv, alert).find("\",TCP,2001:db8::1,1025,2001:db8::2,81,"), std::string::npos);
  EXPECT_EQ(line(AlertFormat::fast, odd_code("2001:db8::1", "2001:db8::2", Transport::icmp6)),
            "10/08-14:03:07.042000  [**] [104:5:1] Spade: Odd ICMP type/code found: local dest, icmp: 0.9877 [**] "
            "{IPV6-ICMP} 2001:db8::1 -> 2001:db8::2\n");
}

TEST(AlertFormats, AreKnownByName) {
  EXPECT_EQ(parse_alert_format("csv").value(), AlertFormat::csv);
  EXPECT_EQ(parse_alert_format("unified").error().message,
            "'unified' is no format of alerts; there is eve, fast, full, csv, syslog");
}

TEST(AlertFormats, IncidentsHaveNoPacketButAnAddress) {
  Incident incident;
  incident.id = 7;
  incident.kind = IncidentKind::horizontal_scan;
  incident.host = IpAddress::parse("192.0.2.1").value();
  incident.count = 37;
  incident.hosts = 36;
  incident.ports = 1;
  IncidentEvent event;
  event.time = kTime;
  event.incident = &incident;
  const std::string message = incident_message(incident);
  EXPECT_EQ(line(AlertFormat::fast, event),
            "10/08-14:03:07.042000  [**] [104:100:1] " + message + "; incident 7 opened [**]\n");
  EXPECT_EQ(line(AlertFormat::syslog, event), "[104:100:1] " + message + "; incident 7 opened\n");
  EXPECT_EQ(line(AlertFormat::full, event),
            "[**] [104:100:1] " + message + "; incident 7 opened [**]\n10/08-14:03:07.042000\n\n");
  EXPECT_TRUE(
      line(AlertFormat::csv, event)
          .starts_with("10/08-14:03:07.042000,104,100,1,\"" + message + "; incident 7 opened\",,192.0.2.1,,,,"));
  incident.side = IncidentSide::target;
  event.rule = "scans";
  event.would_block = true;
  event.reason = "target";
  EXPECT_TRUE(line(AlertFormat::csv, event)
                  .starts_with("10/08-14:03:07.042000,104,100,1,\"" + incident_message(incident) +
                               "; incident 7 opened, not blocked by rule scans: target\",,,,192.0.2.1,,"));
  EXPECT_TRUE(line(AlertFormat::eve, event).find("\"event_type\":\"incident\"") != std::string::npos);
}

}  // namespace
}  // namespace spidd
