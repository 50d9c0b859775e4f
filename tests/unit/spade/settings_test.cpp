// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What is in force where nothing is said: the tables of spade.md 2.4, 5.2 and 5.4.
#include "userspace/spade/settings.h"

#include <gtest/gtest.h>

namespace spidd {
namespace {

TEST(SpadeSettings, NamesAreThoseOfTheOriginalAndReadBack) {
  for (const std::string_view name : {"closed-dport", "dead-dest", "odd-dport", "odd-port-dest", "odd-typecode"})
    EXPECT_EQ(detector_type_name(parse_detector_type(name).value()), name);
  for (const std::string_view name : {"synonly", "synack", "setup", "established", "teardown", "weird"})
    EXPECT_EQ(tcp_scope_name(parse_tcp_scope(name).value()), name);
  for (const std::string_view name : {"home", "nothome", "any"}) EXPECT_EQ(side_name(parse_side(name).value()), name);
  for (const std::string_view name : {"err", "noterr", "any"})
    EXPECT_EQ(icmp_scope_name(parse_icmp_scope(name).value()), name);
  for (const std::string_view name : {"documented", "030125"})
    EXPECT_EQ(profile_name(parse_spade_profile(name).value()), name);
  for (const std::string_view name : {"alert", "log", "both", "none"})
    EXPECT_EQ(destination_name(parse_destination(name).value()), name);
  EXPECT_EQ(parse_icmp_scope("all").value(), IcmpScope::any);
  EXPECT_EQ(parse_detector_type("odd_dport").error().message,
            "'odd_dport' is not a type of detector; there is closed-dport, dead-dest, odd-dport, odd-port-dest, "
            "odd-typecode");
}

TEST(SpadeSettings, AnIdBeginsWithALetter) {
  EXPECT_TRUE(is_detector_id("a"));
  EXPECT_TRUE(is_detector_id("Closed-dport_2"));
  EXPECT_FALSE(is_detector_id(""));
  EXPECT_FALSE(is_detector_id("1"));
  EXPECT_FALSE(is_detector_id("a b"));
  EXPECT_FALSE(is_detector_id("-a"));
  EXPECT_TRUE(is_detector_id(std::string(50, 'x')));
  EXPECT_FALSE(is_detector_id(std::string(51, 'x')));
}

TEST(SpadeSettings, AHalfLifeOf24HoursIsTheOriginalsFactor) {
  EXPECT_NEAR(Decay::factor_of_half_life(24, 240), 0.89090, 1e-5);
  EXPECT_NEAR(Decay::factor_of_half_life(168, 240), 0.98363, 1e-5);
  EXPECT_NEAR(Decay::factor_of_half_life(12, 60), 0.94387, 1e-5);
  EXPECT_EQ(Decay::factor_of_half_life(0, 240), 0);
}

TEST(SpadeSettings, EveryTypeHasItsOwnDefaults) {
  const DetectorSettings closed = default_detector(DetectorType::closed_dport);
  EXPECT_EQ(closed.threshold, 0.85);
  EXPECT_EQ(closed.min_observations, 400);
  EXPECT_EQ(closed.wait_seconds, 0U);
  EXPECT_EQ(closed.decay, (Decay{240, 0.96409, 0.18}));

  const DetectorSettings dead = default_detector(DetectorType::dead_dest, Transport::icmp);
  EXPECT_EQ(dead.threshold, 1);
  EXPECT_EQ(dead.min_observations, 2000);
  EXPECT_EQ(dead.wait_seconds, 2U);
  EXPECT_EQ(dead.icmp_type, IcmpScope::noterr);
  EXPECT_EQ(dead.decay, (Decay{60, 0.94387, 0.25}));

  const DetectorSettings odd = default_detector(DetectorType::odd_dport);
  EXPECT_EQ(odd.threshold, 0.8);
  EXPECT_EQ(odd.min_observations, 600);
  EXPECT_EQ(odd.decay, (Decay{240, 0.98363, 0.18}));

  EXPECT_EQ(default_detector(DetectorType::odd_port_dest).min_observations, 565);
  EXPECT_EQ(default_detector(DetectorType::odd_port_dest, Transport::udp).min_observations, 1131);
  EXPECT_EQ(default_detector(DetectorType::odd_port_dest, Transport::tcp, TcpScope::synonly, {}, 1).min_observations,
            200);
  EXPECT_EQ(default_detector(DetectorType::odd_port_dest).threshold, 0.9);
  EXPECT_EQ(default_detector(DetectorType::odd_port_dest).decay, (Decay{90, 0.97957, 0.25}));

  const DetectorSettings codes = default_detector(DetectorType::odd_typecode);
  EXPECT_EQ(codes.transport, Transport::icmp);
  EXPECT_EQ(codes.icmp_type, IcmpScope::any);
  EXPECT_EQ(codes.threshold, 0.9);
  EXPECT_EQ(codes.min_observations, 4000);
  EXPECT_EQ(
      default_detector(DetectorType::odd_typecode, Transport::icmp, TcpScope::synonly, IcmpScope::err).min_observations,
      2000);
}

TEST(SpadeSettings, ScopesThatOnlyARefusalConfirmsWaitForOne) {
  for (const TcpScope scope : {TcpScope::synack, TcpScope::established, TcpScope::teardown})
    EXPECT_EQ(default_detector(DetectorType::closed_dport, Transport::tcp, scope).wait_seconds, 5U);
  for (const TcpScope scope : {TcpScope::synonly, TcpScope::weird})
    EXPECT_EQ(default_detector(DetectorType::closed_dport, Transport::tcp, scope).wait_seconds, 0U);
  EXPECT_EQ(default_detector(DetectorType::closed_dport, Transport::udp, TcpScope::synack).wait_seconds, 0U);
}

TEST(SpadeSettings, TheDistributedSetIsTheOriginals) {
  const SpadeSettings settings = distributed_settings();
  ASSERT_EQ(settings.detectors.size(), 10U);
  EXPECT_EQ(settings.detectors[0].wait_seconds, 3U);
  EXPECT_EQ(settings.detectors[0].tcp_flags, TcpScope::synonly);
  EXPECT_EQ(settings.detectors[1].threshold, 0.5);
  EXPECT_EQ(settings.detectors[1].tcp_flags, TcpScope::weird);
  EXPECT_EQ(settings.detectors[5].tcp_flags, TcpScope::established);
  EXPECT_EQ(settings.detectors[5].wait_seconds, 5U);
  EXPECT_EQ(settings.detectors[7].icmp_type, IcmpScope::noterr);
  EXPECT_EQ(settings.detectors[9].side, NetworkSide::nothome);
  for (const DetectorSettings& detector : settings.detectors) {
    EXPECT_TRUE(is_detector_id(detector.id)) << detector.id;
    EXPECT_FALSE(detector.type == DetectorType::dead_dest && detector.transport == Transport::tcp &&
                 detector.tcp_flags == TcpScope::synonly);
  }
}

}  // namespace
}  // namespace spidd
