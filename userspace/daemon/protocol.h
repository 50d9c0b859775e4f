// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What both ends of the control socket must agree on. The protocol by example: userspace/daemon/README.md.
#pragma once

#include <cstddef>

namespace spidd {

inline constexpr const char* kDefaultSocketPath = "/run/spidd/control.sock";
inline constexpr int kProtocolVersion = 1;
inline constexpr std::size_t kMostRows = 10000;         // of any list in an answer
inline constexpr std::size_t kMaxRequestBytes = 65536;  // of one line to the daemon

}  // namespace spidd
