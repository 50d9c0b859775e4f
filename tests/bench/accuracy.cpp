// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How right the names and the tunnel alerts are: cross-validation over labelled captures, folds by group (scenario
// variant, source environment), verdicts by the engine's own rules. Prints the figures of
// userspace/spid/README.md.
//
//   accuracy --set lab:DIR:LABELS[:MANIFEST] --set public:DIR:LABELS:MANIFEST --taxonomy FILE [--same LABEL=OTHER]...
//            [--folds 10 | --hold-out more] [--jobs 2] [--details]
//
// All sets are trained together, each is judged for itself. --hold-out judges one set by models of the others. Models
// are made and calibrated as `spidctl train` does it.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cxxopts.hpp>
#include <future>
#include <map>
#include <set>

#include "userspace/engine/classification.h"
#include "userspace/spid/evaluation.h"
#include "userspace/spid/trainer.h"

namespace {

using namespace spidd;

struct Rule {
  float score;
  float margin;
};
constexpr Rule kAlert{0.0F, 0.1F};
constexpr Rule kBlock{0.4F, 0.2F};

// What can be asked of a flow: the verdict after so many payload packets, or the engine's last word.
constexpr unsigned kFinal = 0;
constexpr std::array<unsigned, 4> kMoments = {4, 8, 20, kFinal};

// Runs one flow through the engine's checkpoints. Stops at `packets`, or where the engine would (kFinal).
Verdict judge(const LabelledFlow& flow, const Matcher& matcher, unsigned packets, AttributeMeters& meters,
              Fingerprint& fingerprint) {
  const ClassificationRules rules;
  Verdict verdict;
  const auto seen = static_cast<unsigned>(flow.packets.size());
  const auto step = [&](unsigned count, Progress progress) {
    const auto first = std::span(flow.packets).first(count);
    meters.measure(first, fingerprint);
    verdict = classify(matcher.match(flow.transport, fingerprint, view_of(first, flow.answered)), matcher.models(),
                       count, progress, verdict, rules);
  };
  if (packets != kFinal) {
    step(std::min(packets, seen), Progress::ended);
    return verdict;
  }
  for (const unsigned checkpoint : kCheckpoints) {
    if (checkpoint > seen || verdict.final) break;
    step(checkpoint, Progress::more_to_come);
  }
  if (!verdict.final) step(seen, Progress::ended);
  return verdict;
}

bool meets(const Verdict& verdict, Rule rule) {
  return verdict.tunnel_score >= rule.score && verdict.tunnel_margin >= rule.margin;
}

// What a flow is, whatever label it is trained as.
struct Truth {
  std::string label;
  bool is_tunnel;
};

struct Judged {
  std::size_t flow;  // index into the set
  Outcome outcome;
};
using OutcomesByMoment = std::map<unsigned, std::vector<Judged>>;

OutcomesByMoment test_fold(const TrainingSet& set, const std::vector<Truth>& truths,
                           const FlowFingerprints& fingerprints, const std::vector<bool>& use,
                           const std::vector<unsigned>& fold_of_flow, unsigned fold, const TrainingRules& rules) {
  std::vector<bool> train = use;
  for (std::size_t i = 0; i < train.size(); ++i) {
    if (fold_of_flow[i] == fold) train[i] = false;
  }
  ModelDatabase database = train_models(set, fingerprints, spread_flows(set, train, rules));
  calibrate_thresholds(set, fingerprints, train, rules, database);
  const auto matcher = Matcher::build(database);
  OutcomesByMoment outcomes;
  if (!matcher) return outcomes;
  AttributeMeters meters;
  Fingerprint fingerprint;
  for (std::size_t i = 0; i < set.flows.size(); ++i) {
    const LabelledFlow& flow = set.flows[i];
    if (!use[i] || fold_of_flow[i] != fold) continue;
    for (const unsigned moment : kMoments) {
      const Verdict verdict = judge(flow, *matcher, moment, meters, fingerprint);
      Outcome outcome;
      outcome.label = truths[i].label;
      outcome.family = flow.family;
      outcome.is_tunnel = truths[i].is_tunnel;
      outcome.known = database.find(flow.label, flow.transport, view_of(flow.packets, flow.answered)) != nullptr;
      outcome.group = flow.group;
      if (verdict.state == IdentificationState::identified) {
        const ModelSummary& model = matcher->models()[verdict.model];
        outcome.named = model.family;
        outcome.alert = model.category == Category::tunnel && meets(verdict, kAlert);
      }
      outcome.block = outcome.alert && meets(verdict, kBlock);
      outcomes[moment].push_back({i, std::move(outcome)});
    }
  }
  return outcomes;
}

std::string percent(Figure figure) {
  return fmt::format("{:.1f} ({:.1f}-{:.1f})", 100 * figure.value, 100 * figure.low, 100 * figure.high);
}

void print_figures(const std::string& set, unsigned moment, const std::vector<Outcome>& outcomes, bool details) {
  const auto names = evaluate_names(outcomes);
  const auto tunnels = evaluate_tunnels(outcomes);
  const auto without_ssh = evaluate_tunnels(outcomes, "ssh-tunnel");
  const auto can_be_known = [](const auto& rows) {
    return std::ranges::count_if(rows, [](const ClassFigures& row) { return row.can_be_known(); });
  };
  const std::string when = moment == kFinal ? "final verdict" : fmt::format("{} payload packets", moment);
  fmt::print("\n{}, {}: {} known flows, {} novel\n", set, when, names.known, names.novel);
  fmt::print("  names    precision {}  with novel flows {}  recall {}  novel named {}\n", percent(names.precision),
             percent(names.precision_all), percent(names.recall), percent(names.novel_named));
  fmt::print("           macro F1 {} of {} families that can be known, {} of all {}\n", percent(names.macro_f1),
             can_be_known(names.families), percent(names.macro_f1_all), names.families.size());
  fmt::print("  tunnels  {} flows of {} labels, {} benign flows\n", tunnels.tunnels, tunnels.labels.size(),
             tunnels.benign);
  fmt::print("           alert: macro recall {} of {} labels that can be known (without ssh-tunnel {}), {} of all {}\n",
             percent(tunnels.alert_recall), can_be_known(tunnels.labels), percent(without_ssh.alert_recall),
             percent(tunnels.alert_recall_all), tunnels.labels.size());
  fmt::print("           alert: false {}; block: macro recall {}  false {}\n", percent(tunnels.alert_false),
             percent(tunnels.block_recall), percent(tunnels.block_false));
  if (!details) return;
  fmt::print("\n  {:<24}{:>7}{:>8}{:>11}{:>9}{:>7}\n", "family", "flows", "groups", "precision", "recall", "F1");
  for (const auto& row : names.families) {
    fmt::print("  {:<24}{:>7}{:>8}{:>11.1f}{:>9.1f}{:>7.1f}\n", row.name, row.flows, row.groups, 100 * row.precision,
               100 * row.recall, 100 * row.f1);
  }
  fmt::print("\n  {:<24}{:>7}{:>8}{:>9}{:>9}\n", "tunnel label", "flows", "groups", "alerts", "blocks");
  for (const auto& row : tunnels.labels) {
    fmt::print("  {:<24}{:>7}{:>8}{:>9}{:>9}\n", row.name, row.flows, row.groups, row.right, row.wrong);
  }
}

// "name:directory:labels[:manifest]"
Result<TrainingSet> load_set(const std::string& argument, const std::string& taxonomy, std::string& name) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0;;) {
    const std::size_t colon = argument.find(':', begin);
    parts.push_back(argument.substr(begin, colon - begin));
    if (colon == std::string::npos) break;
    begin = colon + 1;
  }
  if (parts.size() < 3 || parts.size() > 4) return fail("--set {}: not NAME:DIR:LABELS[:MANIFEST]", argument);
  name = parts[0];
  LabelledCaptures sources;
  sources.directory = parts[1];
  sources.labels = parts[2];
  sources.taxonomy = taxonomy;
  if (parts.size() == 4) sources.manifest = parts[3];
  return load_labelled_captures(sources);
}

