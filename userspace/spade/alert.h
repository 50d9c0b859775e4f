// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What SPADE says: alerts of single packets, thresholds that were adjusted. Incidents are made of these (incident.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "userspace/capture/observation.h"
#include "userspace/spade/settings.h"

namespace spidd {

class ScoreSurvey;
class ThresholdAdviser;

// What is known of the port or host that a packet went to. Source: spade.md 6.1.
enum class PortStatus : std::uint8_t {
  unknown,
  probably_closed,  // closed-dport and dead-dest before any response
  likely_closed,    // nobody answered in time
  closed,           // it was refused
  probably_open,
  likely_open,
  open,  // it was answered
};
std::string_view port_status_name(PortStatus status);  // "likely closed"

inline constexpr unsigned kSpadeGenerator = 104;  // Snort's generator id
inline constexpr unsigned kAdjustmentSid = 2;

struct SpadeAlert {
  Observation packet;    // as it was, with its own time
  Timestamp reported;    // later than the packet if a response was waited for
  std::string detector;  // id
  DetectorType type = DetectorType::closed_dport;
  unsigned sid = 1;  // 5.3
  double score = 0;  // as the detector is set: relative, or raw
  double raw_bits = 0;
  double threshold = 0;
  double base = 0;  // C of spade.md 3.1: how much the judgement rests on
  PortStatus status = PortStatus::unknown;
  std::string activity;  // "Closed dest port used"
  std::string scope;     // "local dest, syn"

  // "Spade: Closed dest port used: local dest, syn: 1.0000"
  std::string message() const;
};

struct ThresholdAdjusted {
  Timestamp time;
  std::string detector;
  double threshold = 0;
  std::uint64_t reported = 0;  // alerts since the last adjustment
  std::uint64_t scored = 0;    // packets scored since then
  bool held = false;           // as many as wished were reported: nothing more is until the next adjustment

  // "Spade: id=x: Threshold adjusted to 0.9123 after 12 alerts (of 3456)"
  std::string message() const;
};

// Receives what SPADE says, in order, on the thread that observes.
class SpadeSink {
 public:
  virtual ~SpadeSink() = default;
  virtual void alert(const SpadeAlert& alert) = 0;
  virtual void adjusted(const ThresholdAdjusted& adjustment) = 0;
  // Over a detector's threshold and not excluded: an alert follows at once, or after a wait, or not at all.
  virtual void suspected(const Observation& /*packet*/) {}
  // The adviser's time is over: the log file is due.
  virtual void advised(const ThresholdAdviser& /*adviser*/) {}
  // The survey has `new_rows` more rows.
  virtual void surveyed(const ScoreSurvey& /*survey*/, std::size_t /*new_rows*/) {}
};

}  // namespace spidd
