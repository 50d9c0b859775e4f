// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Label files and folder trees are joined with the flows of captures; what finds no flow is counted.
#include "userspace/spid/training_set.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/support/capture_writer.h"
#include "tests/support/packet_builder.h"
#include "userspace/spid/tsv_reader.h"

namespace spidd {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr const char* kHeader =
    "pcap\tproto\tclient_ip\tclient_port\tserver_ip\tserver_port\tstart\tlabel\tscenario\tvariant\n";
constexpr const char* kTaxonomy =
    "# what labels mean\nlabel\tfamily\tcategory\ndns\tdns\tplain\ndoh\ttls\tencrypted\niodine\tdns-tunnel\ttunnel\n"
    "arp\tarp\taux\n";

class TrainingSetTest : public testing::Test {
 protected:
  TrainingSetTest() {
    std::string name = fs::temp_directory_path() / "spidd-XXXXXX";
    directory_ = mkdtemp(name.data());
    write("taxonomy.tsv", kTaxonomy);
  }
  ~TrainingSetTest() override { fs::remove_all(directory_); }

  void write(const std::string& name, const std::string& text) {
    fs::create_directories((directory_ / name).parent_path());
    std::ofstream(directory_ / name) << text;
  }

  // A capture of one UDP question and answer for each client port, a second apart, from second 100 on.
  void write_capture(const std::string& name, const std::vector<std::uint16_t>& ports) {
    test::CaptureWriter capture;
    std::uint64_t time = 100 * kSecond;
    for (const std::uint16_t port : ports) {
      const auto ask = test::PacketBuilder().ipv4("10.0.0.1", "10.0.0.2").udp(port, 53).payload("question").build();
      const auto say = test::PacketBuilder().ipv4("10.0.0.2", "10.0.0.1").udp(53, port).payload("answer").build();
      capture.add(time, ask);
      capture.add(time + 1000, say);
      time += kSecond;
    }
    const auto& bytes = capture.bytes();
    write(name, std::string(bytes.begin(), bytes.end()));
  }

  Result<TrainingSet> load(const std::string& rows) {
    write("labels.tsv", kHeader + rows);
    return load_labelled_captures(
        {.directory = directory_,
         .tables = {.labels = directory_ / "labels.tsv", .taxonomy = directory_ / "taxonomy.tsv", .manifest = ""}});
  }

