// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl ports: the busiest destination ports since the start, from the kernel's counters.
#include "userspace/ctl/client.h"
#include "userspace/ctl/command.h"
#include "userspace/ctl/text.h"
#include "userspace/daemon/protocol.h"
#include "userspace/report/table.h"

namespace spidd {

namespace {

using json = nlohmann::ordered_json;

void print_ports(const json& ports) {
  Table table({{"PORT", Align::right},
               {"PROTO"},
               {"PACKETS IN", Align::right},
               {"OUT", Align::right},
               {"BYTES IN", Align::right},
               {"OUT", Align::right},
               {"ATTEMPTS", Align::right},
               {"REFUSED", Align::right}});
  const auto sum = [](const json& port, const std::string& what) {
    return number_at(port, ("/ingress/" + what).c_str()) + number_at(port, ("/egress/" + what).c_str());
  };
  for (const json& port : ports)
    table.add({fmt::to_string(number_at(port, "/port")), text_at(port, "/proto"),
               grouped(number_at(port, "/ingress/packets")), grouped(number_at(port, "/egress/packets")),
               byte_text(number_at(port, "/ingress/bytes")), byte_text(number_at(port, "/egress/bytes")),
               grouped(sum(port, "attempts")), grouped(sum(port, "refusals"))});
  fmt::print("{}", table.text());
}

}  // namespace

int command_ports(const CommandArguments& arguments) {
  CommandLine line("spidctl ports", "",
                   "Shows the destination ports with most packets: in and out as the interface sees them.");
  line.value("limit", "N", "at most this many", "20");
  line.flag("json", "print JSON lines");
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  const auto limit = line.number("limit", 1, kMostRows);
  if (!limit) return line.usage_error(limit.error().message);
  const auto result = ask_daemon(arguments.socket_path, "ports", {{"limit", *limit}});
  if (!result) return report_failure("ports", result.error());
  if (line.has("json"))
    print_json_lines(array_at(*result, "/ports"));
  else
    print_ports(array_at(*result, "/ports"));
  return kExitDone;
}

}  // namespace spidd
