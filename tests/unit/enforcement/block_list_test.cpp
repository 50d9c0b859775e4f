// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The block list: each operation by example, then the invariants of block_list.h over random operations.
#include "userspace/enforcement/block_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

namespace spidd {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const Timestamp kStart{hours(24 * 365 * 50)};

BlockTarget target(std::string_view text) {
  const Result<BlockTarget> parsed = parse_block_target(text);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return *parsed;
}

BlockList::Settings settings(std::vector<std::string_view> never_block = {}) {
  BlockList::Settings result;
  for (const std::string_view prefix : never_block) result.never_block.push_back(*IpPrefix::parse(prefix));
  return result;
}

Result<Block> add(BlockList& list, std::string_view text, Timestamp now = kStart, Duration duration = hours(1)) {
  return list.add(target(text), now, duration, "rule", "label", 1);
}

TEST(BlockList, KeepsWhatItIsTold) {
  BlockList list(settings());
  const Result<Block> block = list.add(target("tcp 198.51.100.7:443"), kStart, minutes(10), "tunnels", "openvpn", 3);
  ASSERT_TRUE(block) << block.error().message;
  EXPECT_EQ(block->target, target("tcp 198.51.100.7:443"));
  EXPECT_EQ(block->since, kStart);
  EXPECT_EQ(block->expires, kStart + minutes(10));
  EXPECT_EQ(block->rule, "tunnels");
  EXPECT_EQ(block->label, "openvpn");
  EXPECT_EQ(block->rule_number, 3);
  EXPECT_EQ(block->slot, 1U);
  EXPECT_EQ(list.size(), 1U);
  EXPECT_EQ(list.all().at(0).target, block->target);
}

TEST(BlockList, ExtendsABlockAndNeverShortensIt) {
  BlockList list(settings());
  const Block first = *list.add(target("198.51.100.7"), kStart, hours(1), "first", "a", 1);
  const Block shorter = *list.add(target("198.51.100.7"), kStart + minutes(1), minutes(5), "second", "b", 2);
  EXPECT_EQ(shorter.expires, first.expires);
  EXPECT_EQ(shorter.rule, "first");
  const Block longer = *list.add(target("198.51.100.7"), kStart + minutes(1), hours(2), "third", "c", 3);
  EXPECT_EQ(longer.expires, kStart + minutes(1) + hours(2));
  EXPECT_EQ(longer.rule, "third");
  EXPECT_EQ(longer.label, "c");
  EXPECT_EQ(longer.rule_number, 3);
  EXPECT_EQ(longer.since, kStart);
  EXPECT_EQ(longer.slot, first.slot);
  EXPECT_EQ(list.size(), 1U);
}

TEST(BlockList, RemovesWhatHasExpired) {
  BlockList list(settings());
  add(list, "198.51.100.1", kStart, minutes(1)).value();
  add(list, "198.51.100.2", kStart, minutes(2)).value();
  EXPECT_TRUE(list.expire(kStart + minutes(1) - Duration(1)).empty());
  const std::vector<Block> expired = list.expire(kStart + minutes(1));
  ASSERT_EQ(expired.size(), 1U);
  EXPECT_EQ(to_string(expired[0].target), "198.51.100.1");
  EXPECT_EQ(list.size(), 1U);
}

TEST(BlockList, RemovesByTarget) {
  BlockList list(settings());
  add(list, "198.51.100.1").value();
  EXPECT_FALSE(list.remove(target("198.51.100.2")));
  EXPECT_FALSE(list.remove(target("tcp 198.51.100.1:443")));
  const std::optional<Block> removed = list.remove(target("198.51.100.1"));
  ASSERT_TRUE(removed);
  EXPECT_EQ(removed->slot, 1U);
  EXPECT_EQ(list.size(), 0U);
  EXPECT_FALSE(list.remove(target("198.51.100.1")));
}

TEST(BlockList, RefusesWhateverANeverBlockPrefixTouches) {
  BlockList list(settings({"192.0.2.0/24", "2001:db8::1"}));
  for (const std::string_view text :
       {"192.0.2.1", "192.0.2.0/24", "192.0.2.128/25", "192.0.0.0/16", "tcp 192.0.2.1:443", "icmp 192.0.2.1",
        "udp 10.0.0.1:5 <-> 192.0.2.9:53", "udp 192.0.2.9:5 <-> 198.51.100.1:53", "2001:db8::1", "2001:db8::/32",
        "tcp [2001:db8::1]:443"}) {
    const Result<Block> block = add(list, text);
    ASSERT_FALSE(block) << text;
    EXPECT_EQ(block.error().code, EPERM) << text;
    EXPECT_THAT(block.error().message, testing::HasSubstr("never_block")) << text;
  }
  for (const std::string_view text :
       {"192.0.3.1", "192.0.3.0/24", "tcp 192.0.3.1:443", "2001:db8::2", "udp 10.0.0.1:5 <-> 192.0.3.9:53"})
    EXPECT_TRUE(add(list, text)) << text;
  EXPECT_TRUE(list.never_blocked(*IpAddress::parse("192.0.2.77")));
  EXPECT_FALSE(list.never_blocked(*IpAddress::parse("192.0.3.77")));
}

TEST(BlockList, NamesThePrefixThatForbids) {
  BlockList list(settings({"192.0.2.0/24"}));
  EXPECT_EQ(add(list, "tcp 192.0.2.1:443").error().message,
            "tcp 192.0.2.1:443 is not blocked: the policy has 192.0.2.0/24 in never_block");
}

TEST(BlockList, RefusesTimesOutOfRange) {
  BlockList list(settings());
  for (const Duration duration :
       {Duration::zero(), Duration(-1), Duration::min(), Duration(hours(24 * 7)) + Duration(1), Duration::max()}) {
    const Result<Block> block = add(list, "198.51.100.1", kStart, duration);
    ASSERT_FALSE(block);
    EXPECT_EQ(block.error().code, EINVAL);
    EXPECT_THAT(block.error().message, testing::HasSubstr("max_block = 7d"));
  }
  EXPECT_TRUE(add(list, "198.51.100.1", kStart, hours(24 * 7)));
}

TEST(BlockList, RefusesMoreThanItMayHold) {
  BlockList::Settings small = settings();
  small.max_blocks = 2;
  BlockList list(small);
  EXPECT_TRUE(add(list, "198.51.100.1"));
  EXPECT_TRUE(add(list, "198.51.100.2"));
  const Result<Block> third = add(list, "198.51.100.3");
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, ENOSPC);
  EXPECT_EQ(third.error().message, "198.51.100.3 is not blocked: there are 2 blocks already");
  EXPECT_TRUE(add(list, "198.51.100.1", kStart, hours(3))) << "an extension needs no room";
  list.remove(target("198.51.100.2"));
  EXPECT_TRUE(add(list, "198.51.100.3"));
}

