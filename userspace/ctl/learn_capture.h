// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Learning unknown protocols from capture files, as spidd does it from the stream: with one engine, so that flows come
// in the order of the capture, and what was learned is recognised from then on.
#pragma once

#include <memory>
#include <string>

#include "userspace/learning/unknown_learner.h"
#include "userspace/policy/policy.h"
#include "userspace/spid/protocol_model.h"

namespace spidd {

struct LearnCapture {
  ModelDatabase models;  // shipped ones
  std::shared_ptr<const Policy> policy;
  std::string filter;  // pcap-filter(7)
};

// Returns the number of flows that had payload. What a damaged capture has before the damage is learned from.
Result<std::uint64_t> learn_from_capture(const std::string& path, const LearnCapture& how, UnknownLearner& learner);

}  // namespace spidd
