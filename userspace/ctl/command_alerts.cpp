// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl alerts: what the policy had something to say about, and incidents; with --follow also what comes.
#include <cstdio>

#include "userspace/ctl/client.h"
#include "userspace/ctl/command.h"
#include "userspace/ctl/spade_views.h"
#include "userspace/ctl/text.h"
#include "userspace/daemon/protocol.h"

namespace spidd {

namespace {

using json = nlohmann::ordered_json;

void print_alert(const json& alert) {
  fmt::print("{} {:<5} {} ({})  score {:.2f}, margin {:.2f}, after {} packets\n",
             time_of_day(text_at(alert, "/timestamp")), text_at(alert, "/action"), text_at(alert, "/spid/label"),
             text_at(alert, "/spid/category"), real_at(alert, "/spid/score"), real_at(alert, "/spid/margin"),
             number_at(alert, "/spid/payload_packets"));
  fmt::print("         {} {} -> {}, rule {}\n", text_at(alert, "/proto"), endpoint_text(alert, "src"),
             endpoint_text(alert, "dest"), text_at(alert, "/alert/rule"));
}

void print(const json& alert, bool as_json) {
  if (as_json)
    print_json(alert);
  else if (text_at(alert, "/event_type") == "incident")
    print_incident(alert);
  else
    print_alert(alert);
}

// Prints alerts as they come; ends only with an error.
Result<> follow(Client& client, bool as_json) {
  if (auto subscribed = client.request("subscribe"); !subscribed)
    return tl::unexpected<Error>(std::move(subscribed.error()));
  for (;;) {
    const auto event = client.next_event();
    if (!event) return tl::unexpected<Error>(event.error());
    const std::string type = text_at(*event, "/event_type");
    // Single packets that SPADE finds rare are in the event log; here are incidents.
    const bool shown = type == "incident" || (type == "alert" && !event->contains("spade"));
    if (!shown) continue;
    print(*event, as_json);
    std::fflush(stdout);
  }
}

}  // namespace

int command_alerts(const CommandArguments& arguments) {
  CommandLine line("spidctl alerts", "", "Shows the newest alerts, oldest first.");
  line.flag("follow", "go on with those to come");
  line.value("limit", "N", "at most this many of those there are", "100");
  line.flag("json", "print JSON lines");
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  const auto limit = line.number("limit", 1, kMostRows);
  if (!limit) return line.usage_error(limit.error().message);

  auto client = Client::connect(arguments.socket_path);
  if (!client) return report_failure("alerts", client.error());
  const auto result = client->request("alerts", {{"limit", *limit}});
  if (!result) return report_failure("alerts", result.error());
  const json alerts = array_at(*result, "/alerts");
  for (const json& alert : alerts) print(alert, line.has("json"));
  if (alerts.empty() && !line.has("json") && !line.has("follow")) fmt::print("no alerts\n");
  std::fflush(stdout);
  if (!line.has("follow")) return kExitDone;
  return report_failure("alerts", follow(*client, line.has("json")).error());
}

}  // namespace spidd
