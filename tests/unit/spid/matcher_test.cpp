// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Matching against the formula in floating point, all kernels against one another, and the choice of the best.
#include "userspace/spid/matcher.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/unit/spid/test_flows.h"
#include "userspace/spid/score_tables.h"

namespace spidd {
namespace {

Fingerprint measure(std::span<const PayloadPacket> packets) {
  AttributeMeters meters;
  Fingerprint flow;
  meters.measure(packets, flow);
  return flow;
}

// Models whose flows differ: each uses another range of byte values.
ModelDatabase make_database(unsigned models, Transport transport = Transport::tcp) {
  std::mt19937 random(models);
  ModelDatabase database;
  for (unsigned i = 0; i < models; ++i) {
    ProtocolModel& model =
        database.find_or_add(fmt::format("proto{:04}", i), transport, i % 5 == 0 ? Category::tunnel : Category::plain,
                             fmt::format("family{}", i / 2));
    for (unsigned flow = 0; flow < 4; ++flow) model.add(measure(random_flow(random, 8, 2 + 3 * i % 250)));
  }
  return database;
}

// The score of matcher.h in floating point, bin by bin.
double exact_score(const Fingerprint& flow, const ModelDatabase& database, const ProtocolModel& model,
                   Profile profile = Profile::background) {
  constexpr double kAlpha = 64;
  double score = 0;
  unsigned shared = 0;
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    if (flow.measurements[meter] == 0 || model.measurements[meter] == 0) continue;
    if ((scored_meters(profile) >> meter & 1) == 0) continue;
    ++shared;
    for (const RowCount row : flow.rows) {
      if (row.row / kBinsPerMeter != meter) continue;
      double background = 0;
      unsigned with_meter = 0;
      for (const ProtocolModel& other : database.models) {
        if (other.measurements[meter] == 0) continue;
        background += other.counters[row.row] / static_cast<double>(other.measurements[meter]);
        ++with_meter;
      }
      background = 0.9 * background / with_meter + 0.1 / 256;
      const double ratio = std::log2((model.counters[row.row] + kAlpha * background) /
                                     (static_cast<double>(model.measurements[meter]) + kAlpha)) -
                           std::log2(background);
      score += row.count * ratio / flow.measurements[meter];
    }
  }
  return score / shared;
}

TEST(Matcher, ScoresWithTheMetersOfTheProfileAlone) {
  const ModelDatabase database = make_database(12);
  std::mt19937 random(5);
  const Fingerprint flow = measure(random_flow(random, 12, 90));
  std::vector<Matcher::Score> scores;
  for (const Profile profile : {Profile::background, Profile::bg34, Profile::bg43}) {
    const Matcher matcher = *Matcher::build(database, profile);
    matcher.score_all(Transport::tcp, flow, scores);
    ASSERT_EQ(scores.size(), matcher.models().size());
    for (const Matcher::Score& score : scores) {
      if (score.model >= database.models.size()) continue;
      EXPECT_NEAR(score.score, exact_score(flow, database, database.models[score.model], profile), 0.01)
          << profile_name(profile);
      const auto parts = matcher.explain(score.model, flow);
      for (unsigned meter = 0; meter < kMeterCount; ++meter) {
        const bool scored = (scored_meters(profile) >> meter & 1) != 0;
        EXPECT_TRUE(scored || parts[meter] == 0) << meter_name(meter);
      }
    }
  }
}

TEST(Matcher, KeepsProvisionalModelsApart) {
  ModelDatabase database = make_database(6);
  const auto before = Matcher::build(database);
  ASSERT_TRUE(before);
  ProtocolModel learned = database.models[2];
  learned.label = learned.family = "unknown-3fa2";
  learned.provisional = true;
  learned.origin = Origin::learned;
  ModelDatabase stream;
  stream.models.push_back(learned);
  ASSERT_TRUE(database.append(stream));
  const auto after = Matcher::build(database);
  ASSERT_TRUE(after);
  std::mt19937 random(77);
  for (unsigned i = 0; i < 20; ++i) {
    const Fingerprint flow = measure(random_flow(random, 8, 8 + 10 * i));
    const Match alone = before->match(Transport::tcp, flow);
    const Match both = after->match(Transport::tcp, flow);
    EXPECT_EQ(alone.best_provisional, kNoModel);
    EXPECT_EQ(both.best, alone.best);
    EXPECT_EQ(both.second, alone.second);
    EXPECT_EQ(both.best_other, alone.best_other);
    EXPECT_EQ(both.best_tunnel, alone.best_tunnel);
    EXPECT_FLOAT_EQ(both.best_score, alone.best_score);
    ASSERT_NE(both.best_provisional, kNoModel);
    EXPECT_EQ(after->models()[both.best_provisional].label, "unknown-3fa2");
    EXPECT_FALSE(after->models()[both.best_provisional].may_block);
  }
}

TEST(Matcher, ScoresAsTheFormulaSays) {
  const ModelDatabase database = make_database(7);
  const Matcher matcher = *Matcher::build(database);
  std::mt19937 random(5);
  std::vector<Matcher::Score> scores;
  for (unsigned packets : {1U, 3U, 8U, 20U}) {
    const Fingerprint flow = measure(random_flow(random, packets, 10 * packets));
    matcher.score_all(Transport::tcp, flow, scores);
    ASSERT_EQ(scores.size(), matcher.models().size());
    for (const Matcher::Score& score : scores) {
      if (score.model >= matcher.database_models()) continue;
      EXPECT_NEAR(score.score, exact_score(flow, database, database.models[score.model]), 0.01);
    }
  }
}

TEST(Matcher, KnowsItsOwnFlowsAndRejectsOthers) {
  constexpr unsigned kProtocols = 20;
  std::mt19937 random(6);
  ModelDatabase database;
  for (unsigned i = 0; i < kProtocols; ++i) {
    ProtocolModel& model = database.find_or_add(fmt::format("proto{:02}", i), Transport::tcp, Category::plain, "any");
    for (unsigned flow = 0; flow < 20; ++flow) model.add(measure(protocol_flow(random, i)));
  }
  const Matcher matcher = *Matcher::build(database);
  for (unsigned i = 0; i < kProtocols; ++i) {
    const Match match = matcher.match(Transport::tcp, measure(protocol_flow(random, i)));
    EXPECT_EQ(matcher.models()[match.best].label, fmt::format("proto{:02}", i));
    EXPECT_GT(match.best_score, 0.5);
    EXPECT_LT(matcher.match(Transport::tcp, measure(protocol_flow(random, kProtocols + i))).best_score, 0);
  }
}

TEST(Matcher, FindsTheBestOfEveryKindAmongAllScores) {
  for (const unsigned models : {1U, 2U, 16U, 17U, 64U, 65U, 150U}) {
    const Matcher matcher = *Matcher::build(make_database(models));
    std::mt19937 random(models);
    std::vector<Matcher::Score> scores;
    for (unsigned round = 0; round < 20; ++round) {
      const Fingerprint flow = measure(random_flow(random, 1 + round, 2 + round * 12));
      matcher.score_all(Transport::tcp, flow, scores);
      ASSERT_EQ(scores.size(), matcher.models().size());
      const auto best_where = [&](auto accept) {
        Matcher::Score best{kNoModel, 0};
        for (const Matcher::Score& score : scores) {
          if (accept(matcher.models()[score.model]) && (best.model == kNoModel || score.score > best.score))
            best = score;
        }
        return best;
      };
      const Match match = matcher.match(Transport::tcp, flow);
      const auto best = best_where([](const ModelSummary&) { return true; });
      ASSERT_EQ(match.best, best.model);
      ASSERT_EQ(match.best_score, best.score);
      const std::string family = matcher.models()[best.model].family;
      const auto second = best_where([&](const ModelSummary& model) { return model.family != family; });
      ASSERT_EQ(match.second, second.model);
      ASSERT_EQ(match.second_score, second.score);
      const auto tunnel = best_where([](const ModelSummary& model) { return model.category == Category::tunnel; });
      ASSERT_EQ(match.best_tunnel, tunnel.model);
      ASSERT_EQ(match.tunnel_score, tunnel.score);
      const auto other = best_where([](const ModelSummary& model) { return model.category != Category::tunnel; });
      ASSERT_EQ(match.best_other, other.model);
      ASSERT_EQ(match.other_score, other.score);
      const auto other_second = best_where([&](const ModelSummary& model) {
        return model.category != Category::tunnel && model.family != matcher.models()[other.model].family;
      });
      ASSERT_EQ(match.other_second, other_second.model);
      ASSERT_EQ(match.other_second_score, other_second.score);
    }
  }
}

TEST(Matcher, AddsUpTheLabelsOfAFamily) {
  std::mt19937 random(5);
  ModelDatabase database;
  ModelDatabase one_label;
  for (const char* label : {"trojan", "stunnel", "https"}) {
    const bool is_tunnel = std::string_view(label) != "https";
    const Fingerprint flow = measure(random_flow(random, 8));
    const auto category = is_tunnel ? Category::tunnel : Category::encrypted;
    database.find_or_add(label, Transport::tcp, category, is_tunnel ? "tls-tunnel" : "tls").add(flow);
    if (is_tunnel) one_label.find_or_add("trojan", Transport::tcp, category, "tls-tunnel").add(flow);
  }
  const Matcher matcher = *Matcher::build(database);
  ASSERT_EQ(matcher.models().size(), 4U);
  EXPECT_EQ(matcher.models()[3].label, "tls-tunnel");
  EXPECT_EQ(matcher.models()[3].category, Category::tunnel);
  EXPECT_EQ(matcher.models()[3].flows, 2U);

  EXPECT_EQ(Matcher::build(one_label)->models().size(), 1U);
}

TEST(Matcher, SaysWhichLabelOfTheBestFamilyIsNearest) {
  // Labels of one protocol: what they have in common is known better than any of them.
  std::mt19937 random(8);
  ModelDatabase database;
  for (const char* label : {"near", "nearer", "far"}) {
    const bool is_far = std::string_view(label) == "far";
    ProtocolModel& model = database.find_or_add(label, Transport::tcp, Category::plain, is_far ? "other" : "family");
    for (unsigned flows = 0; flows < 3; ++flows) model.add(measure(protocol_flow(random, is_far ? 1 : 0)));
  }
  const Matcher matcher = *Matcher::build(database);
  const Match match = matcher.match(Transport::tcp, measure(protocol_flow(random, 0)));
  EXPECT_EQ(matcher.models()[match.best_other].label, "family");
  EXPECT_EQ(matcher.models()[match.other_member].family, "family");
  EXPECT_LT(match.other_member_score, match.other_score);
  EXPECT_EQ(matcher.match(Transport::tcp, measure(protocol_flow(random, 1))).other_member, kNoModel);
}

TEST(Matcher, ComparesOnlyModelsOfTheTransport) {
  ModelDatabase database = make_database(3, Transport::tcp);
  for (ProtocolModel& model : make_database(2, Transport::icmp).models) {
    model.label = "ping" + model.label;
    database.find_or_add(model.label, Transport::icmp, model.category, model.family).merge(model);
  }
  const Matcher matcher = *Matcher::build(database);
  std::mt19937 random(7);
  const Fingerprint flow = measure(random_flow(random, 8));
  std::vector<Matcher::Score> scores;
  matcher.score_all(Transport::icmp6, flow, scores);
  ASSERT_EQ(scores.size(), 2U);
  for (const Matcher::Score& score : scores) EXPECT_EQ(matcher.models()[score.model].transport, Transport::icmp);
  EXPECT_EQ(matcher.models()[matcher.match(Transport::icmp6, flow).best].transport, Transport::icmp);
  EXPECT_EQ(matcher.match(Transport::udp, flow).best, kNoModel);
}

TEST(Matcher, MatchesNothingWithNothing) {
  EXPECT_EQ(Matcher::build(make_database(3))->match(Transport::tcp, {}).best, kNoModel);
  std::mt19937 random(8);
  const Fingerprint flow = measure(random_flow(random, 3));
  EXPECT_EQ(Matcher::build({})->match(Transport::tcp, flow).best, kNoModel);
  ModelDatabase untrained;
  untrained.find_or_add("empty", Transport::tcp, Category::plain, "empty");
  EXPECT_EQ(Matcher::build(untrained)->match(Transport::tcp, flow).best, kNoModel);
}

TEST(Matcher, LeavesOutMetersThatAModelWasNotTrainedOn) {
  // One-packet flows have no delays or differences; the model must not gain or lose by that.
  ModelDatabase database = make_database(3);
  ProtocolModel& short_model = database.find_or_add("short", Transport::tcp, Category::plain, "short");
  std::mt19937 random(9);
  for (unsigned i = 0; i < 5; ++i) short_model.add(measure(random_flow(random, 1, 30)));
  const Matcher matcher = *Matcher::build(database);
  std::vector<Matcher::Score> scores;
  const Fingerprint flow = measure(random_flow(random, 8, 30));
  matcher.score_all(Transport::tcp, flow, scores);
  for (const Matcher::Score& score : scores) {
    EXPECT_NEAR(score.score, exact_score(flow, database, database.models[score.model]), 0.01);
  }
}

TEST(Matcher, ExplainsScoresByMeter) {
  const ModelDatabase database = make_database(70);
  const Matcher matcher = *Matcher::build(database);
  std::mt19937 random(10);
  const Fingerprint flow = measure(random_flow(random, 8, 40));
  std::vector<Matcher::Score> scores;
  matcher.score_all(Transport::tcp, flow, scores);
  for (const Matcher::Score& score : scores) {
    float sum = 0;
    for (const float part : matcher.explain(score.model, flow)) sum += part;
    EXPECT_NEAR(sum, score.score, 1e-4);
  }
}

TEST(Matcher, MatchesAsIfAMeterDidNotExist) {
  const ModelDatabase database = make_database(70);
  const Matcher matcher = *Matcher::build(database);
  std::mt19937 random(5);
  Matcher::MeterSums sums;
  for (const unsigned meter : {0U, 9U, 12U, 34U, kMeterCount - 1}) {
    ModelDatabase without = database;
    for (ProtocolModel& model : without.models) {
      model.measurements[meter] = 0;
      std::fill_n(model.counters.begin() + meter * kBinsPerMeter, kBinsPerMeter, 0U);
    }
    const Matcher expected = *Matcher::build(without);
    for (unsigned i = 0; i < 10; ++i) {
      const Fingerprint flow = measure(random_flow(random, 1 + i, 2 + 20 * i));
      matcher.sum_by_meter(Transport::tcp, flow, View::both, sums);
      const Match match = matcher.match_without(meter, sums);
      const Match other = expected.match(Transport::tcp, flow);
      EXPECT_EQ(match.best, other.best);
      EXPECT_EQ(match.best_score, other.best_score);
      EXPECT_EQ(match.second, other.second);
      EXPECT_EQ(match.best_tunnel, other.best_tunnel);
      EXPECT_EQ(match.tunnel_score, other.tunnel_score);
      EXPECT_EQ(match.other_second_score, other.other_second_score);
    }
  }
  matcher.sum_by_meter(Transport::tcp, Fingerprint{}, View::both, sums);
  EXPECT_EQ(matcher.match_without(0, sums).best, kNoModel);
}

TEST(Matcher, DoesNotOverflowOnExtremeModels) {
  ModelDatabase database = make_database(2);
  ProtocolModel& huge = database.find_or_add("huge", Transport::tcp, Category::plain, "huge");
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    for (unsigned bin = 0; bin < 128; ++bin) huge.counters[meter * kBinsPerMeter + bin] = 0xffffffff;
    huge.measurements[meter] = 128ULL * 0xffffffff;
  }
  const Matcher matcher = *Matcher::build(database);
  Fingerprint worst;
  Fingerprint best;
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    worst.rows.push_back({static_cast<std::uint16_t>(meter * kBinsPerMeter + 255), 65535});
    best.rows.push_back({static_cast<std::uint16_t>(meter * kBinsPerMeter + 5), 65535});
    worst.measurements[meter] = best.measurements[meter] = 65535;
  }
  std::vector<Matcher::Score> scores;
  matcher.score_all(Transport::tcp, worst, scores);
  EXPECT_LT(scores[0].score, -14);  // the table's limit
  matcher.score_all(Transport::tcp, best, scores);
  EXPECT_GT(scores[0].score, 0);
}

