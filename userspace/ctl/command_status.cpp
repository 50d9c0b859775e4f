// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl status: what spidd watches, sees and blocks, on one screen.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "userspace/base/time.h"
#include "userspace/ctl/client.h"
#include "userspace/ctl/command.h"
#include "userspace/ctl/text.h"

namespace spidd {

namespace {

using json = nlohmann::ordered_json;

constexpr std::size_t kWidth = 80;

void print_row(std::string_view name, std::string_view text) { fmt::print("{:<11} {}\n", name, text); }

// "https 50, dns 30, ...": the most frequent first, on lines that fit.
void print_labels(const json& labels) {
  if (!labels.is_object()) return;
  std::vector<std::pair<std::uint64_t, std::string>> order;
  for (const auto& item : labels.items())
    if (item.value().is_number_unsigned()) order.emplace_back(item.value().get<std::uint64_t>(), item.key());
  std::ranges::sort(
      order, [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
  std::string row;
  for (const auto& [count, label] : order) {
    const std::string word = fmt::format("{} {}", label, grouped(count));
    if (!row.empty() && 12 + row.size() + 2 + word.size() > kWidth) {
      print_row("", row + ",");
      row.clear();
    }
    row += (row.empty() ? "" : ", ") + word;
  }
  if (!row.empty()) print_row("", row);
}

// Two rows: what it saw, and what it knows.
void print_spade(const json& status) {
  const auto found = status.find("spade");
  if (found == status.end() || !found->is_object()) return;
  const json& spade = *found;
  if (spade.value("enabled", json(false)) != true) return print_row("anomalies", "not looked for: SPADE is off");
  if (!spade.contains("observations")) return print_row("anomalies", "SPADE is busy");
  const std::uint64_t learning = number_at(spade, "/detectors_learning");
  print_row("anomalies",
            fmt::format("{} open incidents of {}, {} rare packets of {}", grouped(number_at(spade, "/open_incidents")),
                        grouped(number_at(spade, "/incidents")), grouped(number_at(spade, "/rare_packets")),
                        grouped(number_at(spade, "/observations") + number_at(spade, "/counted"))));
  print_row("", fmt::format("{} counts remembered in {}{}{}", grouped(number_at(spade, "/table_entries")),
                            byte_text(number_at(spade, "/table_bytes")),
                            learning > 0 ? fmt::format(", {} of {} detectors have seen too little", learning,
                                                       number_at(spade, "/detectors"))
                                         : "",
                            number_at(spade, "/checkpoints_failed") > 0 ? ", state not kept" : ""));
}

void print_status(const json& status) {
  const auto uptime = std::chrono::seconds(static_cast<std::int64_t>(real_at(status, "/uptime_seconds")));
  print_row("spidd", fmt::format("{}, up {}, {} mode", text_at(status, "/version"), format_duration(uptime),
                                 text_at(status, "/mode")));
  std::string_view name = "interfaces";
  for (const json& interface : array_at(status, "/interfaces")) {
    const bool gone = interface.contains("present") && interface["present"] == false;
    print_row(name, fmt::format("{} ({} in, {} out){}", text_at(interface, "/name"), text_at(interface, "/ingress"),
                                text_at(interface, "/egress"), gone ? ": gone, not watched any more" : ""));
    name = "";
  }
  const auto counted = [&](const char* what, auto text) {
    const std::string path = fmt::format("/{}/", what);
    print_row(what, fmt::format("{} seen, {} passed, {} dropped", text(number_at(status, (path + "seen").c_str())),
                                text(number_at(status, (path + "passed").c_str())),
                                text(number_at(status, (path + "dropped").c_str()))));
  };
  counted("packets", grouped);
  counted("bytes", byte_text);
  print_row("flows",
            fmt::format("{} live: {} identified, {} unknown, {} undecided", grouped(number_at(status, "/flows/live")),
                        grouped(number_at(status, "/flows/identified")), grouped(number_at(status, "/flows/unknown")),
                        grouped(number_at(status, "/flows/undecided"))));
  if (status.contains("flows") && status["flows"].contains("labels")) print_labels(status["flows"]["labels"]);
  print_row("records", fmt::format("{} sent, {} lost", grouped(number_at(status, "/records/sent")),
                                   grouped(number_at(status, "/records/lost"))));
  const std::uint64_t over_limit = number_at(status, "/events/over_limit");
  print_row("events",
            fmt::format("{} written, {} lost{}", grouped(number_at(status, "/events/written")),
                        grouped(number_at(status, "/events/lost")),
                        over_limit > 0 ? fmt::format(", {} ends of flows over the limit", grouped(over_limit)) : ""));
  const std::uint64_t blocks = number_at(status, "/blocks/active");
  print_row("blocks", fmt::format("{} active{}", grouped(blocks),
                                  blocks > 0 && text_at(status, "/mode") == "observe" ? ", not enforced now" : ""));
  if (number_at(status, "/decision_latency_us/count") > 0)
    print_row("reaction", fmt::format("{:.1f} ms from packet to drop entry in half of all cases, {:.1f} ms in 99 %",
                                      real_at(status, "/decision_latency_us/p50") / 1000,
                                      real_at(status, "/decision_latency_us/p99") / 1000));
  const std::string policy = text_at(status, "/policy/path");
  print_row("policy", fmt::format("{}, {} rules, {} incident rules", policy.empty() ? "built-in" : policy,
                                  number_at(status, "/policy/rules"), number_at(status, "/policy/incident_rules")));
  print_row("models",
            fmt::format("{} from {}", number_at(status, "/models/count"), text_at(status, "/models/directory")));
  if (const auto site = status.find("site"); site != status.end() && site->contains("ready"))
    print_row("site", site->at("ready") == true ? "learned" : "not learned: see spidctl site status");
  print_spade(status);
  for (const json& warning : array_at(status, "/warnings"))
    if (warning.is_string()) print_row("warning", warning.get_ref<const std::string&>());
}

Result<> show(const CommandArguments& arguments, bool as_json, bool clear) {
  const auto status = ask_daemon(arguments.socket_path, "status");
  if (!status) return tl::unexpected<Error>(status.error());
  if (clear) fmt::print("\x1b[H\x1b[2J");
  if (as_json)
    print_json(*status);
  else
    print_status(*status);
  std::fflush(stdout);
  return {};
}

}  // namespace

int command_status(const CommandArguments& arguments) {
  CommandLine line("spidctl status", "", "Shows what spidd watches, sees and blocks.");
  line.flag("json", "print one JSON object");
  line.flag("watch", "go on showing it, every second");
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  for (;;) {
    if (const auto shown = show(arguments, line.has("json"), line.has("watch") && !line.has("json")); !shown)
      return report_failure("status", shown.error());
    if (!line.has("watch")) return kExitDone;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

}  // namespace spidd
