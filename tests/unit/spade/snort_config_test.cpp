// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The original's lines, verbatim, and what they mean. Source: spade.md 5 and 7.
#include "userspace/spade/snort_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace spidd {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

SnortConfig read(std::string_view text) {
  auto config = parse_snort_config(text, "snort.conf");
  EXPECT_TRUE(config) << config.error().message;
  return config ? *config : SnortConfig{};
}

std::string mistake(std::string_view text) {
  const auto config = parse_snort_config(text, "snort.conf");
  return config ? "" : config.error().message;
}

constexpr std::string_view kMain = "preprocessor spade: dest=alert logfile=spade.log statefile=spade.rcv\n";

DetectorSettings one_detector(std::string_view options) {
  const SnortConfig config = read(fmt::format("{}preprocessor spade-detect: {}\n", kMain, options));
  EXPECT_EQ(config.settings.detectors.size(), 1U);
  return config.settings.detectors.empty() ? DetectorSettings{} : config.settings.detectors.front();
}

TEST(SnortConfig, ReadsTheDistributedFile) {
  const SnortConfig config = read(R"(# Example configuration
var SPADEDIR .
preprocessor spade:  dest=alert logfile=$SPADEDIR/spade.log statefile=$SPADEDIR/spade.rcv
preprocessor spade-homenet: any
preprocessor spade-detect: type=closed-dport tcpflags=synonly wait=3
preprocessor spade-detect: type=closed-dport tcpflags=weird thresh=0.5
#preprocessor spade-detect: type=closed-dport tcpflags=synack
preprocessor spade-detect: type=dead-dest tcpflags=weird wait=2
preprocessor spade-detect: type=dead-dest tcpflags=synack wait=2
preprocessor spade-detect: type=dead-dest tcpflags=teardown wait=2
preprocessor spade-detect: type=dead-dest tcpflags=established wait=5
preprocessor spade-detect: type=dead-dest proto=udp wait=2
preprocessor spade-detect: type=dead-dest proto=icmp icmptype=noterr wait=2
preprocessor spade-detect: type=odd-typecode
preprocessor spade-detect: type=odd-typecode to=nothome
#preprocessor spade-stats: entropy uncondprob condprob
)");
  SpadeSettings wanted = distributed_settings();
  ASSERT_EQ(config.settings.detectors.size(), wanted.detectors.size());
  for (std::size_t i = 0; i < wanted.detectors.size(); ++i) {
    DetectorSettings detector = config.settings.detectors[i];
    EXPECT_EQ(detector.id, std::to_string(i + 1));
    EXPECT_EQ(detector.line.number, i < 2 ? 5 + i : 6 + i);
    detector.id = wanted.detectors[i].id;
    EXPECT_EQ(detector, wanted.detectors[i]) << wanted.detectors[i].id;
  }
  EXPECT_EQ(config.settings.log_file, "./spade.log");
  EXPECT_EQ(config.settings.state_file, "spade.state");
  EXPECT_EQ(config.settings.checkpoint_updates, 50000U);
  EXPECT_EQ(config.settings.destination, SpadeDestination::alert);
  EXPECT_THAT(config.settings.home, IsEmpty());
}

TEST(SnortConfig, ReadsEveryOptionOfADetector) {
  const DetectorSettings detector = one_detector(
      "type=closed-dport id=web to=nothome proto=udp thresh=0.9 minobs=100 relscore=no corrscore=0 probmode=1 wait=7 "
      "revwaitrpt Xdips=10.0.0.0/8,192.0.2.1 Xsips=2001:db8::/32 Xdports=80,443 Xsports=53 scalefreq=60 "
      "scalefactor=0.5 scalecutoff=0.3");
  EXPECT_EQ(detector.id, "web");
  EXPECT_EQ(detector.side, NetworkSide::nothome);
  EXPECT_EQ(detector.transport, Transport::udp);
  EXPECT_EQ(detector.threshold, 0.9);
  EXPECT_EQ(detector.min_observations, 100);
  EXPECT_FALSE(detector.relative_score);
  EXPECT_FALSE(detector.corrected_score);
  EXPECT_EQ(detector.probability_mode, 1U);
  EXPECT_EQ(detector.wait_seconds, 7U);
  EXPECT_TRUE(detector.report_on_opposite);
  ASSERT_EQ(detector.exclusions.destinations.size(), 2U);
  EXPECT_EQ(detector.exclusions.destinations[0].to_string(), "10.0.0.0/8");
  EXPECT_EQ(detector.exclusions.sources.at(0).to_string(), "2001:db8::/32");
  EXPECT_THAT(detector.exclusions.destination_ports, testing::ElementsAre(80, 443));
  EXPECT_THAT(detector.exclusions.source_ports, testing::ElementsAre(53));
  EXPECT_EQ(detector.decay, (Decay{60, 0.5, 0.3}));
}