// What a list of rows says: for each row, all its weights together.
std::map<unsigned, int> weights_of(const FlowRows& flow) {
  const WeightedRows list = flow.rows();
  EXPECT_EQ(list.rows.size(), kRowsTogether * list.weights.size());
  EXPECT_EQ(list.rows.size(), 2 * list.count_pairs.size());
  std::map<unsigned, int> weights;
  for (std::size_t i = 0; i < list.rows.size(); ++i) {
    EXPECT_EQ(list.count_pairs[i / 2] >> 16, list.count_pairs[i / 2] & 0xffff);
    EXPECT_LE(list.count(i), kMaxCount);
    EXPECT_LT(list.rows[i], kRowCount);
    if (list.count(i) != 0) weights[list.rows[i]] += static_cast<int>(list.count(i)) * list.weights[i / kRowsTogether];
  }
  return weights;
}

TEST(ScoreKernels, GiveTheSameBits) {
  std::mt19937 random(11);
  for (unsigned groups = 1; groups <= kMaxColumnGroups; ++groups) {
    const unsigned columns = groups * kColumnGroup;
    const ModelDatabase database = make_database(columns);
    std::vector<const ProtocolModel*> models;
    for (const ProtocolModel& model : database.models) models.push_back(&model);
    const ScoreBlock block(models, Background(database.models, View::both), scored_meters(Profile::background));
    ASSERT_EQ(block.columns(), columns);
    for (unsigned round = 0; round < 50; ++round) {
      const Fingerprint flow = measure(random_flow(random, 1 + round % 20, 1 + round * 5));
      std::vector<std::int32_t> expected(columns);
      block.add_up(FlowRows(flow, Simd::scalar), Simd::scalar, expected.data());
      for (const Simd simd : available_simd()) {
        std::vector<std::int32_t> actual(columns, -1);
        block.add_up(FlowRows(flow, simd), simd, actual.data());
        ASSERT_EQ(actual, expected) << simd_name(simd);
      }
    }
  }
}

