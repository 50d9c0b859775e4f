// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What can be learned of protocols that no model knows, over labelled captures: recall and false positives of a model
// made from a few flows, and how clean the clusters of the learner are. Prints the figures of
// userspace/learning/README.md.
//
//   learning_bench --set NAME:DIR:LABELS[:MANIFEST]... --taxonomy FILE [--flows 5] [--draws 4] [--max-bins 4000]
//                  [--jobs 2] [--details]
//
// Half of the groups make the models of all other families; flows of the other half are those that may be mistaken for
// the new protocol. A family is new as a whole: none of its labels has a model then.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cxxopts.hpp>
#include <future>
#include <map>
#include <random>
#include <set>

#include "userspace/engine/classification.h"
#include "userspace/learning/unknown_learner.h"
#include "userspace/spid/trainer.h"

namespace {

using namespace spidd;

struct Options {
  unsigned flows = 5;  // a new protocol is learned from
  unsigned draws = 4;  // of them
  unsigned jobs = 2;
  std::size_t max_bins = 4000;
  bool details = false;
};

struct Material {
  TrainingSet set;
  std::vector<Fingerprint> fingerprints;  // of flows with both directions; else empty
  std::vector<bool> use;
  std::vector<unsigned> half;  // of each flow
  ModelDatabase models;        // of half 0
};

Result<TrainingSet> load_set(const std::string& argument, const std::string& taxonomy) {
  std::vector<std::string> parts(1);
  for (const char c : argument)
    if (c == ':')
      parts.emplace_back();
    else
      parts.back() += c;
  if (parts.size() < 3 || parts.size() > 4) return fail("--set {}: not NAME:DIR:LABELS[:MANIFEST]", argument);
  LabelledCaptures sources;
  sources.directory = parts[1];
  sources.tables.labels = parts[2];
  sources.tables.taxonomy = taxonomy;
  if (parts.size() == 4) sources.tables.manifest = parts[3];
  auto set = load_labelled_captures(sources);
  if (set) fmt::print("{}: {} flows, {} captures\n", parts[0], set->flows.size(), set->captures.size());
  return set;
}

Material prepare(TrainingSet set) {
  Material material;
  set.split_single_variants();
  const TrainingRules rules;
  material.use = select_flows(set, rules);
  FlowFingerprints all = measure_flows(set, material.use, rules.payload_packets);
  const auto half_of_group = folds_of_groups(set, material.use, 2);
  std::vector<bool> train = material.use;
  for (std::size_t i = 0; i < set.flows.size(); ++i) {
    material.half.push_back(half_of_group[set.flows[i].group]);
    if (material.half[i] != 0) train[i] = false;
  }
  material.models = train_models(set, all, spread_flows(set, train, rules));
  calibrate_thresholds(set, all, train, rules, material.models);
  material.fingerprints = std::move(all.views[static_cast<std::size_t>(View::both)]);
  for (std::size_t i = 0; i < set.flows.size(); ++i)
    if (material.fingerprints[i].payload_packets < 3) material.use[i] = false;
  material.set = std::move(set);
  return material;
}

SettledFlow settled(const Material& material, std::size_t index, Timestamp time) {
  const LabelledFlow& flow = material.set.flows[index];
  SettledFlow result;
  result.key.transport = flow.transport;
  result.client = {IpAddress::from_ipv4(0x0a000000U + flow.group), 40000};
  result.server = {IpAddress::from_ipv4(0xc6336400U + flow.capture % 250), 7};
  result.start = result.time = time;
  result.verdict.state = IdentificationState::unknown;
  result.verdict.verdict_class = VerdictClass::unknown;
  result.fingerprint = material.fingerprints[index];
  return result;
}

ModelDatabase models_without(const Material& material, const std::set<std::string>& families) {
  ModelDatabase database;
  database.rules = material.models.rules;
  for (const ProtocolModel& model : material.models.models)
    if (!families.contains(model.family)) database.models.push_back(model);
  return database;
}

Verdict judge(const Matcher& matcher, Transport transport, const Fingerprint& flow) {
  static const ClassificationRules rules = classification_rules(Profile::background);
  return classify(matcher.match(transport, flow), matcher.models(), flow.payload_packets, Progress::ended, {}, rules);
}

struct Tally {
  std::uint64_t tested = 0;
  std::uint64_t recognised = 0;
  std::uint64_t nearest = 0;  // by score alone, thresholds aside, as spid.md 3.3 counts
  std::uint64_t others = 0;
  std::uint64_t mistaken = 0;
  std::uint64_t mistaken_nearest = 0;

