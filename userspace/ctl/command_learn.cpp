// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl learn: protocols that no model knew: what was learned of them, and the operator's word on it. Of a running
// spidd or, with --state, of a directory; `from` learns from captures into such a directory.
#include <algorithm>
#include <cerrno>

#include "userspace/base/staged_files.h"
#include "userspace/ctl/client.h"
#include "userspace/ctl/command.h"
#include "userspace/ctl/learn_capture.h"
#include "userspace/ctl/text.h"
#include "userspace/daemon/config.h"
#include "userspace/daemon/learn_requests.h"
#include "userspace/learning/learner_state.h"
#include "userspace/report/table.h"

namespace spidd {

namespace {

using nlohmann::ordered_json;

constexpr Duration kLockPatience = std::chrono::seconds(3);

std::string name_of(const ordered_json& cluster) {
  const std::string name = text_at(cluster, "/name");
  return name.empty() ? fmt::format("#{}", number_at(cluster, "/id")) : name;
}

std::string listed(const ordered_json& cluster, const char* array, const char* member, std::size_t most) {
  std::string text;
  std::size_t shown = 0;
  for (const ordered_json& entry : array_at(cluster, array)) {
    if (++shown > most) return text + ", ...";
    const auto& value = entry.contains(member) ? entry[member] : entry;
    text += fmt::format("{}{}", text.empty() ? "" : ", ", value.is_string() ? value.get<std::string>() : value.dump());
  }
  return text;
}

void print_list(const ordered_json& answer) {
  Table table({{"NAME"},
               {"STATE"},
               {"TRANSPORT"},
               {"FLOWS", Align::right},
               {"PACKETS", Align::right},
               {"CLIENTS", Align::right},
               {"PORTS"},
               {"SERVERS"},
               {"FIRST SEEN"},
               {"LAST SEEN"}});
  const ordered_json clusters = array_at(answer, "/clusters");
  std::size_t promoted = 0;
  for (const ordered_json& cluster : clusters) {
    const std::string state = text_at(cluster, "/state");
    if (state != "anonymous") ++promoted;
    table.add({name_of(cluster), state, text_at(cluster, "/transport"), grouped(number_at(cluster, "/flows")),
               grouped(number_at(cluster, "/payload_packets")), grouped(number_at(cluster, "/clients")),
               listed(cluster, "/top_ports", "port", 3), listed(cluster, "/top_servers", "server", 2),
               text_at(cluster, "/first_seen").substr(0, 19), text_at(cluster, "/last_seen").substr(0, 19)});
  }
  fmt::print("{}{} clusters, {} of them with a name\n", table.text(), clusters.size(), promoted);
}

void print_cluster(const ordered_json& cluster) {
  fmt::print("{}: {}, {}, family {}, category {}\n", name_of(cluster), text_at(cluster, "/state"),
             text_at(cluster, "/transport"), text_at(cluster, "/family"), text_at(cluster, "/category"));
  fmt::print("{} flows, {} payload packets, {} clients, {} servers, on {} occasions, from {} to {}\n",
             grouped(number_at(cluster, "/flows")), grouped(number_at(cluster, "/payload_packets")),
             grouped(number_at(cluster, "/clients")), grouped(number_at(cluster, "/servers")),
             grouped(number_at(cluster, "/occasions")), text_at(cluster, "/first_seen").substr(0, 19),
             text_at(cluster, "/last_seen").substr(0, 19));
  fmt::print("self-consistency {:.2f} bits, threshold {:.2f}\n", real_at(cluster, "/consistency"),
             real_at(cluster, "/threshold"));
  fmt::print("servers: {}\nports: {}\n", listed(cluster, "/top_servers", "server", 8),
             listed(cluster, "/top_ports", "port", 8));
  for (const ordered_json& sample : array_at(cluster, "/samples")) {
    fmt::print("\nflow {}: {} to {}\n", number_at(sample, "/flow_id"), text_at(sample, "/client"),
               text_at(sample, "/server"));
    for (const ordered_json& packet : array_at(sample, "/packets")) {
      const std::string hex = text_at(packet, "/hex");
      const std::string text = text_at(packet, "/text");
      fmt::print("  {} {} bytes\n", text_at(packet, "/direction"), number_at(packet, "/length"));
      for (std::size_t at = 0; at < hex.size(); at += 32)
        fmt::print("    {:<32}  {}\n", hex.substr(at, 32), text.substr(std::min(at / 2, text.size()), 16));
    }
  }
}

// The words after the verb as members of a request.
Result<ordered_json> request_of(const CommandLine& line) {
  const auto& words = line.positionals();
  const std::string& verb = words[0];
  ordered_json request = {{"verb", verb}};
  const auto expect = [&](std::size_t count, const char* what) -> Result<> {
    if (words.size() != count) return fail("{} needs {}", verb, what);
    return {};
  };
  Result<> good;
  if (verb == "list") good = expect(1, "nothing else");
  if (verb == "show" || verb == "forget") good = expect(2, "the name of a cluster");
  if (verb == "name") good = expect(3, "a cluster and a label");
  if (verb == "merge") good = expect(3, "a cluster, and another or a label");
  if (verb == "export") good = expect(3, "a cluster and a file");
  if (!good) return tl::unexpected<Error>(good.error());
  if (words.size() > 1) request["cluster"] = words[1];
  if (verb == "merge") request["into"] = words[2];
  if (verb == "name") {
    request["label"] = words[2];
    for (const char* option : {"family", "category"})
      if (line.has(option)) request[option] = line.text(option);
  }
  return request;
}

Result<ModelDatabase> load_shipped(const CommandLine& line) {
  return load_models(line.has("models") ? line.text("models") : default_models_directory());
}

// Of --state, unless it is only read.
Result<DirectoryLock> lock_state(const CommandLine& line, LearnedUse use) {
  if (!line.has("state") || use == LearnedUse::read) return DirectoryLock();
  auto lock = DirectoryLock::take(learned_folder(line.text("state")), kLockPatience);
  if (lock || lock.error().code != EWOULDBLOCK) return lock;
  return fail("{}: if it is spidd, say it without --state", lock.error().message);
}

Result<UnknownLearner> open_learner(const CommandLine& line, const ModelDatabase& models, LearnedUse use) {
  LearnerSettings settings;
  if (line.has("config")) {
    const auto config = load_config(line.text("config"));
    if (!config) return tl::unexpected<Error>(config.error());
    settings = config->study.learner;
  }
  if (line.has("occasion-gap")) {
    const auto gap = parse_duration(line.text("occasion-gap"));
    if (!gap) return tl::unexpected<Error>(gap.error());
    settings.occasion_gap = *gap;
  }
  UnknownLearner learner(settings, std::make_shared<LogRatioScorer>(models.models));
  if (line.has("state")) {
    if (auto loaded = load_learned(learner, line.text("state"), use); !loaded)
      return tl::unexpected<Error>(loaded.error());
  }
  return learner;
}

Result<ordered_json> ask_directory(const CommandLine& line, const ordered_json& words) {
  std::vector<std::string> known;
  const auto request = parse_learn_request(nlohmann::json(words), known);
  if (!request) return tl::unexpected<Error>(request.error());
  const auto models = load_shipped(line);
  if (!models) return tl::unexpected<Error>(models.error());
  const bool reads = request->verb == LearnRequest::Verb::list || request->verb == LearnRequest::Verb::show ||
                     request->verb == LearnRequest::Verb::export_model;
  const LearnedUse use = reads ? LearnedUse::read : LearnedUse::change;
  const auto lock = lock_state(line, use);
  if (!lock) return tl::unexpected<Error>(lock.error());
  auto learner = open_learner(line, *models, use);
  if (!learner) return tl::unexpected<Error>(learner.error());
  const std::uint64_t before = learner->version();
  auto answer = answer_learn(*learner, *request, [&](std::string_view label) -> std::optional<KnownLabel> {
    const auto found = std::ranges::find(models->models, label, &ProtocolModel::label);
    if (found == models->models.end()) return std::nullopt;
    return KnownLabel{found->family, found->category};
  });
  if (answer && learner->version() != before) {
    if (auto saved = save_learned(*learner, line.text("state")); !saved) return tl::unexpected<Error>(saved.error());
  }
  return answer;
}

int run_from(const CommandLine& line) {
  LearnCapture how;
  auto models = load_shipped(line);
  if (!models) return report_failure("learn", models.error());
  auto policy = line.has("policy") ? load_policy(line.text("policy")) : Result<Policy>(builtin_policy());
  if (!policy) return report_failure("learn", policy.error());
  const auto lock = lock_state(line, LearnedUse::change);
  if (!lock) return report_failure("learn", lock.error());
  auto learner = open_learner(line, *models, LearnedUse::change);
  if (!learner) return report_failure("learn", learner.error());
  how.models = std::move(*models);
  how.policy = std::make_shared<const Policy>(std::move(*policy));
  how.filter = line.text("filter");
  int exit_code = kExitDone;
  const auto& words = line.positionals();
  for (std::size_t i = 1; i < words.size(); ++i)
    if (const auto learned = learn_from_capture(words[i], how, *learner); !learned)
      exit_code = report_failure("learn", learned.error());
  if (line.has("state")) {
    if (auto saved = save_learned(*learner, line.text("state")); !saved) return report_failure("learn", saved.error());
  }
  LearnRequest list;
  auto answer = answer_learn(*learner, list, [](std::string_view) { return std::nullopt; });
  if (!answer) return report_failure("learn", answer.error());
  if (line.has("json")) {
    for (const auto& [name, value] : named_counters(learner->counters())) (*answer)["counters"][name] = value;
    print_json(*answer);
    return exit_code;
  }
  print_list(*answer);
  for (const auto& [name, value] : named_counters(learner->counters()))
    if (value != 0) fmt::print("  {:<20} {}\n", name, grouped(value));
  return exit_code;
}

int write_export(const CommandLine& line, const ordered_json& answer) {
  const std::string& path = line.positionals()[2];
  const std::string text = text_at(answer, "/text");
  if (path == "-") {
    fmt::print("{}", text);
    return kExitDone;
  }
  if (const auto written = write_whole_file(path, text); !written) return report_failure("learn", written.error());
  fmt::print("{} written; as {} it is a model file\n", path, text_at(answer, "/file"));
  return kExitDone;
}

void print_done(const std::string& verb, const ordered_json& cluster) {
  if (verb == "forget") {
    fmt::print("{} is forgotten\n", name_of(cluster));
    return;
  }
  fmt::print("{} is {}: {} flows, {} payload packets\n", name_of(cluster), text_at(cluster, "/state"),
             grouped(number_at(cluster, "/flows")), grouped(number_at(cluster, "/payload_packets")));
  if (text_at(cluster, "/state") == "confirmed" && !cluster.value("evidence", false))
    fmt::print(
        "It is recognised, but may not block: that takes {} flows, {} payload packets and {} clients or occasions. "
        "It learns no more by itself; merge what is learned later into it.\n",
        kEvidenceFlows, kEvidencePackets, kEvidenceCaptures);
}

}  // namespace

int command_learn(const CommandArguments& arguments) {
  CommandLine line(
      "spidctl learn",
      "list | show NAME | name NAME LABEL | merge NAME INTO | forget NAME | export NAME FILE | from FILE...",
      "Protocols that no model knew, as they were learned from the stream: shows them, gives them\n"
      "a label, merges, forgets and exports them. NAME is unknown-3fa2, or #12 of one without a name.");
  line.value("category", "WORD", "name: plain, encrypted, tunnel or p2p; default: that of the label, else plain");
  line.value("family", "NAME", "name: of labels that cannot be told apart; default: that of the label, else the label");
  line.value("state", "DIR", "what is kept in this directory, instead of asking spidd; from: learn into it");
  line.value("config", "FILE", "with --state or from: spidd.toml, whose limits of [learning] hold");
  line.value("models", "DIR", "with --state or from: directory of model files; default: the installed ones");
  line.value("policy", "FILE", "from: what it alerts on is not learned; default: alert on every tunnel");
  line.value("filter", "EXPRESSION", "from: only packets that match this pcap-filter(7) expression");
  line.value("occasion-gap", "DURATION", "from: between two occasions of the same protocol (60s)");
  line.flag("json", "print JSON");
  line.positional("action", 1, 100000);
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  const std::string verb = line.positionals()[0];
  if (verb == "from") return line.positionals().size() < 2 ? line.usage_error("from needs captures") : run_from(line);
  const auto request = request_of(line);
  if (!request) return line.usage_error(request.error().message);
  const auto answer =
      line.has("state") ? ask_directory(line, *request) : ask_daemon(arguments.socket_path, "learn", *request);
  if (!answer) return report_failure("learn", answer.error());
  if (verb == "export") return write_export(line, *answer);
  if (line.has("json"))
    print_json(*answer);
  else if (verb == "list")
    print_list(*answer);
  else if (verb == "show")
    print_cluster(*answer);
  else
    print_done(verb, *answer);
  return kExitDone;
}

}  // namespace spidd
