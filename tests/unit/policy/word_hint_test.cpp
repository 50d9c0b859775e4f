// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The hints that go with misspelt words.
#include "userspace/policy/word_hint.h"

#include <gtest/gtest.h>

#include <array>

namespace spidd {
namespace {

constexpr std::array<std::string_view, 5> kWords = {"labels", "categories", "min_score", "for", "scope"};

TEST(WordHint, FindsTheWordWithFewestEdits) {
  EXPECT_EQ(nearest_word("lables", kWords), "labels");           // swap
  EXPECT_EQ(nearest_word("label", kWords), "labels");            // missing letter
  EXPECT_EQ(nearest_word("categoriess", kWords), "categories");  // letter too many
  EXPECT_EQ(nearest_word("min-score", kWords), "min_score");     // wrong letter
  EXPECT_EQ(nearest_word("labels", kWords), "labels");
}

TEST(WordHint, IsSilentWhenNothingIsNear) {
  EXPECT_EQ(nearest_word("threshold", kWords), "");
  EXPECT_EQ(nearest_word("ab", kWords), "");
  EXPECT_EQ(nearest_word("", kWords), "");
  EXPECT_EQ(nearest_word("labels", {}), "");
  EXPECT_EQ(nearest_word(std::string(100, 'l'), kWords), "");
}

TEST(WordHint, WritesTheQuestion) {
  EXPECT_EQ(did_you_mean("lables", kWords), "; did you mean 'labels'?");
  EXPECT_EQ(did_you_mean("treshold", kWords), "");
}

}  // namespace
}  // namespace spidd