  fs::path directory_;
};

TEST_F(TrainingSetTest, LabelsThatGiveNoFlowAreOneError) {
  const std::string row = "\tudp\t10.0.0.1\t4001\t10.0.0.2\t53\t101.0\tiodine\tdns\tv1\n";
  const auto nowhere = load("a.pcap" + row + "b.pcap" + row);
  ASSERT_FALSE(nowhere);
  EXPECT_NE(nowhere.error().message.find("none of the 2 captures that"), std::string::npos) << nowhere.error().message;
  write_capture("a.pcap", {4000});
  const auto others = load("a.pcap" + row);
  ASSERT_FALSE(others);
  EXPECT_NE(others.error().message.find("no row gives a flow of"), std::string::npos) << others.error().message;
}

TEST_F(TrainingSetTest, TakesSessionsOfTheOriginalWhereThatIsAskedFor) {
  write_capture("tree/dns/a.pcap", {4000, 4001});
  test::CaptureWriter alone;  // nobody answers: no session
  alone.add(kSecond, test::PacketBuilder().ipv4("10.0.0.1", "10.0.0.2").udp(4000, 53).payload("question").build());
  write("tree/dns/b.pcap", std::string(alone.bytes().begin(), alone.bytes().end()));
  EXPECT_EQ(load_capture_tree(directory_ / "tree", nullptr, Category::plain)->flows.size(), 3U);
  const auto strict = load_capture_tree(directory_ / "tree", nullptr, Category::plain, FlowRules::original);
  ASSERT_TRUE(strict) << strict.error().message;
  ASSERT_EQ(strict->flows.size(), 2U);
  EXPECT_EQ(strict->flows[0].packets.size(), 2U);
  EXPECT_EQ(strict->flows[0].packets[1].direction, Direction::to_client);
  EXPECT_TRUE(strict->flows[0].answered);
}

TEST_F(TrainingSetTest, FindsTheFlowOfARow) {
  write_capture("a.pcap", {4000, 4001});
  const auto set = load("a.pcap\tudp\t10.0.0.1\t4001\t10.0.0.2\t53\t101.0\tiodine\tdns\tv1\n");
  ASSERT_TRUE(set) << set.error().message;
  ASSERT_EQ(set->flows.size(), 1U);
  EXPECT_EQ(set->flows[0].label, "iodine");
  EXPECT_EQ(set->flows[0].family, "dns-tunnel");
  EXPECT_EQ(set->flows[0].category, Category::tunnel);
  EXPECT_EQ(set->flows[0].transport, Transport::udp);
  EXPECT_EQ(set->flows[0].packets.size(), 2U);
  EXPECT_EQ(set->groups[set->flows[0].group], "dns-v1");
}

TEST_F(TrainingSetTest, CountsRowsThatGiveNoFlow) {
  write_capture("a.pcap", {4000, 4001});
  const auto set = load(
      "a.pcap\tudp\t10.0.0.1\t4001\t10.0.0.2\t53\t101.0\tdns\tdns\tv1\n"
      "a.pcap\tudp\t10.0.0.1\t4000\t10.0.0.2\t53\t500.0\tdns\tdns\tv1\n"  // another time
      "a.pcap\tudp\t10.0.0.1\t4000\t10.0.0.2\t53\t100.0\tarp\tdns\tv1\n"
      "a.pcap\tudp\t10.0.0.1\t4000\t10.0.0.2\t53\t100.0\tunheard-of\tdns\tv1\n"
      "a.pcap\tgre\t10.0.0.1\t0\t10.0.0.2\t0\t100.0\tdns\tdns\tv1\n");
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(set->flows.size(), 1U);
  EXPECT_EQ(set->losses.no_payload, 1U);
  EXPECT_EQ(set->losses.by_product, 1U);
  EXPECT_EQ(set->losses.no_meaning, 1U);
  EXPECT_EQ(set->losses.other_protocol, 1U);
}

TEST_F(TrainingSetTest, SaysWhereALabelFileIsWrong) {
  const auto set = load("a.pcap\tudp\t10.0.0.999\t4000\t10.0.0.2\t53\t100.0\tdns\tdns\tv1\n");
  ASSERT_FALSE(set);
  EXPECT_NE(set.error().message.find("labels.tsv:2: not a five-tuple"), std::string::npos) << set.error().message;
}

TEST_F(TrainingSetTest, WithoutATaxonomyTheTableOrElseTheCallerSaysTheCategory) {
  write_capture("a.pcap", {4000, 4001});
  const auto load_with = [&](const std::string& first, const std::string& second) {
    write("labels.tsv",
          "pcap\tproto\tclient_ip\tclient_port\tserver_ip\tserver_port\tlabel\tcategory\n"
          "a.pcap\tudp\t10.0.0.1\t4000\t10.0.0.2\t53\tiodine\t" +
              first + "\na.pcap\tudp\t10.0.0.1\t4001\t10.0.0.2\t53\tdns\t" + second + "\n");
    return load_labelled_captures(
        {.directory = directory_,
         .tables = {.labels = directory_ / "labels.tsv", .taxonomy = "", .manifest = "", .category = Category::p2p}});
  };
  const auto set = load_with("tunnel", "");
  ASSERT_TRUE(set) << set.error().message;
  ASSERT_EQ(set->flows.size(), 2U);
  EXPECT_EQ(set->flows[0].category, Category::tunnel);
  EXPECT_EQ(set->flows[1].category, Category::p2p);
  const auto by_product = load_with("tunnel", "aux");
  ASSERT_TRUE(by_product) << by_product.error().message;
  EXPECT_EQ(by_product->losses.by_product, 1U);
  const auto wrong = load_with("tunnel", "tunel");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find("labels.tsv:3: unknown category \"tunel\""), std::string::npos)
      << wrong.error().message;
}

TEST_F(TrainingSetTest, ALineTooLongIsAnErrorAndNotLost) {
  write_capture("a.pcap", {4000});
  const std::string row = "a.pcap\tudp\t10.0.0.1\t4000\t10.0.0.2\t53\t100.0\tdns\tdns\tv1";
  EXPECT_TRUE(load(row));
  const auto set = load(row + "\n" + row + std::string(TsvReader::kMaxLine, 'x') + "\n");
  ASSERT_FALSE(set);
  EXPECT_NE(set.error().message.find("labels.tsv:3: a line of more than 65536 bytes"), std::string::npos)
      << set.error().message;
}