TEST(BlockList, RunsOutOfSlotsBeforeItGivesOneTwice) {
  BlockList::Settings large = settings();
  large.max_blocks = 100000;
  BlockList list(large);
  for (std::uint32_t i = 0; i < BlockList::kMaxSlots - 1; ++i) {
    const IpAddress address = IpAddress::from_ipv4(0x0a000000 + i);
    ASSERT_TRUE(list.add(HostTarget{IpPrefix::of_host(address)}, kStart, hours(1), "r", "", 0));
  }
  EXPECT_FALSE(add(list, "198.51.100.1"));
  list.remove(target("10.0.0.5"));
  const Result<Block> block = add(list, "198.51.100.1");
  ASSERT_TRUE(block);
  EXPECT_EQ(block->slot, 6U);
}

TEST(BlockList, ANewNeverBlockListEndsWhatItForbids) {
  BlockList list(settings());
  add(list, "198.51.100.1").value();
  add(list, "tcp 192.0.2.1:443").value();
  add(list, "udp 10.0.0.1:5 <-> 192.0.2.9:53").value();
  add(list, "192.0.0.0/16").value();
  const std::vector<Block> ended = list.reconfigure(settings({"192.0.2.0/24"}));
  EXPECT_EQ(ended.size(), 3U);
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(to_string(list.all()[0].target), "198.51.100.1");
  EXPECT_FALSE(add(list, "tcp 192.0.2.1:443"));
}

