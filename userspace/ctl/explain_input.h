// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The flow of a capture that `spidctl explain` is asked about.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "userspace/flow/strict_sessions.h"
#include "userspace/learning/settled_flow.h"
#include "userspace/policy/policy.h"
#include "userspace/spid/matcher.h"

namespace spidd {

// `flow`: a flow_id, or the words of a five-tuple as analyze prints them: "tcp" (or "TCP"), "10.0.0.1:4242",
// "10.0.0.2:443", the ends in either order, in one word or three. Of several flows the last one that settled.
struct CaptureQuestion {
  std::string path;
  std::string filter;
  std::vector<std::string> flow;
  std::shared_ptr<const Policy> policy;
};

// The flow with the engine's verdict and what it is based on: as `spidctl analyze` judged it by the same models and
// policy.
// `damage`: why the capture could be read no further, the flow being of what stands before; "" if it was read whole.
Result<SettledFlow> settled_flow_of_capture(const CaptureQuestion& question, std::shared_ptr<const Matcher> matcher,
                                            std::string& damage);

// The same of a session of SPID 0.4.6 with its one verdict, as 'spidctl analyze --strict' judges it. Not by the policy.
Result<SettledFlow> settled_session_of_capture(const CaptureQuestion& question, const Matcher& matcher,
                                               const StrictSessions::Limits& limits, std::string& damage);

}  // namespace spidd
