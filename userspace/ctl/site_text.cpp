// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/site_text.h"

#include <fmt/format.h>

#include "userspace/ctl/text.h"
#include "userspace/report/table.h"

namespace spidd {

namespace {

using json = nlohmann::ordered_json;

void print_row(std::string_view name, const std::string& text) { fmt::print("{:<14}{}\n", name, text); }

bool flag_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

std::string string_of(const json& value) { return value.is_string() ? value.get<std::string>() : "-"; }

// "3 of 412 alerted (at most 2.0 %), 0 blocked (at most 0.7 %)"
std::string rate_text(const json& rates, const std::string& when) {
  const auto at = [&](const char* member) { return "/" + when + "/" + member; };
  return fmt::format("{} of {} flows would be alerted (at most {:.2f} %), {} blocked (at most {:.2f} %)",
                     number_at(rates, at("alerts").c_str()), grouped(number_at(rates, "/flows")),
                     100 * real_at(rates, at("alerts_at_most").c_str()), number_at(rates, at("blocks").c_str()),
                     100 * real_at(rates, at("blocks_at_most").c_str()));
}

std::string period_text(const json& status) {
  const std::string since = text_at(status, "/since");
  if (since == "-" || since.empty()) return "never";
  const std::string until = text_at(status, "/until");
  if (flag_at(status, "recording")) return fmt::format("since {} until {}", since, until);
  return fmt::format("no longer: from {} to {}", since, until);
}

}  // namespace

void print_site_status(const json& status) {
  print_row("recording", period_text(status));
  print_row(
      "recorded",
      fmt::format("{} services, {} flows, of which {} were alerted or blocked; {} of {}",
                  grouped(number_at(status, "/recorded/services")), grouped(number_at(status, "/recorded/flows")),
                  grouped(number_at(status, "/recorded/touched")), byte_text(number_at(status, "/recorded/bytes")),
                  byte_text(number_at(status, "/recorded/most_bytes"))));
  if (number_at(status, "/given_up/services") > 0)
    print_row("given up", fmt::format("{} services with {} flows, for want of room",
                                      grouped(number_at(status, "/given_up/services")),
                                      grouped(number_at(status, "/given_up/flows"))));
  print_row("accepted", fmt::format("{} services, {} flows", grouped(number_at(status, "/accepted/services")),
                                    grouped(number_at(status, "/accepted/flows"))));
  if (number_at(status, "/rejected/services") > 0)
    print_row("rejected", fmt::format("{} services", grouped(number_at(status, "/rejected/services"))));
  if (const auto rates = status.find("rates"); rates != status.end() && rates->is_object()) {
    print_row("as shipped", rate_text(*rates, "before"));
    print_row("learned", rate_text(*rates, "after"));
    print_row("new services", rate_text(*rates, "new_services"));
  }
  print_row("ready", flag_at(status, "ready") ? "yes: statistical verdicts may block where the policy says so" : "no");
  for (const json& missing : array_at(status, "/missing")) print_row("", string_of(missing));
}

void print_site_review(const json& review) {
  Table table({{"SERVICE"},
               {"FLOWS", Align::right},
               {"CLIENTS", Align::right},
               {"SCORE", Align::right},
               {"TUNNEL", Align::right},
               {"STATE"},
               {"DOUBT"}});
  const json services = array_at(review, "/services");
  for (const json& service : services) {
    std::string doubts;
    for (const json& doubt : array_at(service, "/doubts"))
      doubts += fmt::format("{}{}", doubts.empty() ? "" : "; ", text_at(doubt, "/reason"));
    const std::string state = text_at(service, "/state");
    table.add({text_at(service, "/service"), grouped(number_at(service, "/flows")),
               fmt::format("{}{}", number_at(service, "/clients"), flag_at(service, "more_clients") ? "+" : ""),
               fmt::format("{:.2f}", real_at(service, "/score_mean")),
               fmt::format("{:+.2f}", real_at(service, "/tunnel_margin_mean")), state == "recorded" ? "" : state,
               doubts});
  }
  fmt::print("{}{} of {} services to review\n", table.text(), grouped(services.size()),
             grouped(number_at(review, "/recorded")));
  const json decided = array_at(review, "/decided");
  if (decided.empty()) return;
  Table decisions({{"DECIDED"}, {"STATE"}, {"AS"}, {"FLOWS", Align::right}});
  for (const json& decision : decided) {
    const std::string state = text_at(decision, "/state");
    const bool accepted = state == "accepted";
    decisions.add({text_at(decision, "/service"), state, accepted ? text_at(decision, "/as") : "",
                   accepted ? grouped(number_at(decision, "/flows")) : ""});
  }
  fmt::print("\n{}", decisions.text());
}

bool print_site_outcome(const json& outcome, const char* done) {
  const json services = array_at(outcome, "/services");
  const json refused = array_at(outcome, "/refused");
  for (const json& reason : refused) fmt::print(stderr, "spidctl site: {}\n", string_of(reason));
  if (services.empty() && !refused.empty()) return true;  // nothing has changed
  for (const json& service : services) fmt::print("{} {}\n", done, string_of(service));
  fmt::print("{} services {}\n", grouped(services.size()), done);
  if (const auto status = outcome.find("status"); status != outcome.end()) {
    fmt::print("\n");
    print_site_status(*status);
  }
  return !refused.empty();
}

}  // namespace spidd
