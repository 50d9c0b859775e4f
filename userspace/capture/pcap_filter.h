// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// pcap-filter(7) expressions, compiled by libpcap for each link type that occurs.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "userspace/base/result.h"
#include "userspace/capture/pcap_frame.h"

struct bpf_program;

namespace spidd {

class PcapFilter {
 public:
  // Matches everything.
  PcapFilter() = default;

  // An error if the expression means nothing on Ethernet and nothing on raw IP.
  static Result<PcapFilter> compile(const std::string& expression);

  // An expression that means nothing on a link type ("ether host" on raw IP) matches none of its frames.
  bool matches(const CapturedFrame& frame);

 private:
  struct Free {
    void operator()(bpf_program* program) const;
  };
  using Program = std::unique_ptr<bpf_program, Free>;

  static Result<Program> compile_for(std::uint16_t link_type, const std::string& expression);

  std::string expression_;
  std::map<std::uint16_t, Program> programs_;  // by link type; null: matches nothing
};

}  // namespace spidd