TEST(SnortConfig, TakesAliasesAndBooleansInEveryForm) {
  EXPECT_EQ(one_detector("protocol=udp").transport, Transport::udp);
  for (const std::string_view yes : {"yes", "true", "on", "1", "7"})
    EXPECT_TRUE(one_detector(fmt::format("wait=3 revwaitrpt={}", yes)).report_on_opposite) << yes;
  for (const std::string_view no : {"no", "false", "off", "0"})
    EXPECT_FALSE(one_detector(fmt::format("wait=3 revwaitrpt={}", no)).report_on_opposite) << no;
  for (const std::string_view name : {"Xdips", "Xdip", "xdips"})
    EXPECT_EQ(one_detector(fmt::format("{}=192.0.2.1", name)).exclusions.destinations.size(), 1U) << name;
  for (const std::string_view name : {"Xsports", "Xsport", "xsports"})
    EXPECT_EQ(one_detector(fmt::format("{}=53", name)).exclusions.source_ports.size(), 1U) << name;
}

TEST(SnortConfig, DefaultsFollowTypeAndScope) {
  EXPECT_EQ(one_detector("type=closed-dport relscore=off").threshold, -1);
  EXPECT_EQ(one_detector("type=closed-dport relscore=off").min_observations, 0);
  EXPECT_EQ(one_detector("type=closed-dport tcpflags=synack").wait_seconds, 5U);
  EXPECT_EQ(one_detector("type=closed-dport tcpflags=teardown wait=0").wait_seconds, 5U);
  EXPECT_EQ(one_detector("type=dead-dest").wait_seconds, 2U);
  EXPECT_EQ(one_detector("type=dead-dest wait=0").wait_seconds, 0U);
  EXPECT_EQ(one_detector("type=dead-dest thresh=0.3").threshold, 1);
  EXPECT_EQ(one_detector("type=odd-port-dest from=any maxentropy=1 proto=udp").min_observations, 400);
  EXPECT_EQ(one_detector("type=odd-typecode icmptype=err").min_observations, 2000);
  EXPECT_FALSE(one_detector("probmode=0").relative_score);
  EXPECT_NEAR(one_detector("scalehalflife=24").decay.factor, 0.8909, 1e-5);
  EXPECT_EQ(one_detector("scalefreq=-1").decay.interval_minutes, 0U);
}

TEST(SnortConfig, WarnsAboutSpellingsThatTheOriginalDidNotKnow) {
  const SnortConfig config = read(fmt::format(
      "{}preprocessor spade-detect: type=odd_typecode icmptype=all\npreprocessor spade-detect: type=oddtypecode\n"
      "preprocessor spade-detect: type=odd_dport color=red\n",
      kMain));
  EXPECT_EQ(config.settings.detectors.at(0).icmp_type, IcmpScope::any);
  EXPECT_EQ(config.settings.detectors.at(1).type, DetectorType::odd_typecode);
  EXPECT_EQ(config.settings.detectors.at(2).type, DetectorType::odd_dport);
  EXPECT_THAT(config.notes, Contains(HasSubstr("snort.conf:2: icmptype=all is written 'any'")));
  EXPECT_THAT(config.notes, Contains(HasSubstr("snort.conf:2: type=odd_typecode is written odd-typecode")));
  EXPECT_THAT(config.notes, Contains(HasSubstr("snort.conf:3: type=oddtypecode is written odd-typecode")));
  EXPECT_THAT(config.notes, Contains("snort.conf:4: unknown option 'color' is ignored"));
}

