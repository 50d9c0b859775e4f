// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/spade_views.h"

#include <fmt/format.h>

#include <cstdio>

#include "userspace/ctl/text.h"
#include "userspace/report/table.h"

namespace spidd {

namespace {

using nlohmann::ordered_json;

void print_status(const ordered_json& answer) {
  Table table({{"DETECTOR"},
               {"TYPE"},
               {"SCOPE"},
               {"THRESHOLD", Align::right},
               {"SCORED", Align::right},
               {"TOO FEW SEEN", Align::right},
               {"RARE", Align::right},
               {"EXCLUDED", Align::right},
               {"HELD BACK", Align::right},
               {"CANCELLED", Align::right},
               {"REPORTED", Align::right},
               {"REMEMBERED", Align::right}});
  for (const ordered_json& detector : array_at(answer, "/detectors")) {
    const std::uint64_t insufficient = number_at(detector, "/insufficient");
    table.add({text_at(detector, "/id"), text_at(detector, "/type"), text_at(detector, "/scope"),
               fmt::format("{:.4f}", real_at(detector, "/threshold")),
               grouped(number_at(detector, "/evaluated") - insufficient), grouped(insufficient),
               grouped(number_at(detector, "/anomalous")), grouped(number_at(detector, "/excluded")),
               grouped(number_at(detector, "/held_back")), grouped(number_at(detector, "/cancelled")),
               grouped(number_at(detector, "/reported")), fmt::format("{:.0f}", real_at(detector, "/remembered"))});
  }
  fmt::print("{}\n", table.text());
  fmt::print("profile {}; {} packets seen, {} counted in the kernel ({} connection attempts are known there)\n",
             text_at(answer, "/profile"), grouped(number_at(answer, "/spade/observations")),
             grouped(number_at(answer, "/spade/counted")), grouped(number_at(answer, "/spade/known_attempts")));
  fmt::print("tables: {} entries, {}; {} packets wait for a response\n",
             grouped(number_at(answer, "/spade/table_entries")), byte_text(number_at(answer, "/spade/table_bytes")),
             grouped(number_at(answer, "/spade/waiting")));
  if (answer.contains("incidents"))
    fmt::print("incidents: {} open, {} in all\n", grouped(number_at(answer, "/incidents/open")),
               grouped(number_at(answer, "/incidents/opened") + number_at(answer, "/incidents/resumed")));
}

void print_tables(const ordered_json& answer) {
  Table table({{"PACKETS"},
               {"COUNTED"},
               {"ENTRIES", Align::right},
               {"MEMORY", Align::right},
               {"REMEMBERED", Align::right},
               {"UPDATES", Align::right},
               {"FORGOTTEN", Align::right},
               {"EVICTED", Align::right}});
  for (const ordered_json& one : array_at(answer, "/tables")) {
    std::string features;
    for (const ordered_json& feature : array_at(one, "/features"))
      if (feature.is_string()) features += (features.empty() ? "" : ", ") + feature.get<std::string>();
    table.add({text_at(one, "/conditions"), features, grouped(number_at(one, "/entries")),
               byte_text(number_at(one, "/bytes")), fmt::format("{:.1f}", real_at(one, "/remembered")),
               grouped(number_at(one, "/updates")), grouped(number_at(one, "/forgotten")),
               grouped(number_at(one, "/evicted"))});
  }
  fmt::print("{}", table.text());
}

// Text of each element of an array, as the daemon wrote it.
void print_texts(const ordered_json& answer, const char* array, const char* none) {
  const ordered_json all = array_at(answer, array);
  if (all.empty()) fmt::print("{}\n", none);
  for (const ordered_json& one : all) fmt::print("{}:\n{}\n", text_at(one, "/id"), text_at(one, "/text"));
}

void print_incidents(const ordered_json& answer) {
  const ordered_json open = array_at(answer, "/incidents");
  if (open.empty()) fmt::print("no open incidents\n");
  for (const ordered_json& one : open) print_incident(one);
}

}  // namespace

void print_incident(const ordered_json& event) {
  fmt::print("{} incident {} {}: {}\n", time_of_day(text_at(event, "/timestamp")), number_at(event, "/incident/id"),
             text_at(event, "/incident/change"), text_at(event, "/alert/signature"));
  const std::string rule = text_at(event, "/alert/rule");
  if (rule.empty() || rule == "-") return;
  const bool blocked = text_at(event, "/alert/action") == "blocked";
  const std::string reason = text_at(event, "/alert/reason");
  fmt::print("         rule {}: {}\n", rule,
             blocked                                ? "blocked"
             : event.at("alert").contains("reason") ? "not blocked: " + reason
                                                    : "reported");
}

void print_spade(const std::string& verb, const ordered_json& answer) {
  if (verb == "status") return print_status(answer);
  if (verb == "tables") return print_tables(answer);
  if (verb == "survey") return print_texts(answer, "/surveys", "no survey is configured: [[spade.survey]]");
  if (verb == "advise") return print_texts(answer, "/advisers", "no adviser is configured: [[spade.advise]]");
  if (verb == "incidents") return print_incidents(answer);
  fmt::print("{}", text_at(answer, "/text"));
}

}  // namespace spidd
