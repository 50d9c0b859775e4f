// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the journal still knows after a restart, also when the file was damaged.
#include "userspace/enforcement/block_journal.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace spidd {
namespace {

class BlockJournalTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/journal-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  BlockJournal open() {
    auto journal = BlockJournal::open(path());
    if (!journal) throw std::runtime_error(journal.error().message);
    return *std::move(journal);
  }
  std::string path() const { return directory_ + "/blocks.jsonl"; }

  std::string directory_;
};

Block block_of(BlockTarget target) {
  return {7,
          std::move(target),
          Timestamp(std::chrono::seconds(100)),
          Timestamp(std::chrono::seconds(700)),
          "rule \"a\"\n",
          "openvpn",
          3};
}

EndpointTarget endpoint(std::uint16_t port) { return {*IpAddress::parse("192.0.2.1"), port, Transport::tcp}; }

TEST_F(BlockJournalTest, EveryKindOfTargetComesBackAsItWas) {
  FlowKey key;
  key.low = *IpAddress::parse("10.0.0.1");
  key.high = *IpAddress::parse("2001:db8::1");
  key.port_low = 1;
  key.port_high = 65535;
  key.transport = Transport::udp;
  key.domain = 5;
  const std::vector<BlockTarget> targets = {HostTarget{*IpPrefix::parse("198.51.100.0/24")},
                                            HostTarget{*IpPrefix::parse("2001:db8::/32")}, endpoint(443),
                                            FlowTarget{key}};
  {
    BlockJournal journal = open();
    for (const BlockTarget& target : targets) ASSERT_TRUE(journal.add(block_of(target)));
  }
  const BlockJournal journal = open();
  EXPECT_EQ(journal.blocks().size(), targets.size());
  EXPECT_EQ(journal.damaged_lines(), 0U);
  for (const BlockTarget& target : targets) {
    const Block* const block = journal.find(target);
    ASSERT_NE(block, nullptr) << to_string(target);
    EXPECT_EQ(block->since, Timestamp(std::chrono::seconds(100)));
    EXPECT_EQ(block->expires, Timestamp(std::chrono::seconds(700)));
    EXPECT_EQ(block->rule, "rule \"a\"\n");
    EXPECT_EQ(block->label, "openvpn");
    EXPECT_EQ(block->rule_number, 3);
  }
}

TEST_F(BlockJournalTest, TheLastWordOnATargetCounts) {
  {
    BlockJournal journal = open();
    ASSERT_TRUE(journal.add(block_of(endpoint(1))));
    ASSERT_TRUE(journal.add(block_of(endpoint(2))));
    Block longer = block_of(endpoint(1));
    longer.expires += std::chrono::hours(1);
    ASSERT_TRUE(journal.add(longer));
    ASSERT_TRUE(journal.remove(endpoint(2)));
    ASSERT_TRUE(journal.remove(endpoint(3)));
  }
  const BlockJournal journal = open();
  ASSERT_EQ(journal.blocks().size(), 1U);
  EXPECT_EQ(journal.blocks()[0].expires, Timestamp(std::chrono::seconds(700) + std::chrono::hours(1)));
}

TEST_F(BlockJournalTest, DamagedLinesCostOnlyThemselves) {
  {
    BlockJournal journal = open();
    ASSERT_TRUE(journal.add(block_of(endpoint(1))));
    ASSERT_TRUE(journal.add(block_of(endpoint(2))));
  }
  {
    std::ofstream file(path(), std::ios::app);
    file << "not json\n"
         << R"({"block":{"target":{"address":"192.0.2.1","port":70000,"transport":6}}})"
         << "\n"
         << R"({"block":{"target":{"address":"192.0.2.1","port":7,"transport":99}}})"
         << "\n"
         << R"({"block":{"target":{"address":"192.0)";
  }
  {
    BlockJournal journal = open();
    EXPECT_EQ(journal.blocks().size(), 2U);
    EXPECT_EQ(journal.damaged_lines(), 4U);
    ASSERT_TRUE(journal.add(block_of(endpoint(3))));
  }
  const BlockJournal journal = open();
  EXPECT_EQ(journal.blocks().size(), 3U);
  EXPECT_EQ(journal.damaged_lines(), 0U);
}

TEST_F(BlockJournalTest, TheFileStaysSmallHoweverManyChangesThereAre) {
  BlockJournal journal = open();
  for (unsigned change = 0; change < 20000; ++change) {
    ASSERT_TRUE(journal.add(block_of(endpoint(1))));
    ASSERT_TRUE(journal.remove(endpoint(1)));
  }
  EXPECT_LT(std::filesystem::file_size(path()), 400'000U);
  EXPECT_TRUE(journal.blocks().empty());
}

TEST_F(BlockJournalTest, OnlyItsOwnerCanReadIt) {
  BlockJournal journal = open();
  EXPECT_EQ(std::filesystem::status(path()).permissions() & std::filesystem::perms::all,
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(BlockJournalTest, ADirectoryThatIsNotThereIsNamed) {
  const auto journal = BlockJournal::open(directory_ + "/none/blocks.jsonl");
  ASSERT_FALSE(journal);
  EXPECT_NE(journal.error().message.find("/none/"), std::string::npos) << journal.error().message;
}

}  // namespace
}  // namespace spidd
