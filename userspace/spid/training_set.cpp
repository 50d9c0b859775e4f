// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/training_set.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "userspace/spid/model_edit.h"

namespace spidd {
namespace {

namespace fs = std::filesystem;

// Numbers for names, in the order of first use.
class NameIndex {
 public:
  explicit NameIndex(std::vector<std::string>& names) : names_(names) {
    for (std::size_t i = 0; i < names.size(); ++i) index_.emplace(names[i], i);
  }
  std::uint32_t operator()(const std::string& name) {
    const auto [position, added] = index_.try_emplace(name, static_cast<std::uint32_t>(names_.size()));
    if (added) names_.push_back(name);
    return position->second;
  }

 private:
  std::vector<std::string>& names_;
  std::unordered_map<std::string, std::uint32_t> index_;
};

LabelledFlow labelled(CapturedFlow&& flow, const std::string& label, const LabelMeaning& meaning) {
  LabelledFlow out;
  out.label = label;
  out.family = meaning.family;
  out.category = *meaning.category;
  out.transport = model_transport(flow.key.transport);
  out.key = flow.key;
  out.client_is_low = flow.client_is_low;
  out.start = flow.start;
  out.start_seen = flow.start_seen;
  out.answered = flow.answered;
  out.packets = std::move(flow.packets);
  out.tails = std::move(flow.tails);
  return out;
}

}  // namespace

std::uint64_t TrainingSet::capture_identity(const LabelledFlow& flow) const {
  return hash_known(flow.capture) ? capture_hashes[flow.capture] : flow.capture;
}

void TrainingSet::merge(TrainingSet other) {
  NameIndex capture_index(captures);
  NameIndex group_index(groups);
  other.scenarios.resize(other.groups.size());
  for (LabelledFlow& flow : other.flows) {
    const std::string& scenario = other.scenarios[flow.group];
    const bool hashed = other.hash_known(flow.capture);
    const std::uint64_t hash = hashed ? other.capture_hashes[flow.capture] : 0;
    flow.capture = capture_index(other.captures[flow.capture]);
    capture_hashes.resize(captures.size());
    if (hashed) capture_hashes[flow.capture] = hash;
    flow.group = group_index(other.groups[flow.group]);
    scenarios.resize(groups.size());
    scenarios[flow.group] = scenario;
    flows.push_back(std::move(flow));
  }
  losses.by_product += other.losses.by_product;
  losses.no_meaning += other.losses.no_meaning;
  losses.other_protocol += other.losses.other_protocol;
  losses.no_payload += other.losses.no_payload;
  damaged.insert(damaged.end(), other.damaged.begin(), other.damaged.end());
}

void TrainingSet::merge_label(const std::string& label, const std::string& into) {
  const auto meant =
      std::find_if(flows.begin(), flows.end(), [&](const LabelledFlow& flow) { return flow.label == into; });
  std::optional<LabelMeaning> meaning;
  if (meant != flows.end()) meaning = LabelMeaning{meant->family, meant->category};
  for (LabelledFlow& flow : flows) {
    if (flow.label != label) continue;
    flow.label = into;
    if (!meaning) continue;
    flow.family = meaning->family;
    flow.category = *meaning->category;
  }
}

void TrainingSet::split_single_variants() {
  std::map<std::string, unsigned> variants;
  for (const std::string& scenario : scenarios) ++variants[scenario];
  NameIndex group_index(groups);
  const std::size_t known = scenarios.size();
  for (LabelledFlow& flow : flows) {
    if (flow.group >= known) continue;
    const std::string& scenario = scenarios[flow.group];
    if (!scenario.empty() && variants[scenario] == 1) flow.group = group_index(captures[flow.capture]);
  }
  scenarios.resize(groups.size());
}

namespace {

// Why labels gave no flow at all: mostly the wrong directory.
tl::unexpected<Error> no_flow(const LabelledCaptures& sources, const TrainingSet& set, std::size_t captures,
                              std::size_t unreadable) {
  const LabelLosses& losses = set.losses;
  if (captures > 0 && unreadable == captures)
    return fail("{}: none of the {} captures that {} names can be read; the first: {}", sources.directory, captures,
                sources.tables.labels, set.damaged.front());
  return fail(
      "{}: no row gives a flow of {}: {} by-products, {} without meaning, {} of other protocols, {} not found or "
      "without payload",
      sources.tables.labels, sources.directory, losses.by_product, losses.no_meaning, losses.other_protocol,
      losses.no_payload);
}

}  // namespace

Result<TrainingSet> load_labelled_captures(const LabelledCaptures& sources) {
  TrainingSet set;
  auto rows_of_captures = load_label_rows(sources.tables, set.losses);
  if (!rows_of_captures) return error_of(rows_of_captures);
  NameIndex capture_index(set.captures);
  NameIndex group_index(set.groups);
  std::size_t unreadable = 0;
  for (auto& [capture, rows] : *rows_of_captures) {
    std::string damage;
    auto flows = read_flows((fs::path(sources.directory) / capture).string(), sources.rules, "", damage);
    if (!flows) damage = flows.error().message;
    unreadable += flows ? 0 : 1;
    if (!damage.empty()) set.damaged.push_back(fmt::format("{}: {}", capture, damage));
    if (flows) {
      const std::uint64_t hash = capture_hash((fs::path(sources.directory) / capture).string());
      for (CapturedFlow& flow : *flows) {
        LabelRow* row = find_row(rows, flow, sources.start_tolerance);
        if (row == nullptr) continue;
        row->used = true;
        LabelledFlow out = labelled(std::move(flow), row->label, row->meaning);
        out.capture = capture_index(capture);
        set.capture_hashes.resize(set.captures.size(), hash);
        out.group = group_index(row->group);
        set.scenarios.resize(set.groups.size());
        set.scenarios[out.group] = row->scenario;
        set.flows.push_back(std::move(out));
      }
    }
    for (const LabelRow& row : rows) set.losses.no_payload += row.used ? 0 : 1;
  }
  if (set.flows.empty()) return no_flow(sources, set, rows_of_captures->size(), unreadable);
  return set;
}

Result<TrainingSet> load_capture_tree(const std::string& directory, const Taxonomy* taxonomy, Category category,
                                      FlowRules rules) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::recursive_directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    const std::string extension = entry->path().extension().string();
    if (entry->is_regular_file() && (extension == ".pcap" || extension == ".pcapng" || extension == ".cap")) {
      files.push_back(entry->path());
    }
  }
  if (error) return fail_errno(error.value(), "{}", directory);
  std::sort(files.begin(), files.end());

  TrainingSet set;
  NameIndex capture_index(set.captures);
  NameIndex group_index(set.groups);
  for (const fs::path& file : files) {
    const std::string label = file.parent_path().filename().string();
    const std::string name = (fs::path(label) / file.filename()).string();
    LabelMeaning meaning{label, category};
    if (taxonomy != nullptr) {
      const LabelMeaning* found = taxonomy->find(label);
      if (found == nullptr) return fail("{}: the taxonomy does not know the label '{}'", file.string(), label);
      meaning = *found;
    }
    std::string damage;
    auto flows = read_flows(file.string(), rules, "", damage);
    if (!flows) damage = flows.error().message;
    if (!damage.empty()) set.damaged.push_back(fmt::format("{}: {}", name, damage));
    if (!flows || !meaning.category) continue;
    const std::uint64_t hash = capture_hash(file.string());
    for (CapturedFlow& flow : *flows) {
      LabelledFlow out = labelled(std::move(flow), label, meaning);
      out.capture = capture_index(name);
      set.capture_hashes.resize(set.captures.size(), hash);
      out.group = group_index(name);
      set.flows.push_back(std::move(out));
    }
  }
  if (set.flows.empty()) return fail("{}: no flow with payload in any capture below it", directory);
  return set;
}