TEST(SnortConfig, ReadsTheFormsBefore2002) {
  const SnortConfig config = read(R"(var SPADEDIR /var/log
var HOME_NET [10.0.0.0/8, 192.168.0.0/16]
preprocessor spade: 10.5 $SPADEDIR/spade.rcv $SPADEDIR/log.txt 2 40000 -corrscore
preprocessor spade-homenet: $HOME_NET
preprocessor spade-threshlearn: 100 12
preprocessor spade-adapt: 30 4 0.25 0
preprocessor spade-survey: $SPADEDIR/survey.txt 30
preprocessor spade-stats: entropy condprob
)");
  const SpadeSettings& settings = config.settings;
  ASSERT_EQ(settings.detectors.size(), 1U);
  const DetectorSettings& detector = settings.detectors[0];
  EXPECT_EQ(detector.id, "default");
  EXPECT_EQ(detector.threshold, 10.5);
  EXPECT_EQ(detector.probability_mode, 2U);
  EXPECT_FALSE(detector.relative_score);
  EXPECT_TRUE(detector.corrected_score);
  EXPECT_EQ(settings.state_file, "spade.state");
  EXPECT_EQ(settings.log_file, "/var/log/log.txt");
  EXPECT_EQ(settings.checkpoint_updates, 40000U);
  ASSERT_EQ(settings.home.size(), 2U);
  EXPECT_EQ(settings.home[1].to_string(), "192.168.0.0/16");
  EXPECT_EQ(settings.advisers.at(0), (AdviserSettings{"default", 100, 12}));
  EXPECT_EQ(std::get<WeightedAdapter>(settings.adapters.at(0)), (WeightedAdapter{"default", 30, 4, 0.25, false}));
  EXPECT_EQ(settings.surveys.at(0), (SurveySettings{"default", "/var/log/survey.txt", 30}));
  EXPECT_TRUE(settings.statistics.entropy);
  EXPECT_FALSE(settings.statistics.unconditional);
  EXPECT_TRUE(settings.statistics.conditional);
}

TEST(SnortConfig, WithoutDetectorsThereIsTheOldSilentOne) {
  const SnortConfig config = read("preprocessor spade:\n");
  ASSERT_EQ(config.settings.detectors.size(), 1U);
  EXPECT_EQ(config.settings.detectors[0].threshold, -1);
  EXPECT_FALSE(config.settings.detectors[0].relative_score);
  EXPECT_FALSE(config.settings.detectors[0].corrected_score);
  EXPECT_EQ(config.settings.log_file, "");
  EXPECT_EQ(config.settings.state_file, "spade.state");
}

TEST(SnortConfig, ReadsAdaptersByNameAndByPlace) {
  const SnortConfig config =
      read(fmt::format("{}preprocessor spade-detect: id=a\npreprocessor spade-detect: id=b type=dead-dest\n"
                       "preprocessor spade-detect: id=c proto=udp\n"
                       "preprocessor spade-adapt2: id=a target=0.02 obsper=10 NS=2 NM=3 NL=5\n"
                       "preprocessor spade-adapt3: b 20 30 12\npreprocessor spade-adapt3:\n"
                       "preprocessor spade-threshadvise: id=a target=50\npreprocessor spade-survey: c - 15\n",
                       kMain));
  ASSERT_EQ(config.settings.adapters.size(), 3U);
  EXPECT_EQ(std::get<LayeredAdapter>(config.settings.adapters[0]), (LayeredAdapter{"a", 0.02, 10, 2, 3, 5}));
  EXPECT_EQ(std::get<MeanAdapter>(config.settings.adapters[1]), (MeanAdapter{"b", 20, 30, 12}));
  EXPECT_EQ(std::get<MeanAdapter>(config.settings.adapters[2]), (MeanAdapter{"c", 0.01, 60, 168}));
  EXPECT_EQ(config.settings.advisers.at(0), (AdviserSettings{"a", 50, 24}));
  EXPECT_EQ(config.settings.surveys.at(0), (SurveySettings{"c", "", 15}));
  EXPECT_THAT(config.notes, Contains(HasSubstr("no id: taken as that of the detector before, 'c'")));
}

TEST(SnortConfig, TheLastAdapterOfADetectorCounts) {
  const SnortConfig config = read(fmt::format(
      "{}preprocessor spade-detect: id=a\npreprocessor spade-adapt: id=a\npreprocessor spade-adapt3: id=a\n", kMain));
  ASSERT_EQ(config.settings.adapters.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<MeanAdapter>(config.settings.adapters[0]));
  EXPECT_THAT(config.notes, Contains("snort.conf:4: a second adapter for 'a': the last counts"));
}

