// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/base/lru_table.h"

#include <gtest/gtest.h>

#include <list>
#include <map>
#include <random>

namespace spidd {
namespace {

using Table = LruTable<int, int, 2>;

TEST(LruTable, FindsWhatWasInserted) {
  Table table(10);
  const auto slot = table.insert(42);
  table[slot] = 7;
  ASSERT_EQ(table.find(42), slot);
  EXPECT_EQ(table[table.find(42)], 7);
  EXPECT_EQ(table.find(43), Table::kNone);
}

struct Named {
  int name = 0;
  int value = 0;
};

TEST(LruTable, KeepsNoCopyOfAKeyThatTheValueHolds) {
  using NamedTable = LruTable<int, Named, 2, &Named::name>;
  static_assert(NamedTable::bytes_per_entry() + sizeof(int) == LruTable<int, Named, 2>::bytes_per_entry());
  NamedTable table(200);
  for (int name = 0; name < 200; ++name) table[table.insert(name)].value = -name;
  for (int name = 0; name < 200; name += 2) table.erase(table.find(name));
  for (int name = 0; name < 200; ++name) {
    const auto slot = table.find(name);
    ASSERT_EQ(slot == NamedTable::kNone, name % 2 == 0);
    if (slot == NamedTable::kNone) continue;
    EXPECT_EQ(table.key(slot), name);
    EXPECT_EQ(table[slot].value, -name);
  }
}

TEST(LruTable, ForgetsWhatWasErased) {
  Table table(10);
  table.erase(table.insert(42));
  EXPECT_EQ(table.find(42), Table::kNone);
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.oldest(), Table::kNone);
}

TEST(LruTable, TouchMakesAnEntryTheNewest) {
  Table table(10);
  const auto first = table.insert(1);
  const auto second = table.insert(2);
  table.touch(first);
  EXPECT_EQ(table.oldest(), second);
  EXPECT_EQ(table.newer(second), first);
  EXPECT_EQ(table.newer(first), Table::kNone);
}

TEST(LruTable, TouchMovesBetweenLists) {
  Table table(10);
  const auto slot = table.insert(1, 0);
  table.touch(slot, 1);
  EXPECT_EQ(table.oldest(0), Table::kNone);
  EXPECT_EQ(table.oldest(1), slot);
  EXPECT_EQ(table.size(0), 0U);
  EXPECT_EQ(table.size(1), 1U);
}

TEST(LruTable, SaysWhenItIsFull) {
  Table table(2);
  table.insert(1);
  EXPECT_FALSE(table.full());
  table.insert(2);
  EXPECT_TRUE(table.full());
}

// Against a map and a list, over random operations on few keys, so that erasing within probe chains happens often.
TEST(LruTable, BehavesLikeAMapWithAnOrder) {
  std::mt19937 random(1);
  Table table(200);
  std::map<int, int> values;
  std::list<int> order;
  for (int step = 0; step < 200000; ++step) {
    const int key = static_cast<int>(random() % 400);
    const auto slot = table.find(key);
    ASSERT_EQ(slot != Table::kNone, values.contains(key));
    switch (random() % 3) {
      case 0:
        if (slot == Table::kNone && !table.full()) {
          table[table.insert(key)] = step;
          values[key] = step;
          order.push_back(key);
        }
        break;
      case 1:
        if (slot != Table::kNone) {
          ASSERT_EQ(table[slot], values[key]);
          table.erase(slot);
          values.erase(key);
          order.remove(key);
        }
        break;
      default:
        if (slot != Table::kNone) {
          table.touch(slot);
          order.remove(key);
          order.push_back(key);
        }
    }
    ASSERT_EQ(table.size(), values.size());
  }
  auto slot = table.oldest();
  for (const int key : order) {
    ASSERT_NE(slot, Table::kNone);
    EXPECT_EQ(table.key(slot), key);
    slot = table.newer(slot);
  }
  EXPECT_EQ(slot, Table::kNone);
}

}  // namespace
}  // namespace spidd
