// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Every event, member by member, in the order in which it is written.
#include "userspace/report/events.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <set>

namespace spidd {
namespace {

using nlohmann::ordered_json;
using std::chrono::milliseconds;
using std::chrono::seconds;

const Timestamp kTime{seconds(1795287875)};  // 2026-11-21T19:04:35

EventFlow some_flow() {
  EventFlow flow;
  flow.id = 42;
  flow.interface = "eth1";
  flow.client = {*IpAddress::parse("10.0.0.5"), 40000};
  flow.server = {*IpAddress::parse("198.51.100.7"), 443};
  return flow;
}

EventSpid some_spid() {
  EventSpid spid;
  spid.state = IdentificationState::identified;
  spid.label = "obfs4";
  spid.family = "obfuscated";
  spid.category = Category::tunnel;
  spid.score = 1.23449;
  spid.verdict_class = VerdictClass::label;
  spid.margin = 0.5;
  spid.divergence = 2.5;
  spid.payload_packets = 8;
  return spid;
}

template <class Event>
ordered_json json_of(const Event& event) {
  std::string out;
  append_json(out, event);
  EXPECT_EQ(out.find('\n'), std::string::npos);
  return ordered_json::parse(out);
}

// Comparing texts compares the order too.
template <class Event>
std::string normal(const Event& event) {
  return json_of(event).dump();
}
std::string normal_text(std::string_view text) { return ordered_json::parse(text).dump(); }

FlowEvent flow_event() {
  FlowEvent event;
  event.time = kTime;
  event.flow = some_flow();
  event.counters.packets = {10, 12};
  event.counters.bytes = {1400, 9000};
  event.start = kTime - seconds(5);
  event.end = kTime - milliseconds(100);
  event.reason = "closed";
  event.spid = some_spid();
  event.action = Action::block;
  event.rule = "tunnels";
  return event;
}

TEST(Events, AFlow) {
  EXPECT_EQ(normal(flow_event()), normal_text(R"({
    "timestamp":"2026-11-21T19:04:35.000000+0000","event_type":"flow","flow_id":42,"in_iface":"eth1",
    "src_ip":"10.0.0.5","src_port":40000,"dest_ip":"198.51.100.7","dest_port":443,"proto":"TCP",
    "flow":{"pkts_toserver":10,"pkts_toclient":12,"bytes_toserver":1400,"bytes_toclient":9000,
      "start":"2026-11-21T19:04:30.000000+0000","end":"2026-11-21T19:04:34.900000+0000","reason":"closed"},
    "spid":{"label":"obfs4","family":"obfuscated","category":"tunnel","state":"identified","class":"label","score":1.234,
      "margin":0.5,"divergence":2.5,"payload_packets":8},
    "action":"drop","rule":"tunnels"})"));
}

TEST(Events, AFlowWithoutInterfaceAndRuleLeavesThemOut) {
  FlowEvent event = flow_event();
  event.flow.interface = "";
  event.rule = "";
  event.action = Action::pass;
  const ordered_json json = json_of(event);
  EXPECT_FALSE(json.contains("in_iface"));
  EXPECT_FALSE(json.contains("rule"));
  EXPECT_EQ(json.at("action"), "pass");
}

TEST(Events, OnlyAnIdentifiedFlowHasALabelAndACategory) {
  for (const IdentificationState state : {IdentificationState::unknown, IdentificationState::undecided}) {
    FlowEvent event = flow_event();
    event.spid.state = state;
    const ordered_json spid = json_of(event).at("spid");
    EXPECT_EQ(spid.at("label"), "unknown");
    EXPECT_EQ(spid.at("category"), "unknown");
    EXPECT_EQ(spid.at("state"), state_name(state));
    EXPECT_FALSE(spid.contains("family"));
    EXPECT_EQ(spid.at("score"), 1.234);
  }
}

TEST(Events, AFlowSeenInOneDirectionSaysSo) {
  FlowEvent event = flow_event();
  event.spid.one_way = true;
  EXPECT_EQ(json_of(event).at("spid").at("one_way"), true);
  EXPECT_FALSE(json_of(flow_event()).at("spid").contains("one_way"));
}

TEST(Events, AFlowWithoutALabelHasAClassAllTheSame) {
  FlowEvent event = flow_event();
  event.spid.state = IdentificationState::unknown;
  event.spid.verdict_class = VerdictClass::fully_encrypted;
  EXPECT_EQ(json_of(event).at("spid").at("class"), "fully-encrypted");
}

TEST(Events, ALabelThatRestsOnSomethingElseSaysSo) {
  FlowEvent event = flow_event();
  EXPECT_FALSE(json_of(event).at("spid").contains("basis"));
  event.spid.basis = LabelBasis::endpoint;
  EXPECT_EQ(json_of(event).at("spid").at("basis"), "endpoint");
}

TEST(Events, AFullyEncryptedFlowSaysSoWhateverItsLabel) {
  FlowEvent event = flow_event();
  EXPECT_FALSE(json_of(event).at("spid").contains("fully_encrypted"));
  event.spid.fully_encrypted = true;
  EXPECT_EQ(json_of(event).at("spid").at("fully_encrypted"), true);
  EXPECT_EQ(json_of(event).at("spid").at("label"), "obfs4");
}

TEST(Events, ScoresThatAreNotNumbersAreNull) {
  FlowEvent event = flow_event();
  event.spid.score = std::numeric_limits<double>::quiet_NaN();
  event.spid.margin = std::numeric_limits<double>::infinity();
  const ordered_json spid = json_of(event).at("spid");
  EXPECT_TRUE(spid.at("score").is_null());
  EXPECT_TRUE(spid.at("margin").is_null());
}

TEST(Events, AnIpv6IcmpFlowHasTheEchoIdentifierAsPorts) {
  FlowEvent event = flow_event();
  event.flow.client = {*IpAddress::parse("2001:db8::1"), 4711};
  event.flow.server = {*IpAddress::parse("2001:db8::2"), 4711};
  event.flow.transport = Transport::icmp6;
  const ordered_json json = json_of(event);
  EXPECT_EQ(json.at("src_ip"), "2001:db8::1");
  EXPECT_EQ(json.at("src_port"), 4711);
  EXPECT_EQ(json.at("dest_port"), 4711);
  EXPECT_EQ(json.at("proto"), "IPv6-ICMP");
}

TEST(Events, ProtocolsHaveTheNamesOfEve) {
  EXPECT_EQ(eve_protocol_name(Transport::tcp), "TCP");
  EXPECT_EQ(eve_protocol_name(Transport::udp), "UDP");
  EXPECT_EQ(eve_protocol_name(Transport::icmp), "ICMP");
  EXPECT_EQ(eve_protocol_name(Transport::icmp6), "IPv6-ICMP");
}

TEST(Events, AnAlert) {
  AlertEvent event;
  event.time = kTime;
  event.flow = some_flow();
  event.spid = some_spid();
  event.spid.tunnel_score = 1.5;
  event.spid.tunnel_margin = 0.8;
  event.rule = "possible-tunnels";
  event.rule_number = 2;
  EXPECT_EQ(normal(event), normal_text(R"({
    "timestamp":"2026-11-21T19:04:35.000000+0000","event_type":"alert","flow_id":42,"in_iface":"eth1",
    "src_ip":"10.0.0.5","src_port":40000,"dest_ip":"198.51.100.7","dest_port":443,"proto":"TCP",
    "alert":{"action":"allowed","signature_id":3,"signature":"possible-tunnels: obfs4","category":"tunnel",
      "severity":2,"rule":"possible-tunnels","would_block":false},
    "spid":{"label":"obfs4","family":"obfuscated","category":"tunnel","state":"identified","class":"label","score":1.234,
      "margin":0.5,"tunnel_score":1.5,"tunnel_margin":0.8,"divergence":2.5,"payload_packets":8},
    "action":"alert"})"));
}

TEST(Events, AnAlertInPlaceOfABlockIsMoreSevere) {
  AlertEvent event;
  event.flow = some_flow();
  event.spid = some_spid();
  event.rule = "tunnels";
  event.would_block = true;
  event.reason = "no_proof";
  event.expected = "tls, quic";
  const ordered_json alert = json_of(event).at("alert");
  EXPECT_EQ(alert.at("would_block"), true);
  EXPECT_EQ(alert.at("reason"), "no_proof");
  EXPECT_EQ(alert.at("expected"), "tls, quic");
  EXPECT_EQ(alert.at("severity"), 1);
}

TEST(Events, AnAlertOfARuleThatBlockedSaysSo) {
  AlertEvent event;
  event.flow = some_flow();
  event.spid = some_spid();
  event.rule = "tunnels";
  event.blocked = true;
  const ordered_json json = json_of(event);
  EXPECT_EQ(json.at("alert").at("action"), "blocked");
  EXPECT_EQ(json.at("alert").at("severity"), 1);
  EXPECT_EQ(json.at("alert").at("would_block"), false);
  EXPECT_EQ(json.at("action"), "drop");
}

TEST(Events, AnAlertOnAnUnknownFlow) {
  AlertEvent event;
  event.flow = some_flow();
  event.spid.state = IdentificationState::unknown;
  event.rule = "strangers";
  const ordered_json alert = json_of(event).at("alert");
  EXPECT_EQ(alert.at("signature"), "strangers: unknown");
  EXPECT_EQ(alert.at("category"), "unknown");
}

TEST(Events, ABlockThatARuleMade) {
  DropEvent event;
  event.time = kTime;
  event.flow = some_flow();
  event.spid = some_spid();
  event.scope = BlockScope::endpoint;
  event.target = "tcp 198.51.100.7:443";
  event.rule = "tunnels";
  event.expires = kTime + std::chrono::hours(1);
  EXPECT_EQ(normal(event), normal_text(R"({
    "timestamp":"2026-11-21T19:04:35.000000+0000","event_type":"drop","flow_id":42,"in_iface":"eth1",
    "src_ip":"10.0.0.5","src_port":40000,"dest_ip":"198.51.100.7","dest_port":443,"proto":"TCP",
    "drop":{"change":"added","scope":"endpoint","target":"tcp 198.51.100.7:443","rule":"tunnels",
      "expires":"2026-11-21T20:04:35.000000+0000"},
    "spid":{"label":"obfs4","family":"obfuscated","category":"tunnel","state":"identified","class":"label","score":1.234,
      "margin":0.5,"divergence":2.5,"payload_packets":8},
    "action":"drop"})"));
}

TEST(Events, ABlockMadeByHand) {
  DropEvent event;
  event.time = kTime;
  event.change = BlockChange::extended;
  event.scope = BlockScope::host;
  event.target = "198.51.100.7";
  event.rule = "manual";
  event.expires = kTime;
  EXPECT_EQ(normal(event), normal_text(R"({
    "timestamp":"2026-11-21T19:04:35.000000+0000","event_type":"drop",
    "drop":{"change":"extended","scope":"host","target":"198.51.100.7","rule":"manual",
      "expires":"2026-11-21T19:04:35.000000+0000"},
    "action":"drop"})"));
}

TEST(Events, ABlockThatEnded) {
  for (const BlockChange change : {BlockChange::expired, BlockChange::removed}) {
    DropEvent event;
    event.time = kTime;
    event.change = change;
    event.target = "tcp 198.51.100.7:443";
    event.rule = "tunnels";
    event.label = "openvpn";
    event.expires = kTime;
    event.dropped = DroppedTraffic{17, 2040};
    EXPECT_EQ(normal(event), normal_text(fmt::format(R"({{
      "timestamp":"2026-11-21T19:04:35.000000+0000","event_type":"drop_end",
      "drop":{{"change":"{}","scope":"endpoint","target":"tcp 198.51.100.7:443","rule":"tunnels","label":"openvpn",
        "expires":"2026-11-21T19:04:35.000000+0000","packets":17,"bytes":2040}}}})",
                                                     block_change_name(change))));
  }
}