TEST(BlockList, ASmallerLimitKeepsTheBlocksThatAreThere) {
  BlockList list(settings());
  add(list, "198.51.100.1").value();
  add(list, "198.51.100.2").value();
  BlockList::Settings small = settings();
  small.max_blocks = 1;
  EXPECT_TRUE(list.reconfigure(small).empty());
  EXPECT_EQ(list.size(), 2U);
  EXPECT_FALSE(add(list, "198.51.100.3"));
}

TEST(BlockList, TakesOverBlocksWithTheirSlots) {
  const auto old = [](std::string_view text, std::uint32_t slot) {
    return Block{slot, target(text), kStart, kStart + hours(1), "old", "openvpn", 2};
  };
  BlockList list(settings({"192.0.2.0/24"}));
  const std::vector<Block> refused =
      list.restore({old("198.51.100.1", 4), old("198.51.100.2", 2), old("198.51.100.2", 7), old("198.51.100.3", 4),
                    old("192.0.2.1", 5), old("198.51.100.4", 0), old("198.51.100.5", BlockList::kMaxSlots)});
  std::vector<std::string> texts;
  for (const Block& block : refused) texts.push_back(to_string(block.target));
  EXPECT_EQ(texts,
            (std::vector<std::string>{"198.51.100.2", "198.51.100.3", "192.0.2.1", "198.51.100.4", "198.51.100.5"}));
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list.all()[0].rule, "old");
  EXPECT_EQ(list.all()[0].slot, 4U);

  std::set<std::uint32_t> slots = {4, 2};
  for (int i = 0; i < 10; ++i) {
    const Result<Block> block = add(list, fmt::format("203.0.113.{}", i));
    ASSERT_TRUE(block);
    EXPECT_TRUE(slots.insert(block->slot).second) << "slot " << block->slot << " given twice";
  }
  EXPECT_EQ(*slots.rbegin(), 12U) << "the gaps are used";
}

TEST(BlockList, TakesOverNoMoreThanItMayHold) {
  BlockList::Settings small = settings();
  small.max_blocks = 1;
  BlockList list(small);
  const Block first{1, target("198.51.100.1"), kStart, kStart + hours(1), "old", "", 0};
  const Block second{2, target("198.51.100.2"), kStart, kStart + hours(1), "old", "", 0};
  EXPECT_EQ(list.restore({first, second}).size(), 1U);
  EXPECT_EQ(list.size(), 1U);
}

// A world small enough that every kind of collision happens.
class Operations {
 public:
  explicit Operations(unsigned seed) : random_(seed) {}

  unsigned below(unsigned bound) { return std::uniform_int_distribution<unsigned>(0, bound - 1)(random_); }

  IpPrefix prefix() {
    const unsigned length = 128 - below(4);
    const std::uint32_t host = 0x0a000000 + (below(12) >> (128 - length) << (128 - length));
    return {IpAddress::from_ipv4(host), length};
  }

  BlockTarget any_target() {
    const IpAddress a = IpAddress::from_ipv4(0x0a000000 + below(12));
    const IpAddress b = IpAddress::from_ipv4(0x0a000000 + below(12));
    const Transport transport = below(2) == 0 ? Transport::tcp : Transport::udp;
    switch (below(3)) {
      case 0:
        return HostTarget{prefix()};
      case 1:
        return EndpointTarget{a, static_cast<std::uint16_t>(1 + below(2)), transport};
      default:
        return FlowTarget{FlowKey{std::min(a, b), std::max(a, b), 1, 2, transport, 0}};
    }
  }

