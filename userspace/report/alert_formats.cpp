// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/report/alert_formats.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "userspace/report/events.h"
#include "userspace/report/spade_events.h"

namespace spidd {
namespace {

constexpr std::array<std::string_view, 5> kFormats = {"eve", "fast", "full", "csv", "syslog"};

// Columns of Snort's CSV, in its default order.
enum Column : std::size_t {
  kTime,
  kGenerator,
  kSid,
  kRevision,
  kMessage,
  kProtocol,
  kSource,
  kSourcePort,
  kDestination,
  kDestinationPort,
  kTcpFlags = 13,
  kIcmpType = 23,
  kIcmpCode = 24,
  kColumns = 27,
};
using Row = std::array<std::string, kColumns>;

// "MM/DD-hh:mm:ss.uuuuuu"
std::string snort_time(Timestamp time) {
  const auto rounded = std::chrono::floor<std::chrono::microseconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(rounded);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{rounded - day};
  return fmt::format("{:02}/{:02}-{:02}:{:02}:{:02}.{:06}", static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count(), clock.subseconds().count());
}

std::string_view protocol(Transport transport) {
  return transport == Transport::icmp6 ? "IPV6-ICMP" : eve_protocol_name(transport);
}

bool has_ports(const Observation& packet) {
  return packet.transport == Transport::tcp || packet.transport == Transport::udp;
}

// "1.2.3.4:1025 -> 10.0.0.5:81"; without ports for ICMP.
std::string ends(const Observation& packet) {
  if (!has_ports(packet)) return fmt::format("{} -> {}", packet.source.to_string(), packet.destination.to_string());
  return fmt::format("{} -> {}", Endpoint{packet.source, packet.source_port}.to_string(),
                     Endpoint{packet.destination, packet.destination_port}.to_string());
}

// "******S*": CWR, ECE, URG, ACK, PSH, RST, SYN, FIN.
std::string tcp_flags(std::uint8_t flags) {
  constexpr std::string_view kLetters = "12UAPRSF";
  std::string text = "********";
  for (std::size_t i = 0; i < kLetters.size(); ++i)
    if ((flags & (0x80U >> i)) != 0) text[i] = kLetters[i];
  return text;
}

std::string header(const Observation& packet) {
  switch (packet.transport) {
    case Transport::tcp:
      return fmt::format("TCP {}", tcp_flags(packet.tcp_flags));
    case Transport::udp:
      return "UDP";
    case Transport::icmp:
    case Transport::icmp6:
      return fmt::format("{} Type:{}  Code:{}", protocol(packet.transport), packet.icmp_type, packet.icmp_code);
  }
  return {};
}

std::string signature(unsigned sid) { return fmt::format("[{}:{}:1]", kSpadeGenerator, sid); }

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"') result += '"';
    result += c;
  }
  return result + '"';
}

Row row(Timestamp time, unsigned sid, std::string_view message) {
  Row columns;
  columns[kTime] = snort_time(time);
  columns[kGenerator] = fmt::to_string(kSpadeGenerator);
  columns[kSid] = fmt::to_string(sid);
  columns[kRevision] = "1";
  columns[kMessage] = quoted(message);
  return columns;
}

// What it is about, and what is new and was done.
std::string described(const IncidentEvent& event) {
  std::string text = fmt::format("{}; incident {} {}", incident_message(*event.incident), event.incident->id,
                                 incident_cause_name(event.cause));
  if (event.blocked) text += fmt::format(", blocked by rule {}", event.rule);
  if (event.would_block) text += fmt::format(", not blocked by rule {}: {}", event.rule, event.reason);
  return text;
}

void append_row(std::string& out, const Row& columns) { out += fmt::format("{}\n", fmt::join(columns, ",")); }

}  // namespace

Result<AlertFormat> parse_alert_format(std::string_view name) {
  const auto found = std::ranges::find(kFormats, name);
  if (found == kFormats.end()) return fail("'{}' is no format of alerts; there is {}", name, fmt::join(kFormats, ", "));
  return static_cast<AlertFormat>(found - kFormats.begin());
}

void append_alert(std::string& out, AlertFormat format, const SpadeAlert& alert) {
  const Observation& packet = alert.packet;
  switch (format) {
    case AlertFormat::eve:
      append_json(out, alert, {});
      out += '\n';
      return;
    case AlertFormat::fast:
      out += fmt::format("{}  [**] {} {} [**] {{{}}} {}\n", snort_time(packet.time), signature(alert.sid),
                         alert.message(), protocol(packet.transport), ends(packet));
      return;
    case AlertFormat::full:
      out += fmt::format("[**] {} {} [**]\n{} {}\n{}\n\n", signature(alert.sid), alert.message(),
                         snort_time(packet.time), ends(packet), header(packet));
      return;
    case AlertFormat::csv: {
      Row columns = row(packet.time, alert.sid, alert.message());
      columns[kProtocol] = protocol(packet.transport);
      columns[kSource] = packet.source.to_string();
      columns[kDestination] = packet.destination.to_string();
      if (has_ports(packet)) {
        columns[kSourcePort] = fmt::to_string(packet.source_port);
        columns[kDestinationPort] = fmt::to_string(packet.destination_port);
      } else {
        columns[kIcmpType] = fmt::to_string(packet.icmp_type);
        columns[kIcmpCode] = fmt::to_string(packet.icmp_code);
      }
      if (packet.transport == Transport::tcp) columns[kTcpFlags] = tcp_flags(packet.tcp_flags);
      append_row(out, columns);
      return;
    }
    case AlertFormat::syslog:
      out += fmt::format("{} {} {{{}}} {}\n", signature(alert.sid), alert.message(), protocol(packet.transport),
                         ends(packet));
      return;
  }
}

void append_alert(std::string& out, AlertFormat format, const ThresholdAdjusted& adjustment) {
  switch (format) {
    case AlertFormat::eve:
      append_json(out, adjustment);
      out += '\n';
      return;
    case AlertFormat::fast:
      out += fmt::format("{}  [**] {} {} [**]\n", snort_time(adjustment.time), signature(kAdjustmentSid),
                         adjustment.message());
      return;
    case AlertFormat::full:
      out += fmt::format("[**] {} {} [**]\n{}\n\n", signature(kAdjustmentSid), adjustment.message(),
                         snort_time(adjustment.time));
      return;
    case AlertFormat::csv:
      append_row(out, row(adjustment.time, kAdjustmentSid, adjustment.message()));
      return;
    case AlertFormat::syslog:
      out += adjustment.message();
      out += '\n';
      return;
  }
}

void append_alert(std::string& out, AlertFormat format, const IncidentEvent& event) {
  const std::string message = described(event);
  switch (format) {
    case AlertFormat::eve:
      append_json(out, event);
      out += '\n';
      return;
    case AlertFormat::fast:
      out += fmt::format("{}  [**] {} {} [**]\n", snort_time(event.time), signature(kIncidentSid), message);
      return;
    case AlertFormat::full:
      out += fmt::format("[**] {} {} [**]\n{}\n\n", signature(kIncidentSid), message, snort_time(event.time));
      return;
    case AlertFormat::csv: {
      Row columns = row(event.time, kIncidentSid, message);
      columns[event.incident->side == IncidentSide::source ? kSource : kDestination] = event.incident->host.to_string();
      append_row(out, columns);
      return;
    }
    case AlertFormat::syslog:
      out += fmt::format("{} {}\n", signature(kIncidentSid), message);
      return;
  }
}

}  // namespace spidd