TEST(SnortConfig, TheLastMainLineCountsAsAWhole) {
  const SnortConfig config = read(
      "preprocessor spade: logfile=/a cpfreq=10 thresh=9 Xdports=80\n"
      "preprocessor spade: Xsips=192.0.2.1\n"
      "preprocessor spade-detect: id=a\n");
  EXPECT_THAT(config.notes, Contains("snort.conf:2: a second 'preprocessor spade:' line: the last counts"));
  EXPECT_EQ(config.settings.log_file, "");
  EXPECT_EQ(config.settings.checkpoint_updates, 50000U);
  EXPECT_THAT(config.settings.exclusions.destination_ports, IsEmpty());
  ASSERT_EQ(config.settings.detectors.size(), 1U);
  EXPECT_EQ(config.settings.detectors[0].id, "a");
}

TEST(SnortConfig, HomeNetworksComeInBothForms) {
  for (const std::string_view form : {"10.0.0.0/8 192.0.2.7", "[10.0.0.0/8,192.0.2.7]", "[10.9.9.9/8, 192.0.2.7]"}) {
    const SnortConfig config = read(fmt::format("{}preprocessor spade-homenet: {}\n", kMain, form));
    ASSERT_EQ(config.settings.home.size(), 2U) << form;
    EXPECT_EQ(config.settings.home[0].to_string(), "10.0.0.0/8");
    EXPECT_EQ(config.settings.home[1].to_string(), "192.0.2.7");
  }
  EXPECT_THAT(read(fmt::format("{}preprocessor spade-homenet: any\n", kMain)).settings.home, IsEmpty());
}

TEST(SnortConfig, OtherLinesOfASnortConfigurationAreSkipped) {
  const SnortConfig config = read(
      "config disable_decode_alerts\nvar RULE_PATH rules\nipvar DNS 192.0.2.53\npreprocessor frag2\n"
      "preprocessor stream4: detect_scans, disable_evasion_alerts\n"
      "alert tcp any any -> any 80 (msg:\"preprocessor spade: x\"; sid:1;)\n"
      "include $RULE_PATH/exploit.rules\r\n"
      "preprocessor spade: \\\r\n   dest=both \\\n   adjdest=none # a comment\n"
      "preprocessor spade-detect: Xdips=$DNS Xsips=$(NOBODY:-192.0.2.99)\n");
  EXPECT_EQ(config.settings.destination, SpadeDestination::both);
  EXPECT_EQ(config.settings.adjustments, SpadeDestination::none);
  EXPECT_EQ(config.settings.detectors.at(0).line.number, 11U);
  EXPECT_EQ(config.settings.detectors.at(0).exclusions.destinations.at(0).to_string(), "192.0.2.53");
  EXPECT_EQ(config.settings.detectors.at(0).exclusions.sources.at(0).to_string(), "192.0.2.99");
}

TEST(SnortConfig, FollowsIncludesBesideTheFile) {
  const SnortInclude include = [](const std::string& path) -> Result<std::string> {
    if (path == "/etc/snort/spade.conf") return "\npreprocessor spade:\npreprocessor spade-detect: wait=x\n";
    return fail("open {}: No such file or directory", path);
  };
  const auto config =
      parse_snort_config("var X 1\ninclude other.conf\ninclude spade.conf\n", "/etc/snort/snort.conf", include);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message, "/etc/snort/spade.conf:3: wait is a whole number from 0 to 3600, not 'x'");
  const SnortInclude itself = [](const std::string&) -> Result<std::string> { return "include a\n"; };
  EXPECT_THAT(parse_snort_config("include a\n", "a", itself).error().message, HasSubstr("includes are more than 4"));
}

