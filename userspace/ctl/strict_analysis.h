// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// `spidctl analyze --strict` and `--strict-sessions`: captures by the session rules of SPID 0.4.6
// (userspace/flow/strict_sessions.h), one verdict a session. Under a classic profile a session is compared with the
// models of every transport, as there.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "userspace/engine/explanation.h"
#include "userspace/engine/replay.h"
#include "userspace/flow/strict_sessions.h"
#include "userspace/policy/policy.h"
#include "userspace/spid/matcher.h"

namespace spidd {

struct StrictAnalysis {
  std::shared_ptr<const Matcher> matcher;
  std::shared_ptr<const Policy> policy;
  std::string filter;  // pcap-filter(7)
  StrictSessions::Limits limits{};
};

// What was in the file, for the sums of the analysis.
struct StrictSums {
  std::uint64_t packets = 0;  // TCP and UDP
  std::uint64_t not_ip = 0;
  std::uint64_t bytes = 0;
  std::uint64_t sessions = 0;  // with a verdict
  std::uint64_t without_session = 0;
  std::uint64_t never_established = 0;
  Timestamp first{};
  Timestamp last{};
};

// Hands the lines of `writer` to `output`. A damage is the error, met after everything before it.
Result<> analyze_strictly(const std::string& path, const StrictAnalysis& how, ReplayWriter& writer,
                          const std::function<void(std::string_view)>& output, StrictSums& sums);

// The best of all models of both directions, whatever their transport, as the original compares. Requires: a classic
// profile.
Match match_any_transport(const Matcher& matcher, const Fingerprint& flow);

// The same as what explanations are made of.
Comparison compare_any_transport(const Matcher& matcher, const Fingerprint& flow);

// The best models for the packets of one session.
Verdict strict_verdict(const Matcher& matcher, Transport transport, const Fingerprint& flow);

}  // namespace spidd