Result<TrainingSet> load_filtered_captures(const std::vector<std::string>& captures, const std::string& filter,
                                           const std::string& label, const LabelMeaning& meaning, FlowRules rules) {
  for (const std::string& name : {label, meaning.family})
    if (const auto good = check_given_name(name); !good) return tl::unexpected(good.error());
  if (!meaning.category) return fail("{}: a by-product is not trained", label);
  TrainingSet set;
  NameIndex capture_index(set.captures);
  NameIndex group_index(set.groups);
  std::optional<Error> unreadable;  // the first
  std::size_t read = 0;
  for (const std::string& path : captures) {
    const std::uint32_t capture = capture_index(path);
    if (set.capture_hashes.size() < set.captures.size()) set.capture_hashes.push_back(capture_hash(path));
    std::string damage;
    auto flows = read_flows(path, rules, filter, damage);
    if (!flows) {
      set.damaged.push_back(flows.error().message);
      if (!unreadable) unreadable = std::move(flows).error();
      continue;
    }
    ++read;
    if (!damage.empty()) set.damaged.push_back(fmt::format("{}: {}", path, damage));
    const std::uint32_t group = group_index(path);
    for (CapturedFlow& flow : *flows) {
      LabelledFlow out = labelled(std::move(flow), label, meaning);
      out.capture = capture;
      out.group = group;
      set.flows.push_back(std::move(out));
    }
  }
  if (read == 0 && unreadable) return tl::unexpected(std::move(*unreadable));
  set.scenarios.resize(set.groups.size());
  return set;
}

}  // namespace spidd
