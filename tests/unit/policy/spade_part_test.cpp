// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The [spade] part: every key, the mistakes that are refused, and that what is written reads back the same.
#include "userspace/policy/spade_part.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "userspace/policy/policy.h"
#include "userspace/spade/snort_config.h"

namespace spidd {
namespace {

using testing::HasSubstr;

SpadeSettings good(std::string_view text) {
  auto settings = parse_spade_part(text, "p.toml");
  EXPECT_TRUE(settings) << settings.error().message;
  return settings ? *settings : SpadeSettings{};
}

std::string mistake(std::string_view text) {
  const auto settings = parse_spade_part(text, "p.toml");
  return settings ? "no mistake found" : settings.error().message;
}

// A part of one detector with the given lines, which begin at line 4.
std::string with_detector(std::string_view lines, std::string_view type = "closed-dport") {
  return fmt::format("[[spade.detector]]\nid = 'a'\ntype = '{}'\n{}\n", type, lines);
}

TEST(SpadePart, IsRefusedIfItsTablesFindNoRoom) {
  std::string text = "[spade]\nmax_table_bytes = 1048576\n";
  for (int i = 1; i <= 6; ++i)
    text += fmt::format("[[spade.detector]]\nid = 'a{0}'\ntype = 'closed-dport'\ndecay_every = '{0}m'\n", i);
  EXPECT_EQ(good(text).detectors.size(), 6U);
  EXPECT_EQ(mistake(text + "[[spade.detector]]\nid = 'b'\ntype = 'closed-dport'\ndecay_every = '7m'\n"),
            "p.toml:2: the detectors need tables of 1204224 bytes at least, max_table_bytes is 1048576");
}

TEST(SpadePart, IsTheSameWithAnotherLineAboveIt) {
  const std::string text = with_detector("threshold = 0.5");
  EXPECT_EQ(good(text), good("# a comment\n\n" + text));
  EXPECT_NE(good(text), good(with_detector("threshold = 0.6")));
}

TEST(SpadePart, WithoutOneTheDistributedSetIsOn) {
  const Result<Policy> policy = parse_policy("version = 1", "p.toml");
  ASSERT_TRUE(policy);
  EXPECT_TRUE(policy->spade.enabled);
  EXPECT_EQ(policy->spade, distributed_settings());
  EXPECT_EQ(builtin_policy().spade, distributed_settings());
  EXPECT_EQ(good("[spade]\nprofile = '030125'").detectors, distributed_settings().detectors);
}

TEST(SpadePart, ReadsEveryKey) {
  const SpadeSettings settings = good(R"(
[spade]
enabled = false
profile = "030125"
home = ["10.0.0.0/8", "2001:db8::/32"]
log_file = "/var/log/spade.log"
state_file = "none"
checkpoint_updates = 1000
destination = "both"
adjustments = "none"
max_table_bytes = 1048576
max_waiting = 100
[spade.exclude]
sources = ["192.0.2.1"]
destination_ports = [80, 443]
[spade.statistics]
entropy = true
[spade.extensions]
learn_answered_only = true
quarantine = false
incident_idle = "5m"
max_incidents = 10
burst_threshold = 250.5
burst_least = 30
[[spade.detector]]
id = "web"
type = "closed-dport"
to = "any"
transport = "udp"
threshold = 0.9
min_observations = 100
min_observations_destination = 10
probability_mode = 1
relative_score = false
corrected_score = false
wait = "7s"
report_on_opposite = true
decay_every = "1h"
decay_factor = 0.5
decay_cutoff = 0.3
[spade.detector.exclude]
source_ports = [53]
[[spade.detector]]
id = "odd"
type = "odd-port-dest"
from = "nothome"
max_entropy = 1
half_life = "3d"
[[spade.detector]]
id = "dead"
type = "dead-dest"
transport = "icmp"
icmp_type = "err"
[[spade.adapt]]
detector = "web"
kind = "weighted"
target = 30
period = "90m"
new_weight = 0.25
by_count = false
[[spade.adapt]]
detector = "odd"
kind = "layered"
target = 0.02
period = "10m"
short_windows = 2
medium_windows = 3
long_windows = 5
[[spade.adapt]]
detector = "dead"
kind = "mean"
target = 20
period = "30m"
windows = 12
[[spade.advise]]
detector = "web"
target = 50
period = "12h"
[[spade.survey]]
detector = "odd"
file = "/var/log/survey.txt"
interval = "15m"
)");
  EXPECT_FALSE(settings.enabled);
  EXPECT_EQ(settings.profile, SpadeProfile::v030125);
  EXPECT_EQ(settings.home.size(), 2U);
  EXPECT_EQ(settings.log_file, "/var/log/spade.log");
  EXPECT_EQ(settings.state_file, "");
  EXPECT_EQ(settings.checkpoint_updates, 1000U);
  EXPECT_EQ(settings.destination, SpadeDestination::both);
  EXPECT_EQ(settings.adjustments, SpadeDestination::none);
  EXPECT_EQ(settings.max_table_bytes, 1048576U);
  EXPECT_EQ(settings.max_waiting, 100U);
  EXPECT_EQ(settings.exclusions.sources.size(), 1U);
  EXPECT_EQ(settings.exclusions.destination_ports.size(), 2U);
  EXPECT_TRUE(settings.statistics.entropy);
  EXPECT_TRUE(settings.extensions.learn_answered_only);
  EXPECT_FALSE(settings.extensions.quarantine);
  EXPECT_EQ(settings.extensions.incident_idle, std::chrono::minutes(5));
  EXPECT_EQ(settings.extensions.max_incidents, 10U);
  EXPECT_EQ(settings.extensions.burst_threshold, 250.5);
  EXPECT_EQ(settings.extensions.burst_least, 30U);

  ASSERT_EQ(settings.detectors.size(), 3U);
  const DetectorSettings& web = settings.detectors[0];
  EXPECT_EQ(web.side, NetworkSide::any);
  EXPECT_EQ(web.transport, Transport::udp);
  EXPECT_EQ(web.threshold, 0.9);
  EXPECT_EQ(web.min_observations, 100);
  EXPECT_EQ(web.min_observations_destination, 10);
  EXPECT_EQ(web.probability_mode, 1U);
  EXPECT_FALSE(web.relative_score);
  EXPECT_FALSE(web.corrected_score);
  EXPECT_EQ(web.wait_seconds, 7U);
  EXPECT_TRUE(web.report_on_opposite);
  EXPECT_EQ(web.decay, (Decay{60, 0.5, 0.3}));
  EXPECT_EQ(web.exclusions.source_ports.size(), 1U);
  EXPECT_EQ(settings.detectors[1].side, NetworkSide::nothome);
  EXPECT_EQ(settings.detectors[1].min_observations, 200);
  EXPECT_NEAR(settings.detectors[1].decay.factor, std::exp2(-1.5 / 72), 1e-12);
  EXPECT_EQ(settings.detectors[2].icmp_type, IcmpScope::err);

  EXPECT_EQ(std::get<WeightedAdapter>(settings.adapters.at(0)), (WeightedAdapter{"web", 30, 1.5, 0.25, false}));
  EXPECT_EQ(std::get<LayeredAdapter>(settings.adapters.at(1)), (LayeredAdapter{"odd", 0.02, 10, 2, 3, 5}));
  EXPECT_EQ(std::get<MeanAdapter>(settings.adapters.at(2)), (MeanAdapter{"dead", 20, 30, 12}));
  EXPECT_EQ(settings.advisers.at(0), (AdviserSettings{"web", 50, 12}));
  EXPECT_EQ(settings.surveys.at(0), (SurveySettings{"odd", "/var/log/survey.txt", 15}));

  EXPECT_EQ(good(spade_part_text(settings)), settings);
}

TEST(SpadePart, MistakesNameTheirLines) {
  EXPECT_EQ(mistake("[spade]\nprofil = 'x'"), "p.toml:2: [spade]: unknown key 'profil'; did you mean 'profile'?");
  EXPECT_EQ(mistake(with_detector("treshold = 1")),
            "p.toml:4: detector 'a': unknown key 'treshold'; did you mean 'threshold'?");
  EXPECT_EQ(mistake(with_detector("", "closed")),
            "p.toml:3: detector 'a': type = 'closed' is none of closed-dport, dead-dest, odd-dport, odd-port-dest, "
            "odd-typecode");
  EXPECT_EQ(mistake(with_detector("threshold = 0.5", "dead-dest")), "p.toml:4: a dead-dest detector has no threshold");
  EXPECT_EQ(mistake(with_detector("from = 'home'")), "p.toml:4: a closed-dport detector has no from");
  EXPECT_EQ(mistake(with_detector("transport = 'icmp'")), "p.toml:4: a closed-dport detector has no such transport");
  EXPECT_EQ(mistake(with_detector("tcp_flags = 'synack'\nwait = '0s'")),
            "p.toml:5: only a reset confirms such a packet: wait for it, or leave wait out");
  EXPECT_EQ(mistake(with_detector("wait = '1500ms'")), "p.toml:4: wait must be whole seconds");
  EXPECT_EQ(mistake(with_detector("decay_factor = 0.5\nhalf_life = '3d'")),
            "p.toml:5: either half_life or decay_factor");
  EXPECT_EQ(mistake("[[spade.detector]]\nid = '1a'\ntype = 'odd-dport'"),
            "p.toml:2: an id is a letter, then letters, digits, - and _, at most 50");
  EXPECT_EQ(mistake("[[spade.detector]]\ntype = 'odd-dport'"), "p.toml:1: a [[spade.detector]] needs an id");
  EXPECT_EQ(mistake(with_detector("") + with_detector("")), "p.toml:6: detector 'a' is there already, at line 1");
  EXPECT_EQ(mistake("[[spade.adapt]]\nkind = 'mean'\ndetector = 'x'"), "p.toml:3: there is no detector 'x'");
  EXPECT_EQ(mistake("[[spade.adapt]]\ndetector = 'closed-syn'"),
            "p.toml:1: a [[spade.adapt]] needs a kind: weighted, layered or mean");
  EXPECT_EQ(mistake("[[spade.adapt]]\ndetector = 'closed-syn'\nkind = 'mean'\nNS = 3"),
            "p.toml:4: [[adapt]]: unknown key 'NS'");
  EXPECT_THAT(mistake("version = 1\n[spade]\nhome = ['10.0.0.0/99']"), HasSubstr("p.toml:3: [spade]: home: "));
  EXPECT_EQ(mistake(with_detector("tcp_flags = 'synack'\ntransport = 'udp'")), "p.toml:4: udp has no tcp_flags");
  EXPECT_EQ(mistake(with_detector("probability_mode = 0\nmin_observations_destination = 5")),
            "p.toml:5: probability_mode = 0 has no min_observations_destination");
  EXPECT_EQ(mistake("[spade]\nprofile = '030125'\n[spade.extensions]\nquarantine = true"),
            "p.toml:4: the profile 030125 has no quarantine");
  EXPECT_EQ(mistake("[spade]\nprofile = '030125'\n[spade.extensions]\nincidents = true"),
            "p.toml:4: the profile 030125 has no incidents");
  EXPECT_EQ(mistake(with_detector("tcp_flags = 'weird'\nwait = '5s'")),
            "p.toml:5: nothing that comes back says more of such packets: leave wait out");
  EXPECT_EQ(mistake(with_detector("wait = '0s'\nreport_on_opposite = true")),
            "p.toml:5: nothing is waited for: give it a wait");
  EXPECT_EQ(mistake(with_detector("corrected_score = false")),
            "p.toml:4: corrected_score is of relative_score = false");
  EXPECT_EQ(mistake("[[spade.detector]]\nid = 'a'\ntype = 'dead-dest'\ntcp_flags = 'weird'\nwait = '5s'"),
            "p.toml:5: nothing that comes back says more of such packets: leave wait out");
  EXPECT_EQ(mistake("[[spade.detector]]\nid = 'a'\ntype = 'odd-typecode'\n[spade.detector.exclude]\n"
                    "destination_ports = [80]"),
            "p.toml:5: icmp has no destination_ports");
  EXPECT_EQ(mistake("rules = 1"), "p.toml:1: unknown key 'rules'");
}

TEST(SpadePart, IsTakenFromAWholePolicyToo) {
  EXPECT_FALSE(good("version = 1\nmode = 'enforce'\n[spade]\nenabled = false").enabled);
}

TEST(SpadePart, AllIsAnyKindOfIcmp) {
  const auto settings = good("[[spade.detector]]\nid = \"a\"\ntype = \"odd-typecode\"\nicmp_type = \"all\"\n");
  EXPECT_EQ(settings.detectors.at(0).icmp_type, IcmpScope::any);
}

TEST(SpadePart, WritesLittleOfTheDistributedSet) {
  const std::string text = spade_part_text(distributed_settings());
  EXPECT_THAT(text, HasSubstr("[[spade.detector]]\nid = \"closed-syn\"\ntype = \"closed-dport\"\ntransport = \"tcp\"\n"
                              "tcp_flags = \"synonly\"\nthreshold = 0.85\nwait = \"3s\"\n"));
  EXPECT_EQ(good(text), distributed_settings());
}

// The original took them without a word.
TEST(SpadePart, LeavesOutWhatHasNoEffect) {
  const auto config = parse_snort_config(R"(preprocessor spade:
preprocessor spade-detect: type=closed-dport tcpflags=weird wait=5 revwaitrpt
preprocessor spade-detect: type=closed-dport wait=0 revwaitrpt -corrscore
preprocessor spade-detect: type=dead-dest tcpflags=weird wait=5
preprocessor spade-detect: type=dead-dest wait=0
preprocessor spade-detect: type=odd-typecode Xdports=80 Xsips=192.0.2.1
)",
                                         "snort.conf");
  ASSERT_TRUE(config) << config.error().message;
  const SpadeSettings read = good(spade_part_text(config->settings));
  ASSERT_EQ(read.detectors.size(), 5U);
  EXPECT_FALSE(read.detectors[0].report_on_opposite);
  EXPECT_EQ(read.detectors[0].wait_seconds, 0U);
  EXPECT_EQ(read.detectors[3].wait_seconds, 0U);
  EXPECT_EQ(read.detectors[4].exclusions.sources.size(), 1U);
}

TEST(SpadePart, WhatTheOriginalWasToldReadsBackTheSame) {
  for (const std::string_view text :
       {R"(preprocessor spade: logfile=a.log statefile=0 cpfreq=7 dest=both adjdest=none Xdports=80
preprocessor spade-homenet: 10.0.0.0/8 2001:db8::/32
preprocessor spade-detect: id=a type=closed-dport to=any proto=udp wait=4 revwaitrpt scalehalflife=7
preprocessor spade-detect: type=odd-port-dest maxentropy=1.5 Xdports=80,443 Xsips=192.0.2.1,10.0.0.0/8 tcpflags=weird
preprocessor spade-detect: type=dead-dest proto=icmp icmptype=err minobs=5 wait=0 scalefreq=0
preprocessor spade-detect: type=odd-typecode to=nothome icmptype=noterr thresh=0.123456789012345
preprocessor spade-detect: type=closed-dport relscore=off corrscore=off thresh=9 tcpflags=teardown icmptype=err
preprocessor spade-detect: type=closed-dport probmode=0 minobs=3 maxentropy=1
preprocessor spade-adapt: 30 0.5 0.3 off
preprocessor spade-adapt2: id=a NS=3
preprocessor spade-adapt3: id=3 target=5 obsper=1.5
preprocessor spade-threshadvise: id=a
preprocessor spade-survey: id=a surveyfile=/tmp/x interval=10
preprocessor spade-stats: uncondprob
)",
        "preprocessor spade: 9.5 x.rcv x.log 1 100 -corrscore\n"}) {
    const auto config = parse_snort_config(text, "snort.conf");
    ASSERT_TRUE(config) << config.error().message;
    const std::string written = spade_part_text(config->settings);
    EXPECT_EQ(good(written), config->settings) << written;
  }
}

}  // namespace
}  // namespace spidd
