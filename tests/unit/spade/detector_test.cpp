// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What follows from a detector's settings: texts (spade.md 5.3), tables and sharing (2.1), responses (6.1), refusals.
#include "userspace/spade/detector.h"

#include "tests/unit/spade/spade_fixture.h"
#include "userspace/spade/table_set.h"

namespace spidd {
namespace {

using namespace spade_test;

Detector make(DetectorSettings settings, SpadeProfile profile = kDocumented) {
  if (settings.id.empty()) settings.id = "d";
  auto detector = Detector::create(settings, Compatibility::of(profile));
  if (!detector) throw std::runtime_error(detector.error().message);
  return *detector;
}

DetectorSettings closed(TcpScope flags, unsigned wait = 0, NetworkSide side = NetworkSide::home) {
  DetectorSettings settings = default_detector(DetectorType::closed_dport, Transport::tcp, flags);
  settings.wait_seconds = wait;
  settings.side = side;
  return settings;
}

DetectorSettings of(DetectorType type, Transport transport = Transport::tcp, TcpScope flags = TcpScope::synonly,
                    std::optional<IcmpScope> icmp = std::nullopt) {
  return default_detector(type, transport, flags, icmp);
}

TEST(DetectorTexts, NameTheScopeAsTheOriginalDoes) {
  EXPECT_EQ(make(closed(TcpScope::synonly)).scope_text(), "local dest, syn");
  EXPECT_EQ(make(closed(TcpScope::established, 5, NetworkSide::nothome)).scope_text(), "nonlocal dest, est. flags");
  EXPECT_EQ(make(closed(TcpScope::synonly, 0, NetworkSide::any)).scope_text(), "syn");
  EXPECT_EQ(make(closed(TcpScope::weird)).scope_text(), "local dest, weird flags");
  EXPECT_EQ(make(of(DetectorType::dead_dest, Transport::udp)).scope_text(), "local dest, udp");
  EXPECT_EQ(make(of(DetectorType::dead_dest, Transport::tcp, TcpScope::setup)).scope_text(), "local dest, setup flags");
  EXPECT_EQ(make(of(DetectorType::dead_dest, Transport::tcp, TcpScope::teardown)).scope_text(),
            "local dest, teardown flags");
  EXPECT_EQ(make(of(DetectorType::dead_dest, Transport::tcp, TcpScope::synack)).scope_text(), "local dest, synack");
  EXPECT_EQ(make(of(DetectorType::dead_dest, Transport::icmp)).scope_text(), "non-err icmp, local dest");
  EXPECT_EQ(make(of(DetectorType::odd_typecode, Transport::icmp, TcpScope::synonly, IcmpScope::err)).scope_text(),
            "error icmp, local dest");
  EXPECT_EQ(make(of(DetectorType::odd_typecode)).scope_text(), "local dest, icmp");
  EXPECT_EQ(make(of(DetectorType::odd_dport, Transport::udp)).scope_text(), "local source, udp");
}

TEST(DetectorTexts, SayWhatWasWaitedFor) {
  const Detector at_once = make(closed(TcpScope::synonly));
  EXPECT_EQ(at_once.activity(false), "Rare dest port used");
  const Detector waiting = make(closed(TcpScope::synonly, 3));
  EXPECT_EQ(waiting.activity(true), "Closed dest port used");
  EXPECT_EQ(waiting.activity(false), "Rare dest port used");
  DetectorSettings opposite = closed(TcpScope::synonly, 3);
  opposite.report_on_opposite = true;
  EXPECT_EQ(make(opposite).activity(true), "Rare but open dest port used");
}

TEST(DetectorTexts, SayClosedBySettingsAloneInThe030125Profile) {
  EXPECT_EQ(make(closed(TcpScope::weird, 5)).activity(false), "Rare dest port used");
  EXPECT_EQ(make(closed(TcpScope::weird, 5), kOriginal).activity(false), "Closed dest port used");
}

TEST(DetectorTexts, HaveTheirSignatureNumbers) {
  const auto text = [](DetectorType type) {
    const Detector detector = make(of(type));
    return std::to_string(detector.sid()) + " " + detector.activity(true);
  };
  EXPECT_EQ(text(DetectorType::dead_dest), "3 Non-live dest used");
  EXPECT_EQ(text(DetectorType::odd_dport), "4 Source used odd dest port");
  EXPECT_EQ(text(DetectorType::odd_typecode), "5 Odd ICMP type/code found");
  EXPECT_EQ(text(DetectorType::odd_port_dest), "6 Source used odd dest for port");
  EXPECT_EQ(make(closed(TcpScope::synonly)).sid(), 1U);
}

TEST(DetectorTexts, MakeTheMessagesOfTheOriginal) {
  SpadeAlert alert;
  alert.activity = "Closed dest port used";
  alert.scope = "local dest, syn";
  alert.score = 1;
  EXPECT_EQ(alert.message(), "Spade: Closed dest port used: local dest, syn: 1.0000");
  EXPECT_EQ((ThresholdAdjusted{at(0), "x", 0.91234, 12, 3456}.message()),
            "Spade: id=x: Threshold adjusted to 0.9123 after 12 alerts (of 3456)");
}

// Which packets answer a detector whose side is home, of those that come from the other end.
std::string answers(const Detector& detector) {
  struct Named {
    const char* name;
    Conditions conditions;
  };
  namespace c = condition;
  const Conditions ends = c::kFromHome | c::kToHome;
  std::string text;
  for (const Named& packet :
       {Named{"syn", c::kSyn | c::kSetup}, Named{"synack", c::kSynAck | c::kSetup},
        Named{"rst", c::kTeardown | c::kReset}, Named{"fin", c::kTeardown}, Named{"est", c::kEstablished},
        Named{"weird", c::kWeird}, Named{"udp", c::kUdp}, Named{"echo", c::kIcmp | c::kIcmpOther},
        Named{"error", c::kIcmp | c::kIcmpError}, Named{"no-tcp", c::kUnreachableTcp},
        Named{"no-udp", c::kUnreachableUdp}, Named{"no-icmp", c::kUnreachableIcmp}}) {
    if (detector.responses().matches(packet.conditions | ends))
      text += std::string(text.empty() ? "" : " ") + packet.name;
    EXPECT_FALSE(detector.responses().matches(packet.conditions | c::kFromForeign | c::kToForeign)) << packet.name;
  }
  return text;
}

TEST(DetectorResponses, AreThoseOfTheTable) {
  using enum TcpScope;
  const auto dead = [](TcpScope flags) { return make(of(DetectorType::dead_dest, Transport::tcp, flags)); };
  EXPECT_EQ(answers(make(closed(synonly, 3))), "synack rst");
  EXPECT_EQ(answers(make(closed(synonly, 3), kOriginal)), "synack");
  for (const TcpScope flags : {synack, established, teardown}) EXPECT_EQ(answers(make(closed(flags, 3))), "rst");
  EXPECT_EQ(answers(make(of(DetectorType::closed_dport, Transport::udp))), "no-udp");
  EXPECT_EQ(answers(dead(synonly)), "synack rst no-tcp");
  EXPECT_EQ(answers(dead(setup)), "synack rst fin est no-tcp");
  EXPECT_EQ(answers(dead(synack)), "rst fin est no-tcp");
  EXPECT_EQ(answers(dead(established)), "rst fin est no-tcp");
  EXPECT_EQ(answers(dead(teardown)), "rst fin no-tcp");
  EXPECT_EQ(answers(dead(weird)), "");
  EXPECT_EQ(answers(make(of(DetectorType::dead_dest, Transport::udp))), "udp no-udp");
  EXPECT_EQ(answers(make(of(DetectorType::dead_dest, Transport::icmp))), "echo no-icmp");
  for (const DetectorType type : {DetectorType::odd_dport, DetectorType::odd_port_dest}) {
    EXPECT_EQ(answers(make(of(type))), "synack");
    EXPECT_EQ(answers(make(of(type, Transport::udp))), "no-udp");
  }
  EXPECT_EQ(answers(make(of(DetectorType::odd_typecode))), "echo");
}

TEST(DetectorResponses, AreWaitedForWhereTheTableSaysSo) {
  using enum TcpScope;
  const auto kind = [](DetectorSettings settings) {
    settings.wait_seconds = 2;
    return make(settings).waiting();
  };
  EXPECT_EQ(kind(closed(synonly)), Detector::Waiting::for_absence);
  EXPECT_EQ(kind(closed(established)), Detector::Waiting::for_presence);
  EXPECT_EQ(kind(closed(weird)), Detector::Waiting::none);
  EXPECT_EQ(kind(of(DetectorType::closed_dport, Transport::udp)), Detector::Waiting::for_presence);
  EXPECT_EQ(kind(of(DetectorType::dead_dest, Transport::tcp, weird)), Detector::Waiting::none);
  EXPECT_EQ(kind(of(DetectorType::dead_dest, Transport::udp)), Detector::Waiting::for_absence);
  EXPECT_EQ(kind(of(DetectorType::odd_dport)), Detector::Waiting::for_absence);
  EXPECT_EQ(kind(of(DetectorType::odd_port_dest, Transport::udp)), Detector::Waiting::for_presence);
  EXPECT_EQ(kind(of(DetectorType::odd_typecode)), Detector::Waiting::for_absence);
  // Without a response synack, established and teardown say nothing: 5 s are forced.
  DetectorSettings settings = closed(established, 0);
  EXPECT_EQ(make(settings).settings().wait_seconds, 5U);
  EXPECT_EQ(make(closed(synonly)).waiting(), Detector::Waiting::none);
}

TEST(DetectorRefusals, NameWhatCannotBe) {
  const auto error = [](DetectorSettings settings, SpadeProfile profile = kDocumented) {
    const auto detector = Detector::create(settings, Compatibility::of(profile));
    return detector ? std::string() : detector.error().message;
  };
  EXPECT_EQ(error(named("a", closed(TcpScope::setup))), "detector a: closed-dport has no tcpflags=setup");
  EXPECT_EQ(error(named("a", of(DetectorType::closed_dport, Transport::icmp))),
            "detector a: closed-dport is about tcp or udp");
  EXPECT_EQ(error(named("a", of(DetectorType::odd_dport, Transport::icmp))),
            "detector a: odd-dport is about tcp or udp");
  DetectorSettings mode = named("a", closed(TcpScope::synonly));
  mode.probability_mode = 4;
  EXPECT_EQ(error(mode), "detector a: probmode is 0 to 3");
  EXPECT_EQ(error(closed(TcpScope::synonly)), "a detector has no id");
  EXPECT_NE(error(named("two words", closed(TcpScope::synonly))), "");
  EXPECT_EQ(error(named("two words", closed(TcpScope::synonly)), kOriginal), "");
  EXPECT_EQ(error(named("7", closed(TcpScope::synonly))), "");
}

TEST(TableSharing, IsByPacketsDecayAndPrefix) {
  std::vector<TableNeed> needs;
  const auto need = [&](DetectorSettings settings) {
    const Detector detector = make(settings);
    needs.insert(needs.end(), detector.tables().begin(), detector.tables().end());
  };
  need(closed(TcpScope::synonly));
  need(closed(TcpScope::weird));  // scores others, learns from the same
  DetectorSettings with_source = closed(TcpScope::synonly);
  with_source.probability_mode = 2;
  need(with_source);  // a longer list of features
  need(closed(TcpScope::synonly, 0, NetworkSide::nothome));
  DetectorSettings slower = closed(TcpScope::synonly);
  slower.decay.cutoff = 0.2;
  need(slower);
  need(of(DetectorType::dead_dest));
  need(of(DetectorType::dead_dest, Transport::udp));
  need(of(DetectorType::closed_dport, Transport::udp));
  const auto made = TableSet::create(needs, 64U << 20);
  ASSERT_TRUE(made);
  const TableSet& tables = *made;
  const std::vector<std::size_t> expected = {0, 0, 0, 1, 2, 3, 3, 4};
  for (std::size_t i = 0; i < expected.size(); i++) EXPECT_EQ(tables.table_of(i), expected[i]) << i;
  EXPECT_EQ(tables.tables().size(), 5U);
  EXPECT_EQ(tables.tables()[0].table.features().size(), 3U);
}

}  // namespace
}  // namespace spidd
