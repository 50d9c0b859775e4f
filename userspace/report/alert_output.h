// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// One more place for what SPADE says, for programs that read the output of Snort: a file in one of its formats, or the
// syslog of this host. As with the event log nobody waits for a disk or a reader; what is lost is counted.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "userspace/base/result.h"
#include "userspace/report/alert_formats.h"
#include "userspace/report/event_log.h"

namespace spidd {

struct AlertOutputSettings {
  AlertFormat format = AlertFormat::fast;
  std::string path;  // absolute: a file, or the socket of syslog

  bool operator==(const AlertOutputSettings&) const = default;
};

// "fast:/var/log/spidd/alert", likewise full, csv and eve; "syslog", or "syslog:/run/log.socket".
Result<AlertOutputSettings> parse_alert_output(std::string_view text);

// Not thread-safe, but for log().
class AlertOutput {
 public:
  static constexpr std::size_t kBuffer = std::size_t{1} << 20U;

  // Opens the file. A socket need not be there yet.
  static Result<std::unique_ptr<AlertOutput>> open(const AlertOutputSettings& settings);

  void write(const SpadeAlert& alert) { write_event(alert); }
  void write(const ThresholdAdjusted& adjustment) { write_event(adjustment); }
  void write(const IncidentEvent& event) { write_event(event); }

  EventLog& log() { return *log_; }
  const EventLog& log() const { return *log_; }

 private:
  AlertOutput(AlertFormat format, std::unique_ptr<EventLog> log) : format_(format), log_(std::move(log)) {}
  template <class Event>
  void write_event(const Event& event);

  AlertFormat format_;
  std::unique_ptr<EventLog> log_;
  std::string text_;
};

}  // namespace spidd
