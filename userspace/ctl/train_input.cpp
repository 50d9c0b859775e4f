// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/train_input.h"

#include <algorithm>
#include <map>

#include "userspace/base/staged_files.h"
#include "userspace/ctl/client.h"
#include "userspace/daemon/settled_answer.h"
#include "userspace/spid/model_edit.h"

namespace spidd {
namespace {

// What is said of a label must be what its models say: a directory has one meaning of each.
Result<void> check_same(const ProtocolModel& known, const LabelMeaning& meaning) {
  if (meaning.category && *meaning.category == known.category && meaning.family == known.family) return {};
  const auto words = [](const std::string& family, std::optional<Category> category) {
    if (!category) return fmt::format("a by-product of family {}", family);
    return fmt::format("{}{} of family {}", *category == Category::tunnel ? "a " : "", category_name(*category),
                       family);
  };
  return fail("'{}' is {} here, not {}", known.label, words(known.family, known.category),
              words(meaning.family, meaning.category));
}

// What --label means: as the taxonomy, the options, or a model that is there already say.
Result<LabelMeaning> meaning_of(const CommandLine& line, const std::string& label, const ModelDatabase& existing) {
  LabelMeaning meaning{label, Category::plain};
  const auto known = std::ranges::find(existing.models, label, &ProtocolModel::label);
  if (known != existing.models.end()) meaning = {known->family, known->category};
  if (line.has("taxonomy")) {
    const auto taxonomy = Taxonomy::load(line.text("taxonomy"));
    if (!taxonomy) return tl::unexpected(taxonomy.error());
    if (const LabelMeaning* found = taxonomy->find(label)) meaning = *found;
  }
  if (line.has("category")) {
    const auto category = parse_category(line.text("category"));
    if (!category) return tl::unexpected(category.error());
    meaning.category = *category;
  }
  if (line.has("family")) meaning.family = line.text("family");
  if (known != existing.models.end())
    if (const auto same = check_same(*known, meaning); !same) return tl::unexpected(same.error());
  return meaning;
}

// Flows of trees and tables: labels that have models keep their meaning where nothing was said of it.
Result<void> keep_meanings(const CommandLine& line, const ModelDatabase& existing, TrainingSet& set) {
  const bool family_said = line.has("taxonomy");
  const bool category_said = line.has("taxonomy") || line.has("labels") || line.has("category");
  std::map<std::string, const ProtocolModel*> known;
  for (const ProtocolModel& model : existing.models) known.emplace(model.label, &model);
  for (LabelledFlow& flow : set.flows) {
    const auto found = known.find(flow.label);
    if (found == known.end()) continue;
    if (!family_said) flow.family = found->second->family;
    if (!category_said) flow.category = found->second->category;
    if (const auto same = check_same(*found->second, {flow.family, flow.category}); !same) return same;
  }
  return {};
}

}  // namespace

Result<TrainingSet> load_training(const CommandLine& line, const ModelDatabase& existing, FlowRules rules,
                                  std::vector<SourceFlows>& sources) {
  sources.clear();
  if (line.has("label")) {
    const auto meaning = meaning_of(line, line.text("label"), existing);
    if (!meaning) return tl::unexpected(meaning.error());
    auto set = load_filtered_captures(line.positionals(), line.text("filter"), line.text("label"), *meaning, rules);
    if (!set) return set;
    for (const CaptureSource& source : capture_sources(line)) {
      const auto later = [i = sources.size()](const LabelledFlow& flow) { return flow.capture > i; };
      const auto end = std::ranges::find_if(set->flows, later);
      sources.push_back({source.name, static_cast<std::size_t>(end - set->flows.begin())});
    }
    return set;
  }
  TrainingSet set;
  for (const CaptureSource& source : capture_sources(line)) {
    auto loaded = load_captures(line, source, rules);
    if (!loaded) return loaded;
    set.merge(std::move(*loaded));
    sources.push_back({source.name, set.flows.size()});
  }
  if (const auto kept = keep_meanings(line, existing, set); !kept) return tl::unexpected(kept.error());
  return set;
}

Result<ModelDatabase> learn_live_flow(const CommandLine& line, const std::string& socket_path,
                                      const ModelDatabase& existing) {
  const auto id = line.number("from-flow", 0, ~std::uint64_t{0});
  if (!id) return tl::unexpected(id.error());
  const std::string label = line.text("label");
  const auto meaning = meaning_of(line, label, existing);
  if (!meaning) return tl::unexpected(meaning.error());
  if (!meaning->category) return fail("{}: a by-product is not trained", label);
  for (const std::string& name : {label, meaning->family})
    if (const auto good = check_given_name(name); !good) return tl::unexpected(good.error());
  const auto answer = ask_daemon(socket_path, "settled_flow", {{"id", *id}});
  if (!answer) return tl::unexpected(answer.error());
  const auto flow = parse_settled_flow(*answer);
  if (!flow) return tl::unexpected(flow.error());
  ModelDatabase learned;
  learned.rules = flow->rules;
  ProtocolModel& model = learned.find_or_add(label, flow->transport, *meaning->category, meaning->family, flow->view);
  model.add(flow->fingerprint);
  // All live flows are of one place, this one.
  model.captures = existing.find(label, flow->transport, flow->view) == nullptr ? 1 : 0;
  return learned;
}

Result<void> write_provenance(const std::string& path, const ModelDatabase& learned, const TrainingSet& set,
                              const std::vector<bool>& use, const std::vector<SourceFlows>& sources) {
  std::map<std::pair<std::string, Transport>, std::vector<std::uint64_t>> flows_of;
  std::size_t source = 0;
  for (std::size_t i = 0; i < set.flows.size(); ++i) {
    while (i >= sources[source].flows_end) ++source;
    auto& flows = flows_of[{set.flows[i].label, set.flows[i].transport}];
    flows.resize(sources.size());
    if (use[i]) ++flows[source];
  }
  std::string text = "label\ttransport\tcategory\tfamily\tflows\tpayload_packets\tcaptures\tsources\n";
  const ProtocolModel* before = nullptr;
  for (const ProtocolModel& model : learned.models) {
    // The first view tells of them all: they come from the same flows.
    const bool further_view = before != nullptr && before->label == model.label && before->transport == model.transport;
    before = &model;
    if (further_view) continue;
    std::string from;
    const auto& flows = flows_of[{model.label, model.transport}];
    for (std::size_t i = 0; i < flows.size(); ++i)
      if (flows[i] > 0) from += fmt::format("{}{}:{}", from.empty() ? "" : " ", sources[i].name, flows[i]);
    text += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", model.label, transport_name(model.transport),
                        category_name(model.category), model.family, model.flows, model.payload_packets, model.captures,
                        from);
  }
  return write_whole_file(path, text);
}

}  // namespace spidd
