// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Whose packets can be taken for its own.
#include <gtest/gtest.h>

#include "tests/unit/spade/incident_network.h"

namespace spidd {
namespace {

TEST(Incidents, ConfirmASourceOnlyWhenItsConnectionIsMade) {
  Network network;
  for (std::uint16_t i = 1; i < 30; ++i) network.refused(i, ip("192.0.2.1"), ip("10.1.0.9"), i);
  ASSERT_EQ(network.opened(), 1U);
  EXPECT_FALSE(network.said.back().incident.confirmed);
  // An open port answers; a host whose address was used would send a reset.
  network.probe(31, ip("192.0.2.1"), ip("10.1.0.9"), 80);
  network.tcp(31.1, ip("10.1.0.9"), 80, ip("192.0.2.1"), 40000, kSynAck);
  network.tcp(31.2, ip("192.0.2.1"), 40000, ip("10.1.0.9"), 80, kRst);
  EXPECT_FALSE(network.incidents.open().at(0)->confirmed);
  // Anybody can send an acknowledgement in its name; the server resets what acknowledges nothing that it sent.
  network.tcp(31.3, ip("192.0.2.1"), 40000, ip("10.1.0.9"), 80, kAck);
  network.tcp(31.4, ip("10.1.0.9"), 80, ip("192.0.2.1"), 40000, kRst);
  EXPECT_FALSE(network.incidents.open().at(0)->confirmed);
  network.connect(32, ip("192.0.2.1"), ip("10.1.0.9"), 80);
  EXPECT_TRUE(network.incidents.open().at(0)->confirmed);
  EXPECT_TRUE(network.incidents.open().at(0)->acknowledged);
  EXPECT_EQ(network.said.back().cause, IncidentCause::changed);
}

TEST(Incidents, ConfirmASourceByAConnectionToWhereItHasBeenBefore) {
  Network network;
  network.connect(0, ip("192.0.2.1"), ip("10.1.0.9"), 443);
  for (std::uint16_t i = 1; i < 30; ++i) network.probe(3600 + i, ip("192.0.2.1"), ip("10.1.0.9"), i);
  ASSERT_FALSE(network.incidents.open().at(0)->confirmed);
  network.connect(3640, ip("192.0.2.1"), ip("10.1.0.9"), 443);
  EXPECT_TRUE(network.incidents.open().at(0)->acknowledged);
}

TEST(Incidents, AreConfirmedByAConversationThatBeganDuringThem) {
  Network network;
  const IpAddress source = ip("192.0.2.1");
  network.incidents.confirm(source, Network::kStart);
  for (std::uint16_t i = 1; i < 30; ++i) network.refused(100 + i, source, ip("10.1.0.9"), i);
  ASSERT_EQ(network.opened(), 1U);
  EXPECT_FALSE(network.incidents.open().at(0)->confirmed);
  network.incidents.confirm(source, Network::kStart + std::chrono::seconds(50));
  EXPECT_FALSE(network.incidents.open().at(0)->confirmed);
  network.incidents.confirm(ip("192.0.2.2"), Network::kStart + std::chrono::seconds(140));
  EXPECT_FALSE(network.incidents.open().at(0)->confirmed);
  network.incidents.confirm(source, Network::kStart + std::chrono::seconds(140));
  EXPECT_TRUE(network.incidents.open().at(0)->confirmed);
  EXPECT_TRUE(network.incidents.open().at(0)->acknowledged);
  EXPECT_EQ(network.said.back().cause, IncidentCause::changed);
}

TEST(Incidents, ConfirmAnInsideSourceOnlyWhenItIsRepliedToAboutTheIncident) {
  Network network;
  const IpAddress inside = ip("10.1.1.7");
  for (unsigned i = 1; i <= 60; ++i) {
    network.probe(i, inside, numbered(0x0b000000, 77 * i), 445);
    // Its owner works meanwhile, and a flow of his carries payload in both directions.
    network.connect(i + 0.5, inside, numbered(kOutside, i % 10), 443);
    network.incidents.confirm(inside, Network::kStart + std::chrono::seconds(i));
  }
  ASSERT_EQ(network.opened(), 1U);
  EXPECT_FALSE(network.incidents.open().at(0)->confirmed);
  network.refused(61, inside, ip("11.1.1.1"), 445);
  EXPECT_FALSE(network.incidents.open().at(0)->confirmed);
  network.refused(62, inside, ip("11.1.1.2"), 445);
  EXPECT_TRUE(network.incidents.open().at(0)->confirmed);
  EXPECT_FALSE(network.incidents.open().at(0)->acknowledged);
  network.connect(63, inside, ip("11.1.1.3"), 445);
  EXPECT_TRUE(network.incidents.open().at(0)->acknowledged);
}

TEST(Incidents, ConfirmAnInsideSourceThatIsRefusedFromTheBeginning) {
  Network network;
  for (std::uint16_t i = 1; i < 20; ++i) network.refused(i, ip("10.1.1.7"), ip("10.1.0.9"), i);
  ASSERT_EQ(network.opened(), 1U);
  EXPECT_TRUE(network.said.at(0).incident.confirmed);
  EXPECT_FALSE(network.said.at(0).incident.acknowledged);
}

TEST(Incidents, DoNotConfirmASourceByWhatItDidBefore) {
  Network network;
  // A visitor, whose address somebody else uses an hour later.
  network.connect(0, ip("192.0.2.1"), ip("10.1.0.9"), 443);
  for (std::uint16_t i = 1; i < 30; ++i) network.probe(3600 + i, ip("192.0.2.1"), ip("10.1.0.9"), i);
  ASSERT_EQ(network.opened(), 1U);
  EXPECT_FALSE(network.incidents.open().at(0)->confirmed);
}

TEST(Incidents, ConfirmNobodyByItsAddressWhenHomeIsUnknown) {
  Network network({}, false);
  for (std::uint16_t i = 1; i < 30; ++i) network.refused(i, ip("10.1.1.7"), ip("10.1.0.9"), i);
  ASSERT_EQ(network.opened(), 1U);
  EXPECT_FALSE(network.said.back().incident.confirmed);
}

}  // namespace
}  // namespace spidd