TEST(SnortConfig, MistakesNameTheirLines) {
  EXPECT_EQ(mistake("preprocessor spade-detect: id=a\npreprocessor spade:\n"),
            "snort.conf:1: spade-detect before any 'preprocessor spade:' line");
  EXPECT_EQ(parse_snort_config("\n", "a\033[2J.conf").error().message, "a?[2J.conf: no 'preprocessor spade' line");
  EXPECT_EQ(mistake("alert tcp any any -> any any\n"), "snort.conf: no 'preprocessor spade' line");
  const auto detect = [](std::string_view options) {
    return mistake(fmt::format("{}preprocessor spade-detect: {}\n", kMain, options));
  };
  EXPECT_EQ(detect("type=closed"),
            "snort.conf:2: type: 'closed' is not a type of detector; there is closed-dport, dead-dest, odd-dport, "
            "odd-port-dest, odd-typecode");
  EXPECT_EQ(detect("thresh=high"), "snort.conf:2: thresh is a number from -1000000 to 1000000, not 'high'");
  EXPECT_EQ(detect("type=\033[2Jx"), "snort.conf:2: type=?[2Jx has characters that are not text");
  EXPECT_EQ(detect("id=1a"), "snort.conf:2: id '1a': a letter, then letters, digits, - and _, at most 50");
  EXPECT_EQ(detect("proto=icmp"), "snort.conf:2: closed-dport has no proto=icmp");
  EXPECT_EQ(detect("tcpflags=setup"), "snort.conf:2: closed-dport has no tcpflags=setup");
  EXPECT_EQ(detect("Xdports=80-90"), "snort.conf:2: Xdports: '80-90' is not a port number");
  EXPECT_EQ(detect("Xdips=$NOBODY"), "snort.conf:2: $NOBODY is not defined\nsnort.conf:2: Xdips has no value");
  EXPECT_EQ(detect("id=a\npreprocessor spade-detect: id=a"), "snort.conf:3: id 'a' is taken by the detector of line 2");
  EXPECT_EQ(mistake("preprocessor spade: thresh=9 probmode=2\npreprocessor spade-detect: id=default\n"),
            "snort.conf:2: the id 'default' is that of the detector of line 1");
  EXPECT_EQ(mistake(fmt::format("{}preprocessor spade-homenet: 10.0.0.0/99\n", kMain)),
            "snort.conf:2: '10.0.0.0/99' is not a network: 192.0.2.0/24, 192.0.2.1 or any");
  EXPECT_EQ(mistake(fmt::format("{}preprocessor spade-adapt3: id=nobody\n", kMain)),
            "snort.conf:2: no detector has the id 'nobody'");
  EXPECT_EQ(mistake(fmt::format("{}preprocessor spade-detct:\n", kMain)),
            "snort.conf:2: there is no preprocessor 'spade-detct'");
}

TEST(SnortConfig, SaysWhatDiffersAndOnlyThat) {
  const SnortConfig plain = read(fmt::format("{}preprocessor spade-detect: type=odd-dport\n", kMain));
  EXPECT_THAT(plain.notes, Not(Contains(HasSubstr("dead-dest"))));
  EXPECT_THAT(plain.notes, Not(Contains(HasSubstr("closed-dport"))));
  const SnortConfig rich = read(fmt::format(
      "{}preprocessor spade-detect: type=odd-port-dest maxentropy=0 id=a\npreprocessor spade-adapt2: id=a\n", kMain));
  EXPECT_THAT(rich.notes, Contains(HasSubstr("maxentropy 0 means one destination only")));
  EXPECT_THAT(rich.notes, Contains(HasSubstr("cut them to whole numbers")));
}

TEST(SnortConfig, SaysWhatElseIsOnAndWhatIsSeenLive) {
  const SnortConfig plain = read(fmt::format("{}preprocessor spade-detect: type=odd-dport\n", kMain));
  EXPECT_THAT(plain.notes, Contains(HasSubstr("incidents are on")));
  EXPECT_THAT(plain.notes, Contains(HasSubstr("quarantine is on")));
  EXPECT_THAT(plain.notes.back(), HasSubstr("live the kernel sends only"));
  for (const std::string_view absent : {"RST", "UDP:", "established:", "255", "max_waiting"})
    EXPECT_THAT(plain.notes, Not(Contains(HasSubstr(absent)))) << absent;
  const SnortConfig rich =
      read(fmt::format("{}preprocessor spade-detect: wait=3\npreprocessor spade-detect: type=dead-dest proto=udp\n"
                       "preprocessor spade-detect: type=dead-dest tcpflags=established\n",
                       kMain));
  for (const std::string_view said : {"RST", "UDP:", "established:", "255", "max_waiting"})
    EXPECT_THAT(rich.notes, Contains(HasSubstr(said))) << said;
}