  void add(const Tally& other) {
    tested += other.tested;
    recognised += other.recognised;
    nearest += other.nearest;
    others += other.others;
    mistaken += other.mistaken;
    mistaken_nearest += other.mistaken_nearest;
  }
};

struct NewProtocol {
  std::string label;
  std::string family;
  Transport transport;
  std::vector<std::size_t> flows;
};

// A model of some of the protocol's flows beside those of all other families.
Tally learn_and_test(const Material& material, const NewProtocol& protocol, bool confirmed, const Options& options,
                     unsigned draw) {
  const std::string name = "unknown-0000";
  std::mt19937 random(draw * 7919U + 1);
  std::vector<std::size_t> flows = protocol.flows;
  std::ranges::shuffle(flows, random);
  ModelDatabase database = models_without(material, {protocol.family});
  const LogRatioScorer scorer(database.models);
  Cluster cluster;
  for (std::size_t i = 0; i < options.flows; ++i)
    cluster.add(settled(material, flows[i], Timestamp(std::chrono::seconds(i))), std::chrono::seconds(60),
                options.max_bins);
  cluster.measure_consistency(scorer);
  cluster.name = cluster.family = name;
  cluster.state = confirmed ? ClusterState::confirmed : ClusterState::provisional;
  ModelDatabase learned;
  learned.models.push_back(cluster.to_model());
  learned.rules = database.rules;
  Tally tally;
  if (!database.append(std::move(learned))) return tally;
  const auto matcher = Matcher::build(database);
  if (!matcher) return tally;
  const auto test = [&](std::size_t flow) {
    const Transport transport = material.set.flows[flow].transport;
    const Verdict verdict = judge(*matcher, transport, material.fingerprints[flow]);
    const Match match = matcher->match(transport, material.fingerprints[flow]);
    const bool named =
        verdict.state == IdentificationState::identified && matcher->models()[verdict.model].label == name;
    const bool nearest = confirmed ? match.best != kNoModel && matcher->models()[match.best].label == name
                                   : match.best_provisional != kNoModel && match.provisional_score > match.best_score;
    return std::pair(named, nearest);
  };
  for (std::size_t i = options.flows; i < flows.size(); ++i) {
    const auto [named, nearest] = test(flows[i]);
    ++tally.tested;
    tally.recognised += named;
    tally.nearest += nearest;
  }
  for (std::size_t i = 0; i < material.set.flows.size(); ++i) {
    const LabelledFlow& flow = material.set.flows[i];
    if (!material.use[i] || material.half[i] == 0 || flow.family == protocol.family) continue;
    const auto [named, nearest] = test(i);
    ++tally.others;
    tally.mistaken += named;
    tally.mistaken_nearest += nearest;
  }
  return tally;
}

std::vector<NewProtocol> protocols_of(const Material& material, const Options& options) {
  std::map<std::pair<std::string, Transport>, NewProtocol> found;
  for (std::size_t i = 0; i < material.set.flows.size(); ++i) {
    if (!material.use[i]) continue;
    const LabelledFlow& flow = material.set.flows[i];
    NewProtocol& protocol = found[{flow.label, flow.transport}];
    protocol.label = flow.label;
    protocol.family = flow.family;
    protocol.transport = flow.transport;
    protocol.flows.push_back(i);
  }
  std::vector<NewProtocol> protocols;
  for (auto& [key, protocol] : found)
    if (protocol.flows.size() >= options.flows + 5) protocols.push_back(std::move(protocol));
  return protocols;
}

double percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

void measure_models(const Material& material, bool confirmed, const Options& options) {
  const std::vector<NewProtocol> protocols = protocols_of(material, options);
  std::vector<Tally> tallies(protocols.size());
  std::atomic<std::size_t> next = 0;
  std::vector<std::future<void>> workers;
  for (unsigned job = 0; job < std::max(1U, options.jobs); ++job) {
    workers.push_back(std::async(std::launch::async, [&] {
      for (std::size_t i = next++; i < protocols.size(); i = next++)
        for (unsigned draw = 0; draw < options.draws; ++draw)
          tallies[i].add(learn_and_test(material, protocols[i], confirmed, options, draw));
    }));
  }
  for (auto& worker : workers) worker.get();
  Tally sum;
  double macro = 0;
  double macro_nearest = 0;
  for (std::size_t i = 0; i < protocols.size(); ++i) {
    const Tally& tally = tallies[i];
    sum.add(tally);
    macro += percent(tally.recognised, tally.tested) / static_cast<double>(protocols.size());
    macro_nearest += percent(tally.nearest, tally.tested) / static_cast<double>(protocols.size());
    if (options.details)
      fmt::print("  {:<24}{:<5}{:>7} flows  named {:>6.1f} %  nearest {:>6.1f} %  mistaken {:>6.3f} %\n",
                 protocols[i].label, transport_name(protocols[i].transport), tally.tested,
                 percent(tally.recognised, tally.tested), percent(tally.nearest, tally.tested),
                 percent(tally.mistaken, tally.others));
  }
  fmt::print(
      "{} from {} flows, {} protocols, {} draws: named {:.1f} % of {} flows (mean over protocols {:.1f} %), nearest "
      "{:.1f} % ({:.1f} %); false {:.3f} % of {} (nearest {:.3f} %)\n",
      confirmed ? "confirmed" : "provisional", options.flows, protocols.size(), options.draws,
      percent(sum.recognised, sum.tested), sum.tested, macro, percent(sum.nearest, sum.tested), macro_nearest,
      percent(sum.mistaken, sum.others), sum.others, percent(sum.mistaken_nearest, sum.others));
}

// Flows of several new families in random order, a second apart, through the learner.
void measure_clusters(const Material& material, const Options& options) {
  std::map<std::string, std::vector<std::size_t>> by_family;
  for (std::size_t i = 0; i < material.set.flows.size(); ++i)
    if (material.use[i]) by_family[material.set.flows[i].family].push_back(i);
  std::vector<std::string> families;
  for (const auto& [family, flows] : by_family)
    if (flows.size() >= 10) families.push_back(family);
  std::mt19937 random(1);
  std::ranges::shuffle(families, random);
  constexpr std::size_t kAtOnce = 14;
  constexpr std::size_t kFlowsEach = 30;
  std::uint64_t fed = 0;
  std::uint64_t learned = 0;
  std::uint64_t pure = 0;
  std::uint64_t in_promoted = 0;
  std::uint64_t pure_in_promoted = 0;
  std::size_t clusters = 0;
  std::size_t promoted = 0;
  std::set<std::string> found;
  for (std::size_t first = 0; first < families.size(); first += kAtOnce) {
    const std::size_t count = std::min(kAtOnce, families.size() - first);
    const std::set<std::string> unknown(families.begin() + static_cast<std::ptrdiff_t>(first),
                                        families.begin() + static_cast<std::ptrdiff_t>(first + count));
    const ModelDatabase database = models_without(material, unknown);
    LearnerSettings settings;
    settings.max_bins = static_cast<std::uint32_t>(options.max_bins);
    settings.pair_flows = kFlowsEach;  // captures know no clients
    settings.max_clusters = 1024;
    UnknownLearner learner(settings, std::make_shared<LogRatioScorer>(database.models));
    std::vector<std::size_t> flows;
    for (const std::string& family : unknown) {
      std::vector<std::size_t> of_family = by_family[family];
      std::ranges::shuffle(of_family, random);
      of_family.resize(std::min(of_family.size(), kFlowsEach));
      flows.insert(flows.end(), of_family.begin(), of_family.end());
    }
    std::ranges::shuffle(flows, random);
    // Where each flow went: the cluster whose number of flows grew. Numbers are stable, merged ones are followed.
    std::map<std::uint64_t, std::string> truth;
    std::map<std::uint32_t, std::map<std::string, std::uint64_t>> labels;
    std::int64_t second = 0;
    for (const std::size_t flow : flows) {
      std::map<std::uint32_t, std::uint32_t> before;
      for (const Cluster& cluster : learner.clusters()) before[cluster.id] = cluster.flows;
      const std::uint64_t merged = learner.counters().merged;
      learner.learn(settled(material, flow, Timestamp(std::chrono::seconds(second++))));
      ++fed;
      for (const Cluster& cluster : learner.clusters())
        if (before[cluster.id] != cluster.flows && merged == learner.counters().merged)
          ++labels[cluster.id][material.set.flows[flow].family];
    }
    for (const Cluster& cluster : learner.clusters()) {
      std::uint64_t most = 0;
      std::uint64_t all = 0;
      std::string name;
      for (const auto& [label, number] : labels[cluster.id]) {
        all += number;
        if (number > most) {
          most = number;
          name = label;
        }
      }
      ++clusters;
      learned += all;
      pure += most;
      if (cluster.state != ClusterState::provisional) continue;
      ++promoted;
      found.insert(name);
      in_promoted += all;
      pure_in_promoted += most;
    }
  }
  fmt::print(
      "clusters of {} families, at most {} flows each, {} families at a time: {} flows fed, {} in {} clusters, purity "
      "{:.1f} %; {} promoted, of {} families, with {:.1f} % of the flows, purity {:.1f} %\n",
      families.size(), kFlowsEach, kAtOnce, fed, learned, clusters, percent(pure, learned), promoted, found.size(),
      percent(in_promoted, fed), percent(pure_in_promoted, in_promoted));
}

int run(int argc, char** argv) {
  cxxopts::Options parser("learning_bench", "Measures what is learned of protocols that have no model.");
  parser.add_options()("set", "NAME:DIR:LABELS[:MANIFEST], once for each set",
                       cxxopts::value<std::vector<std::string>>())("taxonomy", "family and category of labels",
                                                                   cxxopts::value<std::string>()->default_value(""))(
      "flows", "that a model is learned from", cxxopts::value<unsigned>()->default_value("5"))(
      "draws", "of these flows", cxxopts::value<unsigned>()->default_value("4"))(
      "max-bins", "of a cluster", cxxopts::value<std::size_t>()->default_value("4000"))(
      "jobs", "threads", cxxopts::value<unsigned>()->default_value("2"))("details", "a row a protocol");
  const auto arguments = parser.parse(argc, argv);
  if (arguments.count("set") == 0) {
    fmt::print("{}", parser.help());
    return 2;
  }
  TrainingSet set;
  for (const std::string& argument : arguments["set"].as<std::vector<std::string>>()) {
    auto loaded = load_set(argument, arguments["taxonomy"].as<std::string>());
    if (!loaded) {
      fmt::print(stderr, "learning_bench: {}\n", loaded.error().message);
      return 1;
    }
    set.merge(std::move(*loaded));
  }
  Options options;
  options.flows = arguments["flows"].as<unsigned>();
  options.draws = arguments["draws"].as<unsigned>();
  options.max_bins = arguments["max-bins"].as<std::size_t>();
  options.jobs = arguments["jobs"].as<unsigned>();
  options.details = arguments.count("details") != 0;
  const Material material = prepare(std::move(set));
  double rows = 0;
  for (std::size_t i = 0; i < material.fingerprints.size(); ++i)
    if (material.use[i]) rows += static_cast<double>(material.fingerprints[i].rows.size());
  const auto used = std::ranges::count(material.use, true);
  fmt::print("{} flows in use, {:.0f} bins a flow\n", used,
             rows / static_cast<double>(std::max<std::ptrdiff_t>(used, 1)));
  measure_clusters(material, options);
  measure_models(material, false, options);
  measure_models(material, true, options);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const cxxopts::exceptions::exception& error) {
    fmt::print(stderr, "learning_bench: {}\n", error.what());
    return 2;
  }
}