TEST(ScoreKernels, AddUpTheLargestValuesAndWeights) {
  std::mt19937 random(14);
  std::unique_ptr<std::uint8_t[], void (*)(std::uint8_t*)> table(
      new (std::align_val_t(kTableAlignment)) std::uint8_t[kRowCount * kColumnGroup],
      [](std::uint8_t* bytes) { ::operator delete[](bytes, std::align_val_t(kTableAlignment)); });
  std::fill_n(table.get(), kRowCount * kColumnGroup, std::uint8_t{kMaxTableValue});
  constexpr int kGroups = 16;
  const std::vector<std::uint16_t> rows(kGroups * kRowsTogether, kRowCount - 1);
  const std::vector<std::uint32_t> pairs(kGroups * kRowsTogether / 2, kMaxCount * 0x01010101U);
  const std::vector<std::int32_t> weights(kGroups, 4095);
  for (const Simd simd : available_simd()) {
    std::vector<std::int32_t> sums(kColumnGroup, 5);
    score_kernel(simd)(table.get(), 1, {rows, pairs, weights}, sums.data());
    ASSERT_EQ(sums, std::vector<std::int32_t>(kColumnGroup, 5 + kGroups * 4 * 63 * 127 * 4095)) << simd_name(simd);
  }
}

TEST(FlowRows, AreTheSameByAllForms) {
  std::mt19937 random(12);
  for (unsigned round = 0; round < 200; ++round) {
    const Fingerprint flow = measure(random_flow(random, 1 + round % 30, 1 + round));
    const FlowRows expected(flow, Simd::scalar);
    for (const Simd simd : available_simd()) {
      const FlowRows rows(flow, simd);
      ASSERT_EQ(weights_of(rows), weights_of(expected)) << simd_name(simd);
      ASSERT_EQ(rows.meters(), expected.meters());
    }
  }
}