TEST(Events, Statistics) {
  StatsEvent event;
  event.time = kTime;
  event.uptime = milliseconds(3600900);
  event.sections = {{"engine", {{"records", 123456}, {"flows", 4321}}}, {"empty", {}}};
  EXPECT_EQ(normal(event), normal_text(R"({
    "timestamp":"2026-11-21T19:04:35.000000+0000","event_type":"stats",
    "stats":{"uptime":3600,"engine":{"records":123456,"flows":4321},"empty":{}}})"));
  event.uptime = Duration(-1);
  EXPECT_EQ(json_of(event).at("stats").at("uptime"), 0);
}

TEST(Events, HostileTextStaysInItsPlace) {
  FlowEvent event = flow_event();
  event.flow.interface = "x\",\"event_type\":\"stats\n\xff";
  event.rule = std::string_view("\0\\", 2);
  const ordered_json json = json_of(event);
  EXPECT_EQ(json.at("event_type"), "flow");
  EXPECT_EQ(json.at("in_iface"), "x\",\"event_type\":\"stats\n\xef\xbf\xbd");
  EXPECT_EQ(json.at("rule").get<std::string>(), std::string("\0\\", 2));
}

TEST(Events, AFlowKeepsItsIdAndAnotherFlowHasAnother) {
  FlowKey key;
  key.low = *IpAddress::parse("10.0.0.5");
  key.high = *IpAddress::parse("198.51.100.7");
  std::set<std::uint64_t> ids;
  for (std::uint16_t port = 1; port <= 1000; ++port) {
    key.port_low = port;
    EXPECT_EQ(event_flow_id(key, kTime), event_flow_id(key, kTime));
    ids.insert(event_flow_id(key, kTime));
    ids.insert(event_flow_id(key, kTime + Duration(1)));
  }
  EXPECT_EQ(ids.size(), 2000U);
  EXPECT_LT(*ids.rbegin(), std::uint64_t{1} << 53U);
}

}  // namespace
}  // namespace spidd