  BlockList::Settings any_settings() {
    BlockList::Settings result;
    for (unsigned i = below(3); i > 0; --i) result.never_block.push_back(prefix());
    result.max_block = minutes(10);
    result.max_blocks = 1 + below(20);
    return result;
  }

 private:
  std::mt19937 random_;
};

bool forbids(const BlockList::Settings& s, const BlockTarget& t) {
  // By address, not by prefix arithmetic: every address of this world is one of twelve (and four beyond).
  const auto covers = [&](const IpAddress& address) {
    if (const auto* host = std::get_if<HostTarget>(&t)) return host->prefix.contains(address);
    if (const auto* endpoint = std::get_if<EndpointTarget>(&t)) return endpoint->address == address;
    const FlowKey& key = std::get<FlowTarget>(t).key;
    return key.low == address || key.high == address;
  };
  for (std::uint32_t i = 0; i < 16; ++i) {
    const IpAddress address = IpAddress::from_ipv4(0x0a000000 + i);
    if (covers(address) &&
        std::ranges::any_of(s.never_block, [&](const IpPrefix& prefix) { return prefix.contains(address); }))
      return true;
  }
  return false;
}

TEST(BlockList, KeepsItsInvariantsOverRandomOperations) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    Operations world(seed);
    BlockList::Settings current = world.any_settings();
    BlockList list(current);
    std::map<BlockTarget, Timestamp> model;  // what should be there, and until when
    Timestamp now = kStart;

    for (unsigned step = 0; step < 500; ++step) {
      switch (world.below(8)) {
        default: {
          const BlockTarget t = world.any_target();
          const Duration duration = seconds(world.below(700));
          const bool allowed = duration > Duration::zero() && duration <= current.max_block && !forbids(current, t) &&
                               (model.contains(t) || model.size() < current.max_blocks);
          const Result<Block> block = list.add(t, now, duration, "r", "", 1);
          ASSERT_EQ(block.has_value(), allowed) << "seed " << seed << " step " << step;
          if (allowed) {
            Timestamp& expires = model[t];
            expires = std::max(expires, now + duration);
            ASSERT_EQ(block->expires, expires);
          }
          break;
        }
        case 5: {
          const BlockTarget t = world.any_target();
          ASSERT_EQ(list.remove(t).has_value(), model.erase(t) == 1);
          break;
        }
        case 6: {
          now += seconds(world.below(120));
          const std::vector<Block> expired = list.expire(now);
          const std::size_t gone = std::erase_if(model, [&](const auto& entry) { return entry.second <= now; });
          ASSERT_EQ(expired.size(), gone);
          break;
        }
        case 7: {
          if (world.below(5) != 0) break;
          current = world.any_settings();
          const std::vector<Block> ended = list.reconfigure(current);
          const std::size_t gone =
              std::erase_if(model, [&](const auto& entry) { return forbids(current, entry.first); });
          ASSERT_EQ(ended.size(), gone);
          break;
        }
      }

      std::set<BlockTarget> targets;
      std::set<std::uint32_t> slots;
      for (const Block& block : list.all()) {
        ASSERT_TRUE(targets.insert(block.target).second) << "invariant 1";
        ASSERT_FALSE(forbids(current, block.target)) << "invariant 2: " << to_string(block.target);
        ASSERT_TRUE(slots.insert(block.slot).second) << "invariant 3";
        ASSERT_GE(block.slot, 1U);
        ASSERT_LT(block.slot, BlockList::kMaxSlots);
        ASSERT_EQ(model.at(block.target), block.expires);
      }
      ASSERT_EQ(list.size(), model.size());
      ASSERT_EQ(targets.size(), model.size());
    }
  }
}

}  // namespace
}  // namespace spidd
