// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Filters on every link type that a capture may mix.
#include "userspace/capture/pcap_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/capture/frames.h"
#include "userspace/capture/pcap_link.h"

namespace spidd {
namespace {

CapturedFrame captured(const test::Bytes& frame, std::uint16_t link_type) {
  return {frame, static_cast<std::uint32_t>(frame.size()), link_type, 0};
}

TEST(PcapFilter, MatchesTheSamePacketOnEveryLinkType) {
  const test::Bytes ethernet = test::udp_up("x");
  const test::Bytes raw(ethernet.begin() + test::kEthernetHeader, ethernet.end());
  for (const char* expression : {"udp dst port 443", "host 10.0.0.1"}) {
    PcapFilter filter = PcapFilter::compile(expression).value();
    EXPECT_TRUE(filter.matches(captured(ethernet, kLinkEthernet)));
    EXPECT_TRUE(filter.matches(captured(raw, kLinkRaw)));
  }
  PcapFilter other = PcapFilter::compile("tcp").value();
  EXPECT_FALSE(other.matches(captured(ethernet, kLinkEthernet)));
  EXPECT_FALSE(other.matches(captured(raw, kLinkRaw)));
}

TEST(PcapFilter, MatchesNothingWhereTheExpressionMeansNothing) {
  const test::Bytes frame = test::udp_up("x");
  PcapFilter filter = PcapFilter::compile("ether src 02:00:00:00:00:02").value();
  EXPECT_TRUE(filter.matches(captured(frame, kLinkEthernet)));
  EXPECT_FALSE(filter.matches(captured(frame, kLinkRaw)));
}

TEST(PcapFilter, MatchesEverythingWhenEmptyAndRefusesNonsense) {
  PcapFilter all = PcapFilter::compile("").value();
  EXPECT_TRUE(all.matches(captured({}, 127)));
  const auto bad = PcapFilter::compile("udp and and");
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message, ::testing::HasSubstr("filter \"udp and and\": "));
}

}  // namespace
}  // namespace spidd