TEST(FlowRows, WeighEveryCountByItsShare) {
  for (const Simd simd : available_simd()) {
    for (std::uint32_t measurements = 1; measurements <= FlowRows::kMostMeasurements; measurements += 7) {
      Fingerprint flow;
      const unsigned meter = measurements % kMeterCount;
      flow.measurements[meter] = measurements;
      std::uint32_t left = measurements;
      for (unsigned bin = 0; bin < kBinsPerMeter && left > 0; ++bin) {
        const std::uint32_t count = std::min(left, bin == 40 ? left : bin % 17 + 1);
        flow.rows.push_back(
            {static_cast<std::uint16_t>(meter * kBinsPerMeter + bin), static_cast<std::uint16_t>(count)});
        left -= count;
      }
      const std::map<unsigned, int> weights = weights_of(FlowRows(flow, simd));
      ASSERT_EQ(weights.size(), flow.rows.size());
      for (const RowCount entry : flow.rows) {
        const double share = static_cast<double>(entry.count) / measurements;
        ASSERT_NEAR(weights.at(entry.row) / double{kWeightOne}, share, 0.07 * share) << measurements;
      }
    }
  }
}

TEST(FlowRows, OfOneMeterAreThoseOfTheFlow) {
  std::mt19937 random(15);
  const Fingerprint flow = measure(random_flow(random, 8, 300));
  for (const Simd simd : available_simd()) {
    std::map<unsigned, int> together;
    MeterMask meters = 0;
    for (unsigned meter = 0; meter < kMeterCount; ++meter) {
      const FlowRows rows(flow, meter, simd);
      together.merge(weights_of(rows));
      meters |= rows.meters();
    }
    const FlowRows all(flow, simd);
    EXPECT_EQ(together, weights_of(all));
    EXPECT_EQ(meters, all.meters());
  }
}

