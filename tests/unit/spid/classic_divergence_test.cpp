// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The divergence of the original against the golden figures of the specification and against the dense formula.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/unit/spid/test_flows.h"
#include "userspace/spid/classic_table.h"
#include "userspace/spid/matcher.h"

namespace spidd {
namespace {

std::vector<unsigned> all_meters_but_12() {
  std::vector<unsigned> meters;
  for (unsigned meter = 0; meter < kOriginalMeterCount; ++meter) {
    if (meter != 12) meters.push_back(meter);
  }
  return meters;
}

// The specification's formula over all 256 bins.
double dense_divergence(const Fingerprint& flow, const ProtocolModel& model, std::span<const unsigned> meters) {
  double sum = 0;
  for (const unsigned meter : meters) {
    std::array<double, kBinsPerMeter> counts{};
    for (const RowCount& row : flow.rows) {
      if (row.row / kBinsPerMeter == meter) counts[row.row % kBinsPerMeter] = row.count;
    }
    for (unsigned bin = 0; bin < kBinsPerMeter; ++bin) {
      const double p = (counts[bin] + 1.0 / 256) / (flow.measurements[meter] + 1.0);
      const double q = (model.counters[meter * kBinsPerMeter + bin] + 1.0) /
                       (static_cast<double>(model.measurements[meter]) + 256.0);
      sum += p * (std::log2(p) - std::log2(q));
    }
  }
  return sum / static_cast<double>(meters.size());
}

TEST(ClassicDivergence, GivesTheGoldenFigures) {
  struct Golden {
    unsigned copies;
    double classic15, all_but_12;
  };
  constexpr Golden kGolden[] = {{0, 2.634129, 3.157102},
                                {1, 1.871250, 2.330442},
                                {10, 0.719405, 0.918046},
                                {100, 0.052000, 0.064372},
                                {1000, 0.072209, 0.086934}};
  AttributeMeters meters(MeterRules::strict);
  Fingerprint flow;
  meters.measure(golden_session(), flow);
  for (const Golden& golden : kGolden) {
    ProtocolModel model;
    for (unsigned copy = 0; copy < golden.copies; ++copy) model.add(flow);
    EXPECT_NEAR(classic_divergence(flow, model, classic_meters(Profile::classic15)), golden.classic15, 5e-7)
        << golden.copies;
    EXPECT_NEAR(classic_divergence(flow, model, all_meters_but_12()), golden.all_but_12, 5e-7) << golden.copies;
  }
}

TEST(ClassicDivergence, EqualsTheDenseFormula) {
  std::mt19937 random(4);
  AttributeMeters meters;
  ProtocolModel model;
  Fingerprint flow;
  for (unsigned i = 0; i < 20; ++i) {
    meters.measure(random_flow(random, 1 + i, 100), flow);
    model.add(flow);
    EXPECT_NEAR(classic_divergence(flow, model, all_meters_but_12()),
                dense_divergence(flow, model, all_meters_but_12()), 1e-11);
  }
}

TEST(ClassicDivergence, FromTablesIsTheSame) {
  std::mt19937 random(5);
  AttributeMeters meters;
  ProtocolModel model;
  Fingerprint flow;
  for (unsigned i = 0; i < 20; ++i) {
    meters.measure(random_flow(random, 1 + i, 100), flow);
    model.add(flow);
    const ClassicTable table(model);
    meters.measure(random_flow(random, 1 + i, 100), flow);
    for (const Profile profile : {Profile::classic15, Profile::classic34})
      EXPECT_NEAR(table.divergence(flow, classic_meters(profile)),
                  classic_divergence(flow, model, classic_meters(profile)), 1e-5);
  }
}

TEST(ClassicProfile, AcceptsTheNearestModel) {
  std::mt19937 random(6);
  AttributeMeters meters(MeterRules::strict);
  Fingerprint flow;
  ModelDatabase database;
  database.rules = MeterRules::strict;
  for (unsigned protocol = 0; protocol < 4; ++protocol) {
    const std::string label = fmt::format("proto{}", protocol);
    ProtocolModel& model = database.find_or_add(label, Transport::tcp, Category::plain, label);
    for (unsigned i = 0; i < 20; ++i) {
      meters.measure(protocol_flow(random, protocol, 8), flow);
      model.add(flow);
    }
  }
  for (const Profile profile : {Profile::classic15, Profile::classic34}) {
    const Matcher matcher = *Matcher::build(database, profile);
    EXPECT_EQ(matcher.rules(), MeterRules::strict);
    for (unsigned protocol = 0; protocol < 4; ++protocol) {
      meters.measure(protocol_flow(random, protocol, 8), flow);
      const Match match = matcher.match(Transport::tcp, flow);
      EXPECT_EQ(matcher.models()[match.best].label, fmt::format("proto{}", protocol));
      EXPECT_GT(match.best_score, 0);
      EXPECT_FLOAT_EQ(match.best_score, classic_threshold(profile) - matcher.divergence(match.best, flow));
    }
    // Strangers are further from every model than the threshold.
    for (unsigned i = 0; i < 20; ++i) {
      meters.measure(random_flow(random, 20, 64), flow);
      const Match match = matcher.match(Transport::tcp, flow);
      EXPECT_GT(matcher.divergence(match.best, flow), classic_threshold(profile));
      EXPECT_LT(match.best_score, 0);
    }
  }
}

TEST(ClassicDivergence, OfNoMetersIsZero) { EXPECT_EQ(classic_divergence({}, {}, {}), 0.0); }

}  // namespace
}  // namespace spidd
