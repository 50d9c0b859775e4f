// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Tables as a person sees them.
#include "userspace/report/table.h"

#include <gtest/gtest.h>

namespace spidd {
namespace {

TEST(Table, AlignsColumns) {
  Table table({{"LABEL"}, {"FLOWS", Align::right}, {"RULE"}});
  table.add({"openvpn", "7", "tunnels"});
  table.add({"ssh", "123456", ""});
  EXPECT_EQ(table.text(0),
            "LABEL     FLOWS  RULE\n"
            "openvpn       7  tunnels\n"
            "ssh      123456\n");
  EXPECT_EQ(table.rows(), 2U);
}

TEST(Table, AnEmptyOneHasItsTitles) { EXPECT_EQ(Table({{"A"}, {"B"}}).text(0), "A  B\n"); }

TEST(Table, MissingCellsAreEmptyAndFurtherOnesAreNotShown) {
  Table table({{"A"}, {"B"}});
  table.add({"1"});
  table.add({"1", "2", "3"});
  EXPECT_EQ(table.text(0), "A  B\n1\n1  2\n");
}

TEST(Table, NarrowsTheWidestTextToFitTheTerminal) {
  Table table({{"CLIENT"}, {"SERVER"}, {"BYTES", Align::right}});
  table.add({"10.0.0.5:40000", "[2001:db8:1:2:3:4:5:6]:443", "1,234"});
  EXPECT_EQ(table.text(40),
            "CLIENT          SERVER             BYTES\n"
            "10.0.0.5:40000  [2001:db8:1:2:3:…  1,234\n");
  EXPECT_EQ(table.text(49), table.text(0));
}

TEST(Table, NeverCutsNumbers) {
  Table table({{"A", Align::right}, {"B"}});
  table.add({"1234567890", "abcdefghij"});
  EXPECT_EQ(table.text(4),
            "         A  B\n"
            "1234567890  abcde…\n");
}

TEST(Table, CountsCharactersNotBytes) {
  Table table({{"FILE"}, {"N"}});
  table.add({"äöü", "1"});
  table.add({"abcd", "2"});
  EXPECT_EQ(table.text(0), "FILE  N\näöü   1\nabcd  2\n");
  Table wide({{"FILE"}});
  wide.add({"ääääääääää"});
  EXPECT_EQ(wide.text(7), "FILE\nääääää…\n");
}

TEST(Table, ShowsNoControlCharacters) {
  Table table({{"A"}});
  table.add({"x\x1b[31m\ny"});
  EXPECT_EQ(table.text(0), "A\nx?[31m?y\n");
}

}  // namespace
}  // namespace spidd
