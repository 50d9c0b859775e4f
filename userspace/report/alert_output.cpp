// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/report/alert_output.h"

#include <syslog.h>
#include <unistd.h>

#include <array>
#include <ctime>

namespace spidd {
namespace {

constexpr std::string_view kSyslogSocket = "/dev/log";

// What stands after an event, and nowhere in it.
constexpr std::string_view end_of(AlertFormat format) { return format == AlertFormat::full ? "\n\n" : "\n"; }

// "<81>Nov 22 03:04:05 spidd[4711]: ": facility and priority are those that Snort has if nothing is said. Source: RFC
// 3164, section 4.1, without the host, which the local syslog adds.
void append_header(std::string& out) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  out += fmt::format("<{}>{} {:2} {:02}:{:02}:{:02} spidd[{}]: ", LOG_AUTHPRIV | LOG_ALERT,
                     kMonths[static_cast<std::size_t>(local.tm_mon)], local.tm_mday, local.tm_hour, local.tm_min,
                     local.tm_sec, ::getpid());
}

}  // namespace

Result<AlertOutputSettings> parse_alert_output(std::string_view text) {
  const std::size_t colon = text.find(':');
  const auto format = parse_alert_format(text.substr(0, colon));
  if (!format) return tl::unexpected(format.error());
  AlertOutputSettings settings{*format, {}};
  if (colon != std::string_view::npos)
    settings.path = text.substr(colon + 1);
  else if (*format == AlertFormat::syslog)
    settings.path = kSyslogSocket;
  if (settings.path.empty() || settings.path.front() != '/')
    return fail("'{}' names no absolute path, as in \"fast:/var/log/spidd/alert\"", text);
  return settings;
}

Result<std::unique_ptr<AlertOutput>> AlertOutput::open(const AlertOutputSettings& settings) {
  if (settings.format == AlertFormat::syslog)
    return std::unique_ptr<AlertOutput>(new AlertOutput(settings.format, EventLog::to_socket(settings.path, kBuffer)));
  auto log = EventLog::open(settings.path, kBuffer, end_of(settings.format));
  if (!log) return tl::unexpected(std::move(log.error()));
  return std::unique_ptr<AlertOutput>(new AlertOutput(settings.format, std::move(*log)));
}

template <class Event>
void AlertOutput::write_event(const Event& event) {
  text_.clear();
  if (format_ == AlertFormat::syslog) append_header(text_);
  append_alert(text_, format_, event);
  text_.resize(text_.size() - end_of(format_).size());  // the log adds it
  log_->write(text_);
}

template void AlertOutput::write_event(const SpadeAlert&);
template void AlertOutput::write_event(const ThresholdAdjusted&);
template void AlertOutput::write_event(const IncidentEvent&);

}  // namespace spidd
