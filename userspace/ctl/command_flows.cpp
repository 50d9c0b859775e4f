// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl flows: the flows that spidd follows, or those that ended last; newest first.
#include "userspace/ctl/client.h"
#include "userspace/ctl/command.h"
#include "userspace/ctl/text.h"
#include "userspace/daemon/protocol.h"
#include "userspace/report/table.h"

namespace spidd {

namespace {

void print_flows(const nlohmann::ordered_json& result, const char* total, std::string_view kind) {
  Table table({{"PROTO"}, {"CLIENT"}, {"SERVER"}, {"LABEL"}, {"SCORE", Align::right}, {"BYTES", Align::right}, {""}});
  const nlohmann::ordered_json flows = array_at(result, "/flows");
  for (const nlohmann::ordered_json& flow : flows) {
    const std::string state = text_at(flow, "/spid/state");
    const bool identified = state == "identified";
    const std::string action = text_at(flow, "/action");
    table.add({text_at(flow, "/proto"), endpoint_text(flow, "src"), endpoint_text(flow, "dest"),
               identified ? text_at(flow, "/spid/label") : state,
               identified ? fmt::format("{:.2f}", real_at(flow, "/spid/score")) : "",
               byte_text(number_at(flow, "/flow/bytes_toserver") + number_at(flow, "/flow/bytes_toclient")),
               action == "pass" ? "" : action});
  }
  fmt::print("{}{} of {} {}\n", table.text(), grouped(flows.size()), grouped(number_at(result, total)), kind);
}

}  // namespace

int command_flows(const CommandArguments& arguments) {
  CommandLine line("spidctl flows", "", "Shows the flows that spidd follows, newest first.");
  line.flag("ended", "the flows that ended last instead");
  line.value("limit", "N", "at most this many", "100");
  line.flag("json", "print JSON lines");
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  const auto limit = line.number("limit", 1, kMostRows);
  if (!limit) return line.usage_error(limit.error().message);
  const bool ended = line.has("ended");
  const auto result = ask_daemon(arguments.socket_path, ended ? "ended_flows" : "flows", {{"limit", *limit}});
  if (!result) return report_failure("flows", result.error());
  if (line.has("json"))
    print_json_lines(array_at(*result, "/flows"));
  else
    print_flows(*result, ended ? "/last" : "/live", ended ? "ended flows" : "flows");
  return kExitDone;
}

}  // namespace spidd
