// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl drops: what is blocked, why, for how long, and what that has dropped.
#include "userspace/base/time.h"
#include "userspace/ctl/client.h"
#include "userspace/ctl/command.h"
#include "userspace/ctl/text.h"
#include "userspace/daemon/protocol.h"
#include "userspace/report/table.h"

namespace spidd {

namespace {

using json = nlohmann::ordered_json;

void print_drops(const json& result) {
  const json drops = array_at(result, "/drops");
  if (drops.empty()) {
    fmt::print("nothing is blocked\n");
    return;
  }
  Table table(
      {{"TARGET"}, {"LABEL"}, {"RULE"}, {"LEFT", Align::right}, {"PACKETS", Align::right}, {"BYTES", Align::right}});
  for (const json& drop : drops) {
    const auto left = std::chrono::seconds(static_cast<std::int64_t>(real_at(drop, "/remaining_seconds")));
    table.add({text_at(drop, "/target"), text_at(drop, "/label"), text_at(drop, "/rule"), format_duration(left),
               grouped(number_at(drop, "/packets")), byte_text(number_at(drop, "/bytes"))});
  }
  fmt::print("{}", table.text());
  if (result.contains("enforced") && result["enforced"] == false)
    fmt::print("Not enforced at the moment: the policy observes.\n");
}

}  // namespace

int command_drops(const CommandArguments& arguments) {
  CommandLine line("spidctl drops", "", "Shows what is blocked, newest first.");
  line.value("limit", "N", "at most this many", "1000");
  line.flag("json", "print JSON lines");
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  const auto limit = line.number("limit", 1, kMostRows);
  if (!limit) return line.usage_error(limit.error().message);
  const auto result = ask_daemon(arguments.socket_path, "drops", {{"limit", *limit}});
  if (!result) return report_failure("drops", result.error());
  if (line.has("json"))
    print_json_lines(array_at(*result, "/drops"));
  else
    print_drops(*result);
  return kExitDone;
}

}  // namespace spidd
