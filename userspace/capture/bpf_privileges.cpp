// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// libcap-ng keeps its working copy in thread-local state: it is read anew before every use.
#include "userspace/capture/bpf_privileges.h"

#include <cap-ng.h>
#include <sys/prctl.h>

#include <array>
#include <cerrno>

namespace spidd {
namespace {

std::string name_of(unsigned capability) {
  const char* const name = capng_capability_to_name(capability);
  return name == nullptr ? std::to_string(capability) : std::string(name);
}

}  // namespace

Result<> check_privileges() {
  constexpr std::array<unsigned, 3> kNeeded = {CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON};
  if (capng_get_caps_process() != 0) return fail("cannot read the capabilities of this process");
  std::string missing;
  for (const unsigned capability : kNeeded) {
    if (capng_have_capability(CAPNG_EFFECTIVE, capability) == 1) continue;
    missing += (missing.empty() ? "" : ", ") + name_of(capability);
  }
  if (!missing.empty()) {
    return fail(
        "no privilege to watch interfaces: run as root, or with the capabilities bpf, net_admin and perfmon "
        "(missing: {})",
        missing);
  }
  return {};
}

bool has_capability(unsigned capability) {
  return capng_get_caps_process() == 0 && capng_have_capability(CAPNG_EFFECTIVE, capability) == 1;
}

Result<std::vector<std::string>> keep_capabilities(std::span<const unsigned> capabilities) {
  if (capng_get_caps_process() != 0) return fail("cannot read the capabilities of this process");
  std::vector<unsigned> kept;
  for (const unsigned capability : capabilities) {
    if (capng_have_capability(CAPNG_PERMITTED, capability) == 1) kept.push_back(capability);
  }
  const bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) == 1;
  capng_clear(CAPNG_SELECT_BOTH);
  std::vector<std::string> names;
  for (const unsigned capability : kept) {
    capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET),
                 capability);
    names.push_back(name_of(capability));
  }
  // Without CAP_SETPCAP the bounding set cannot be changed; with no new privileges to gain it does not matter.
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno(errno, "forbid new privileges");
  if (const int status = capng_apply(may_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS); status != 0) {
    return fail("cannot give up capabilities (libcap-ng error {})", status);
  }
  return names;
}

}  // namespace spidd