TEST_F(TrainingSetTest, OnlyScenariosOfOneVariantAreSplitByCapture) {
  std::string rows;
  for (const std::string capture : {"a.pcap", "b.pcap"}) {
    write_capture(capture, {4000, 4001});
    rows += capture + "\tudp\t10.0.0.1\t4000\t10.0.0.2\t53\t100.0\tdns\tsingle\tv1\n";
    rows += capture + "\tudp\t10.0.0.1\t4001\t10.0.0.2\t53\t101.0\tdns\tdouble\t" + capture + "\n";
  }
  auto set = load(rows);
  ASSERT_TRUE(set) << set.error().message;
  set->split_single_variants();
  std::map<std::string, unsigned> flows_of;
  for (const LabelledFlow& flow : set->flows) ++flows_of[set->groups[flow.group]];
  EXPECT_EQ(flows_of, (std::map<std::string, unsigned>{
                          {"a.pcap", 1}, {"b.pcap", 1}, {"double-a.pcap", 1}, {"double-b.pcap", 1}}));
}

TEST_F(TrainingSetTest, MergingKeepsGroupsAndCapturesOfOneNameTogether) {
  write_capture("a.pcap", {4000});
  const std::string row = "a.pcap\tudp\t10.0.0.1\t4000\t10.0.0.2\t53\t100.0\tdns\ts\tv\n";
  auto set = load(row);
  ASSERT_TRUE(set) << set.error().message;
  set->merge(*load(row));
  EXPECT_EQ(set->flows.size(), 2U);
  EXPECT_EQ(set->groups.size(), 1U);
  EXPECT_EQ(set->captures.size(), 1U);
}

TEST_F(TrainingSetTest, AMergedLabelTakesTheMeaningOfTheOther) {
  write_capture("a.pcap", {4000, 4001});
  auto set = load(
      "a.pcap\tudp\t10.0.0.1\t4000\t10.0.0.2\t53\t100.0\tdns\ts\tv\n"
      "a.pcap\tudp\t10.0.0.1\t4001\t10.0.0.2\t53\t101.0\tiodine\ts\tv\n");
  ASSERT_TRUE(set) << set.error().message;
  set->merge_label("dns", "iodine");
  for (const LabelledFlow& flow : set->flows) {
    EXPECT_EQ(flow.label, "iodine");
    EXPECT_EQ(flow.family, "dns-tunnel");
    EXPECT_EQ(flow.category, Category::tunnel);
  }
}

TEST_F(TrainingSetTest, AFolderSaysTheLabelOfItsCaptures) {
  write_capture("tree/dns/a.pcap", {4000, 4001});
  write_capture("tree/chat/b.pcap", {4000});
  const auto set = load_capture_tree(directory_ / "tree", nullptr, Category::encrypted);
  ASSERT_TRUE(set) << set.error().message;
  ASSERT_EQ(set->flows.size(), 3U);
  EXPECT_EQ(set->flows[0].label, "chat");
  EXPECT_EQ(set->flows[0].category, Category::encrypted);
  EXPECT_EQ(set->flows[2].label, "dns");

  const Taxonomy taxonomy = *Taxonomy::load(directory_ / "taxonomy.tsv");
  const auto strict = load_capture_tree(directory_ / "tree", &taxonomy, Category::encrypted);
  ASSERT_FALSE(strict);
  EXPECT_NE(strict.error().message.find("does not know the label 'chat'"), std::string::npos);
}

TEST_F(TrainingSetTest, ACopyOfACaptureIsTheSameCapture) {
  write_capture("tree/dns/a.pcap", {4000, 4001});
  write_capture("tree/dns/b.pcap", {4000, 4001});
  write_capture("tree/dns/c.pcap", {4000, 4002});
  const auto set = load_capture_tree(directory_ / "tree", nullptr, Category::plain);
  ASSERT_TRUE(set) << set.error().message;
  ASSERT_EQ(set->capture_hashes.size(), 3U);
  EXPECT_EQ(set->capture_hashes[0], set->capture_hashes[1]);
  EXPECT_NE(set->capture_hashes[0], set->capture_hashes[2]);
  EXPECT_EQ(capture_hash(directory_ / "missing"), 0U);
}

TEST_F(TrainingSetTest, UsesADamagedCaptureUpToTheDamage) {
  write_capture("tree/dns/a.pcap", {4000, 4001});
  fs::resize_file(directory_ / "tree/dns/a.pcap", fs::file_size(directory_ / "tree/dns/a.pcap") - 3);
  const auto set = load_capture_tree(directory_ / "tree", nullptr, Category::plain);
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(set->flows.size(), 2U);
  EXPECT_EQ(set->damaged.size(), 1U);
}

}  // namespace
}  // namespace spidd
