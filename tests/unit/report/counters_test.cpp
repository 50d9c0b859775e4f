// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The table of counters against the kernel's list, and the Prometheus text.
#include "userspace/report/counters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

namespace spidd {
namespace {

TEST(Counters, EveryCounterOfTheKernelIsExplained) {
  // From the text of the contract, so that nothing has to be kept in step by hand.
  std::ifstream file(SPIDD_SOURCE_DIR "/bpf/abi.h");
  const std::string abi{std::istreambuf_iterator<char>(file), {}};
  const std::size_t begin = abi.find("enum spidd_counter {");
  ASSERT_NE(begin, std::string::npos);
  const std::string list = abi.substr(begin, abi.find("};", begin) - begin);
  std::istringstream lines(list);
  const std::string prefix = "\tSPIDD_";
  unsigned found = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t comma = line.find(',');
    if (!line.starts_with(prefix) || comma == std::string::npos) continue;
    std::string name = line.substr(prefix.size(), comma - prefix.size());
    std::ranges::transform(name, name.begin(), [](char c) { return static_cast<char>(std::tolower(c)); });
    EXPECT_NE(counter_help(name), "") << name;
    ++found;
  }
  EXPECT_GE(found, 20U);
}

TEST(Counters, EveryNameIsThereOnceAndHasHelp) {
  std::set<std::string_view> names;
  for (const CounterInfo& counter : counter_infos()) {
    EXPECT_TRUE(names.insert(counter.name).second) << counter.name;
    EXPECT_EQ(counter.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos) << counter.name;
    EXPECT_FALSE(counter.help.empty());
    EXPECT_NE(counter.help.back(), '.');
  }
  EXPECT_EQ(counter_help("no_such_counter"), "");
}

TEST(Counters, PrometheusTextKeepsTheValuesOfANameTogether) {
  const std::vector<StatsSection> sections = {{"ingress", {{"records_lost", 3}, {"seen_packets", 10}}},
                                              {"egress", {{"records_lost", 0}, {"seen_packets", 7}}},
                                              {"other", {{"new_counter", 1}}}};
  std::string text;
  append_prometheus(text, sections);
  EXPECT_EQ(text,
            "# HELP spidd_records_lost_total payload packets lost because a ring was full\n"
            "# TYPE spidd_records_lost_total counter\n"
            "spidd_records_lost_total{section=\"ingress\"} 3\n"
            "spidd_records_lost_total{section=\"egress\"} 0\n"
            "# HELP spidd_seen_packets_total packets the hook saw, as on the wire\n"
            "# TYPE spidd_seen_packets_total counter\n"
            "spidd_seen_packets_total{section=\"ingress\"} 10\n"
            "spidd_seen_packets_total{section=\"egress\"} 7\n"
            "# TYPE spidd_new_counter_total counter\n"
            "spidd_new_counter_total{section=\"other\"} 1\n");
}

TEST(Counters, PrometheusTextCallsAStateAGauge) {
  std::string text;
  append_prometheus(text, std::vector<StatsSection>{{"incidents", {{"open", 2}, {"opened", 5}}}});
  EXPECT_EQ(text,
            "# HELP spidd_open incidents that are open now\n"
            "# TYPE spidd_open gauge\n"
            "spidd_open{section=\"incidents\"} 2\n"
            "# HELP spidd_opened_total incidents opened\n"
            "# TYPE spidd_opened_total counter\n"
            "spidd_opened_total{section=\"incidents\"} 5\n");
  for (const CounterInfo& counter : counter_infos())
    EXPECT_EQ(counter.gauge, counter.help.ends_with(" now")) << counter.name << " is of now";
}

}  // namespace
}  // namespace spidd
