// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Records the flows of capture files as services of the site, as a running spidd would. For `spidctl site learn`.
#pragma once

#include <memory>
#include <string>

#include "userspace/learning/site_learning.h"
#include "userspace/policy/policy.h"
#include "userspace/spid/matcher.h"

namespace spidd {

struct SiteCapture {
  std::shared_ptr<const Matcher> matcher;
  std::shared_ptr<const Policy> policy;  // what it alerts on is not learned
  std::string filter;                    // pcap-filter(7)
};

// Adds the flows of the file, whatever their times, to what is recorded; returns how many. What stands before a damage
// is learned; the damage is the error.
Result<std::uint64_t> record_capture(const std::string& path, const SiteCapture& how, SiteLearning& site);

}  // namespace spidd