TEST(FlowRows, HalveLargeCountsAndStayWithinTheirMemory) {
  for (const Simd simd : available_simd()) {
    Fingerprint flow;
    for (unsigned meter = 0; meter < kMeterCount; ++meter) {
      flow.measurements[meter] = meter % 2 == 0 ? 256 * 65535 : 1;  // every other one is not in order
      for (unsigned bin = 0; bin < kBinsPerMeter; ++bin)
        flow.rows.push_back({static_cast<std::uint16_t>(meter * kBinsPerMeter + bin), 65535});
    }
    EXPECT_EQ(weights_of(FlowRows(flow, simd)).size(), kRowCount);
    const std::map<unsigned, int> weights = weights_of(FlowRows(flow, 2, simd));
    ASSERT_EQ(weights.size(), kBinsPerMeter);
    EXPECT_NEAR(weights.begin()->second / double{kWeightOne}, 1.0 / kBinsPerMeter, 0.01 / kBinsPerMeter);
  }
}

TEST(Matcher, GivesTheSameBitsWithAllInstructions) {
  std::mt19937 random(13);
  for (const unsigned models : {1U, 33U, 150U, 256U, 300U}) {
    const ModelDatabase database = make_database(models);
    const Matcher reference = *Matcher::build(database, Profile::background, Simd::scalar);
    AttributeMeters reference_meters(MeterRules::corrected, Simd::scalar);
    for (const Simd simd : available_simd()) {
      const Matcher matcher = *Matcher::build(database, Profile::background, simd);
      AttributeMeters meters(MeterRules::corrected, simd);
      Fingerprint flow;
      Fingerprint reference_flow;
      std::vector<Matcher::Score> scores;
      std::vector<Matcher::Score> expected;
      for (unsigned round = 0; round < 10; ++round) {
        const auto packets = random_flow(random, 1 + 2 * round, 2 + round * 25);
        meters.measure(packets, flow);
        reference_meters.measure(packets, reference_flow);
        matcher.score_all(Transport::tcp, flow, scores);
        reference.score_all(Transport::tcp, reference_flow, expected);
        ASSERT_EQ(scores.size(), expected.size());
        for (std::size_t i = 0; i < scores.size(); ++i) {
          ASSERT_EQ(scores[i].model, expected[i].model);
          ASSERT_EQ(scores[i].score, expected[i].score) << simd_name(simd);
        }
      }
    }
  }
}

}  // namespace
}  // namespace spidd
