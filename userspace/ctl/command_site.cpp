// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl site: learns the site's own benign traffic: record, review, accept or reject, take back. Of a running spidd
// or, with --state, of a directory.
#include <algorithm>
#include <cerrno>

#include "userspace/ctl/client.h"
#include "userspace/ctl/command.h"
#include "userspace/ctl/settled_flows.h"
#include "userspace/ctl/site_text.h"
#include "userspace/ctl/text.h"
#include "userspace/daemon/config.h"
#include "userspace/daemon/site_requests.h"
#include "userspace/engine/site_judgement.h"

namespace spidd {

namespace {

using nlohmann::ordered_json;

Result<ModelDatabase> load_shipped(const CommandLine& line) {
  return load_models(line.has("models") ? line.text("models") : default_models_directory());
}

Result<std::unique_ptr<SiteJudge>> load_judge(const CommandLine& line) {
  auto database = load_shipped(line);
  if (!database) return tl::unexpected<Error>(database.error());
  return SiteJudgement::of(std::move(*database));
}

// Without the limits of spidd.toml there is room for all that any may allow, and nothing is given up.
Result<SiteSettings> settings_of(const CommandLine& line) {
  SiteSettings settings;
  settings.limits.memory_bytes = kMostSiteBytes;
  settings.limits.services = kMostSiteServices;
  if (!line.has("config")) return settings;
  const auto config = load_config(line.text("config"));
  if (!config) return tl::unexpected<Error>(config.error());
  return config->study.site;
}

Result<SiteLearning> open_site(const CommandLine& line, MeterRules rules, bool read_only) {
  auto chosen = settings_of(line);
  if (!chosen) return tl::unexpected<Error>(chosen.error());
  SiteSettings settings = std::move(*chosen);
  settings.directory = line.text("state");
  settings.read_only = read_only;
  std::vector<std::string> warnings;
  auto site = SiteLearning::open(std::move(settings), rules, warnings);
  for (const std::string& warning : warnings) fmt::print(stderr, "spidctl site: {}\n", warning);
  if (!site && site.error().code == EWOULDBLOCK)
    return fail("{}: if it is spidd, say it without --state", site.error().message);
  return site;
}

// The words after the verb and the options as members of a request.
ordered_json request_of(const CommandLine& line, const std::string& verb) {
  ordered_json request = {{"verb", verb}};
  if (verb == "record") request["for"] = line.text("for");
  if (verb == "accept" || verb == "reject" || verb == "undo" || verb == "forget") {
    const auto& words = line.positionals();
    request["services"] = std::vector<std::string>(words.begin() + 1, words.end());
  }
  if (verb == "accept") {
    if (line.has("all-clear")) request["all_clear"] = true;
    for (const char* option : {"label", "as", "category"})
      if (line.has(option)) request[option] = line.text(option);
  }
  return request;
}

Result<ordered_json> ask_directory(const CommandLine& line, const ordered_json& words) {
  std::vector<std::string> known;
  const auto request = parse_site_request(nlohmann::json(words), known);
  if (!request) return tl::unexpected<Error>(request.error());
  const auto shipped = load_shipped(line);
  if (!shipped) return tl::unexpected<Error>(shipped.error());
  const bool read_only = request->verb == SiteRequest::Verb::status || request->verb == SiteRequest::Verb::review;
  auto site = open_site(line, shipped->rules, read_only);
  if (!site) return tl::unexpected<Error>(site.error());
  bool changed = false;
  return answer_site(
      *site, *request, [&line] { return load_judge(line); }, wall_clock_now(), changed);
}

int print_answer(const CommandLine& line, const std::string& verb, const ordered_json& answer) {
  if (line.has("json")) {
    print_json(answer);
    return array_at(answer, "/refused").empty() ? kExitDone : kExitFailed;
  }
  if (verb == "review") {
    print_site_review(answer);
  } else if (verb == "status" || verb == "record" || verb == "stop") {
    print_site_status(answer);
  } else {
    const char* const done = verb == "accept"   ? "accepted"
                             : verb == "reject" ? "rejected"
                             : verb == "undo"   ? "taken back:"
                                                : "forgotten:";
    if (print_site_outcome(answer, done)) return kExitFailed;
  }
  return kExitDone;
}

// Captures may be of any time: the period is theirs.
Result<std::uint64_t> learn(const CommandLine& line, bool& failed) {
  auto database = load_shipped(line);
  if (!database) return tl::unexpected<Error>(database.error());
  auto site = open_site(line, database->rules, false);
  if (!site) return tl::unexpected<Error>(site.error());
  if (auto appended = add_learned_models(*database, site->models()); !appended)
    return tl::unexpected<Error>(appended.error());
  auto matcher = Matcher::build(*database);
  if (!matcher) return tl::unexpected<Error>(matcher.error());
  auto policy = line.has("policy") ? load_policy(line.text("policy")) : Result<Policy>(builtin_policy());
  if (!policy) return tl::unexpected<Error>(policy.error());
  SettlingCapture capture;
  capture.matcher = std::make_shared<const Matcher>(std::move(*matcher));
  capture.policy = std::make_shared<const Policy>(std::move(*policy));
  capture.filter = line.text("filter");
  const Timestamp now = wall_clock_now();
  if (auto started = site->record(now, Duration::max()); !started) return tl::unexpected<Error>(started.error());
  std::uint64_t flows = 0;
  const auto& words = line.positionals();
  for (auto path = words.begin() + 1; path != words.end(); ++path) {
    capture.path = *path;
    const auto recorded = settle_flows(capture, [&](const SettledFlow& flow) { site->add(flow); });
    if (recorded && recorded->damage.empty()) {
      flows += recorded->flows;
      continue;
    }
    failed = true;
    report_failure("site learn", recorded ? Error{recorded->damage} : recorded.error());
  }
  const std::uint64_t known = site->drop_accepted();
  if (known > 0)
    fmt::print(stderr, "spidctl site: {} flows are of services that were accepted with them already: left out\n",
               grouped(known));
  if (auto stopped = site->stop(wall_clock_now()); !stopped) return tl::unexpected<Error>(stopped.error());
  return flows - std::min(flows, known);
}

int run_learn(const CommandLine& line) {
  if (!line.has("state")) return line.usage_error("--state is missing: where is the site to be learned?");
  if (line.positionals().size() < 2) return line.usage_error("learn needs capture files");
  bool failed = false;
  const auto flows = learn(line, failed);
  if (!flows) return report_failure("site learn", flows.error());
  if (line.has("json"))
    print_json({{"flows", *flows}});
  else
    fmt::print("{} flows recorded: go on with 'spidctl site review --state {}'\n", grouped(*flows), line.text("state"));
  return failed ? kExitFailed : kExitDone;
}

}  // namespace

int command_site(const CommandArguments& arguments) {
  CommandLine line("spidctl site",
                   "status | record [stop] | review | accept SERVICE... | reject SERVICE... | undo SERVICE... | forget "
                   "SERVICE... | learn FILE...",
                   "Learns the site's own benign traffic. A SERVICE is ADDRESS:PORT, ADDRESS:PORT/TRANSPORT or "
                   "ADDRESS:PORT/TRANSPORT/LABEL.");
  line.value("for", "DURATION", "record: how long", "7d");
  line.flag("all-clear", "accept: every service that nothing speaks against");
  line.value("label", "LABEL", "accept: what was named so and does not look like a tunnel");
  line.value("as", "LABEL", "accept: what the services are, if not what they were named");
  line.value("category", "NAME", "accept --as with a label of your own: plain (default), encrypted or p2p");
  line.value("state", "DIR", "work on this directory, not on a running spidd; learn needs it");
  line.value("config", "FILE", "with --state: spidd.toml, whose limits of [site] hold; default: the highest limits");
  line.value("models", "DIR", "with --state: directory of model files; default: the installed ones");
  line.value("policy", "FILE", "learn: what it alerts on is not learned; default: alert on every tunnel");
  line.value("filter", "EXPRESSION", "learn: only packets that match this pcap-filter(7) expression");
  line.flag("json", "print one JSON object");
  line.positional("verb", 0, 100000);
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  const auto& words = line.positionals();
  std::string verb = words.empty() ? "status" : words.front();
  if (verb == "learn") return run_learn(line);
  // record stop, record status
  if (verb == "record" && words.size() == 2 && (words[1] == "stop" || words[1] == "status")) verb = words[1];
  const bool names_services = verb == "accept" || verb == "reject" || verb == "undo" || verb == "forget";
  if (!names_services && words.size() > (words.empty() || verb == words.front() ? 1U : 2U))
    return line.usage_error(fmt::format("'{}' is too much", words.back()));

  const ordered_json request = request_of(line, verb);
  std::vector<std::string> known;
  if (const auto good = parse_site_request(nlohmann::json(request), known); !good)
    return line.usage_error(good.error().message);
  const auto answer =
      line.has("state") ? ask_directory(line, request) : ask_daemon(arguments.socket_path, "site", request);
  if (!answer) return report_failure("site", answer.error());
  return print_answer(line, verb, *answer);
}

}  // namespace spidd