using Sets = std::vector<std::pair<std::string, std::size_t>>;  // name, number of flows up to its end

std::vector<unsigned> folds_of_flows(const TrainingSet& set, const std::vector<bool>& use, unsigned folds) {
  const auto fold_of_group = folds_of_groups(set, use, folds);
  std::vector<unsigned> fold_of_flow;
  for (const LabelledFlow& flow : set.flows) fold_of_flow.push_back(fold_of_group[flow.group]);
  return fold_of_flow;
}

// Fold 0 is the set, fold 1 is the rest.
std::vector<unsigned> hold_out(const Sets& sets, const std::string& name) {
  std::vector<unsigned> fold_of_flow;
  for (const auto& [set, flows_end] : sets) fold_of_flow.resize(flows_end, set == name ? 0 : 1);
  return fold_of_flow;
}

int run(int argc, char** argv) {
  cxxopts::Options options("accuracy", "Cross-validates the identification of labelled captures.");
  options.add_options()("set", "NAME:DIR:LABELS[:MANIFEST], once for each set",
                        cxxopts::value<std::vector<std::string>>())("taxonomy", "family and category of labels",
                                                                    cxxopts::value<std::string>()->default_value(""))(
      "folds", "number of folds", cxxopts::value<unsigned>()->default_value("10"))(
      "hold-out", "NAME of the set that is judged by models of the others, in place of folds",
      cxxopts::value<std::string>()->default_value(""))("same",
                                                        "LABEL=OTHER: two names of one protocol; may be repeated",
                                                        cxxopts::value<std::vector<std::string>>()->default_value(""))(
      "jobs", "threads", cxxopts::value<unsigned>()->default_value("2"))("details", "a row a family and tunnel label")(
      "help", "this text");
  const auto arguments = options.parse(argc, argv);
  if (arguments.count("help") != 0 || arguments.count("set") == 0) {
    fmt::print("{}", options.help());
    return arguments.count("help") != 0 ? 0 : 2;
  }
  const auto begin = std::chrono::steady_clock::now();
  TrainingSet set;
  Sets sets;
  for (const std::string& argument : arguments["set"].as<std::vector<std::string>>()) {
    std::string name;
    auto loaded = load_set(argument, arguments["taxonomy"].as<std::string>(), name);
    if (!loaded) {
      fmt::print(stderr, "accuracy: {}\n", loaded.error().message);
      return 1;
    }
    fmt::print(
        "{}: {} flows, {} captures, {} groups; rows without a flow: {} by-products, {} without meaning, {} of "
        "other protocols, {} without payload\n",
        name, loaded->flows.size(), loaded->captures.size(), loaded->groups.size(), loaded->losses.by_product,
        loaded->losses.no_meaning, loaded->losses.other_protocol, loaded->losses.no_payload);
    for (const std::string& damage : loaded->damaged) fmt::print("  damaged: {}\n", damage);
    set.merge(std::move(*loaded));
    sets.emplace_back(name, set.flows.size());
  }
  std::vector<Truth> truths;
  for (const LabelledFlow& flow : set.flows) truths.push_back({flow.label, flow.category == Category::tunnel});
  for (const std::string& same : arguments["same"].as<std::vector<std::string>>()) {
    const std::size_t equals = same.find('=');
    if (equals != std::string::npos) set.merge_label(same.substr(0, equals), same.substr(equals + 1));
  }
  set.split_single_variants();
  const TrainingRules rules;
  const std::vector<bool> use = select_flows(set, rules);
  const auto fingerprints = measure_flows(set, use, rules.payload_packets);
  const auto held_out = arguments["hold-out"].as<std::string>();
  const unsigned folds = held_out.empty() ? std::max(2U, arguments["folds"].as<unsigned>()) : 1;
  const auto fold_of_flow = held_out.empty() ? folds_of_flows(set, use, folds) : hold_out(sets, held_out);

  std::vector<OutcomesByMoment> results(folds);
  std::atomic<unsigned> next = 0;
  std::vector<std::future<void>> workers;
  for (unsigned job = 0; job < std::max(1U, arguments["jobs"].as<unsigned>()); ++job) {
    workers.push_back(std::async(std::launch::async, [&] {
      for (unsigned fold = next++; fold < folds; fold = next++) {
        results[fold] = test_fold(set, truths, fingerprints, use, fold_of_flow, fold, rules);
      }
    }));
  }
  for (auto& worker : workers) worker.get();

  fmt::print("{} flows in use, {}; in brackets 95 % intervals, whole groups drawn again\n",
             std::count(use.begin(), use.end(), true),
             held_out.empty() ? fmt::format("{} folds by group", folds) : held_out + " held out");
  std::size_t first_flow = 0;
  for (const auto& [name, flows_end] : sets) {
    for (const unsigned moment : kMoments) {
      if (!held_out.empty() && name != held_out) continue;
      std::vector<Outcome> outcomes;
      for (const OutcomesByMoment& result : results) {
        const auto found = result.find(moment);
        if (found == result.end()) continue;
        for (const auto& [flow, outcome] : found->second) {
          if (flow >= first_flow && flow < flows_end) outcomes.push_back(outcome);
        }
      }
      print_figures(name, moment, outcomes, moment == kFinal && arguments.count("details") != 0);
    }
    first_flow = flows_end;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  fmt::print("\n{:.1f} s\n", took.count());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const cxxopts::exceptions::exception& error) {
    fmt::print(stderr, "accuracy: {}\n", error.what());
    return 2;
  }
}
