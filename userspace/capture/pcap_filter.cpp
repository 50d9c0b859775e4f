// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// libpcap compiles for its own numbers of link types (DLT_), which differ from the files' for raw IP.
#include "userspace/capture/pcap_filter.h"

#include <pcap/pcap.h>

#include "userspace/capture/pcap_link.h"

namespace spidd {

void PcapFilter::Free::operator()(bpf_program* program) const {
  ::pcap_freecode(program);
  delete program;
}

Result<PcapFilter::Program> PcapFilter::compile_for(std::uint16_t link_type, const std::string& expression) {
  const std::unique_ptr<pcap_t, decltype(&::pcap_close)> handle(
      ::pcap_open_dead(link_type == kLinkRaw ? DLT_RAW : link_type, static_cast<int>(kMostCaptured)), &::pcap_close);
  if (!handle) return fail("filter \"{}\": out of memory", expression);
  Program program(new bpf_program{});
  if (::pcap_compile(handle.get(), program.get(), expression.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) {
    return fail("filter \"{}\": {}", expression, ::pcap_geterr(handle.get()));
  }
  return program;
}

Result<PcapFilter> PcapFilter::compile(const std::string& expression) {
  PcapFilter filter;
  if (expression.empty()) return filter;
  if (auto for_ethernet = compile_for(kLinkEthernet, expression); !for_ethernet) {
    if (!compile_for(kLinkRaw, expression)) return tl::unexpected(std::move(for_ethernet).error());
  }
  filter.expression_ = expression;
  return filter;
}

bool PcapFilter::matches(const CapturedFrame& frame) {
  if (expression_.empty()) return true;
  auto known = programs_.find(frame.link_type);
  if (known == programs_.end()) {
    auto program = compile_for(frame.link_type, expression_);
    known = programs_.emplace(frame.link_type, program ? std::move(*program) : nullptr).first;
  }
  if (!known->second) return false;
  pcap_pkthdr header{};
  header.caplen = static_cast<bpf_u_int32>(frame.bytes.size());
  header.len = frame.wire_length;
  return ::pcap_offline_filter(known->second.get(), &header, frame.bytes.data()) != 0;
}

}  // namespace spidd