TEST(SnortConfig, SaysNothingUntrueOfWhatDiffers) {
  for (const std::string_view scope : {"synack", "established", "teardown", "weird"}) {
    const SnortConfig config = read(fmt::format("{}preprocessor spade-detect: tcpflags={} wait=3\n", kMain, scope));
    EXPECT_THAT(config.notes, Not(Contains(HasSubstr("a RST ends the wait")))) << scope;
  }
  const SnortConfig dead = read(fmt::format("{}preprocessor spade-detect: type=dead-dest\n", kMain));
  EXPECT_THAT(dead.notes, Contains(HasSubstr("as in Spade 030125, every IPv4 address that ends in 255")));
  EXPECT_THAT(dead.notes, Contains(HasSubstr("something odd that goes on, is not learned")));
  EXPECT_THAT(dead.notes, Contains(HasSubstr("also where no packet of it is reported")));
  EXPECT_THAT(dead.notes, Not(Contains(HasSubstr("the service may write"))));
  const SnortConfig elsewhere = read("preprocessor spade: logfile=/var/log/spade.log\n");
  EXPECT_THAT(elsewhere.notes, Contains(HasSubstr("the service may write in /var/log/spidd")));
  const SnortConfig survey = read(
      "preprocessor spade: logfile=/var/log/spidd/spade.log\npreprocessor spade-detect: id=a\n"
      "preprocessor spade-survey: id=a surveyfile=/tmp/survey\n");
  EXPECT_THAT(survey.notes, Contains(HasSubstr("the service may write")));
}

TEST(SnortConfig, TakesTheLinesAsTheOriginalDidInItsProfile) {
  const auto original = [](std::string_view text) {
    return parse_snort_config(fmt::format("{}{}", kMain, text), "snort.conf", {}, SpadeProfile::v030125);
  };
  const auto all = original("preprocessor spade-detect: type=dead-dest proto=icmp icmptype=all\n");
  ASSERT_TRUE(all);
  EXPECT_EQ(all->settings.detectors[0].icmp_type, IcmpScope::noterr);
  EXPECT_EQ(one_detector("type=dead-dest proto=icmp icmptype=all").icmp_type, IcmpScope::any);
  const auto unknown = original("preprocessor spade-adapt3: id=nobody\n");
  ASSERT_TRUE(unknown) << unknown.error().message;
  EXPECT_THAT(unknown->notes, Contains(HasSubstr("snort.conf:2: no detector has the id 'nobody'")));
}

TEST(SnortConfig, KnowsAnyInListsOfNetworks) {
  const SnortConfig config =
      read("var EXTERNAL_NET any\npreprocessor spade: Xsips=$EXTERNAL_NET\npreprocessor spade-detect: Xdips=any\n");
  const IpPrefix everything{.address = {}, .length = 0};
  EXPECT_EQ(config.settings.exclusions.sources, std::vector{everything});
  EXPECT_EQ(config.settings.detectors[0].exclusions.destinations, std::vector{everything});
  EXPECT_TRUE(everything.contains(*IpAddress::parse("192.0.2.1")));
  EXPECT_THAT(config.notes, Contains("snort.conf:2: Xsips: any leaves nothing to report"));
}

TEST(SnortConfig, NeverNamesTheStateFileOfTheOriginal) {
  const SnortConfig config = read("preprocessor spade: statefile=/var/log/snort/spade.rcv\n");
  EXPECT_EQ(config.settings.state_file, distributed_settings().state_file);
  EXPECT_THAT(config.notes, Contains(HasSubstr("that of Spade 030125 (statefile) is left as it is")));
  for (const std::string_view nothing : {"0", "/dev/null"}) {
    const SnortConfig none = read(fmt::format("preprocessor spade: statefile={}\n", nothing));
    EXPECT_EQ(none.settings.state_file, "");
    EXPECT_THAT(none.notes, Contains(HasSubstr("no state file")));
  }
}

TEST(SnortConfig, IsToldFromOtherFiles) {
  EXPECT_TRUE(is_snort_config("# x\n  preprocessor spade: \n"));
  EXPECT_TRUE(is_snort_config("var HOME_NET any\ninclude spade.conf\n"));
  EXPECT_FALSE(is_snort_config("include classification.config\n"));
  EXPECT_FALSE(is_snort_config("version = 1\n[spade]\nenabled = true\n"));
}

}  // namespace
}  // namespace spidd
