// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/fold_models.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "userspace/spid/score_tables.h"

namespace spidd {
namespace {

constexpr std::array kViews = {View::both, View::to_server, View::to_client};

// Calls change(model, fingerprint, flow) for every view of the flows.
template <class Change>
void for_each_model(const std::vector<bool>& flows, const FlowFingerprints& fingerprints,
                    const std::vector<FoldModels::ModelsOfFlow>& models_of, Change change) {
  for (std::size_t i = 0; i < flows.size(); ++i) {
    if (!flows[i]) continue;
    for (std::size_t view = 0; view < kViews.size(); ++view) {
      const Fingerprint& fingerprint = fingerprints.views[view][i];
      const std::size_t model = models_of[i][view];
      if (!fingerprint.rows.empty() && model != FoldModels::kNone) change(model, fingerprint, i);
    }
  }
}

}  // namespace

FoldModels::FoldModels(const TrainingSet& set, const FlowFingerprints& fingerprints, std::vector<bool> use)
    : set_(set), fingerprints_(fingerprints), use_(std::move(use)), database_(train_models(set, fingerprints, use_)) {
  for (const LabelledFlow& flow : set.flows) {
    auto& models = models_of_.emplace_back();
    for (const View view : kViews) models[static_cast<std::size_t>(view)] = index_of(flow.label, flow.transport, view);
  }
}

std::size_t FoldModels::index_of(const std::string& label, Transport transport, View view) const {
  const ProtocolModel* const model = database_.find(label, transport, view);
  return model == nullptr ? kNone : static_cast<std::size_t>(model - database_.models.data());
}

void FoldModels::take_out(const std::vector<bool>& flows) {
  for_each_model(flows, fingerprints_, models_of_, [this](std::size_t model, const Fingerprint& flow, std::size_t) {
    database_.models[model].subtract(flow);
  });
}

void FoldModels::put_back(const std::vector<bool>& flows) {
  for_each_model(flows, fingerprints_, models_of_, [this](std::size_t model, const Fingerprint& flow, std::size_t) {
    database_.models[model].add(flow);
  });
}

ModelDatabase FoldModels::without(const std::vector<bool>& out) const {
  ModelDatabase rest = database_;
  std::vector<bool> gone(use_.size());
  std::vector<bool> left(use_.size());
  for (std::size_t i = 0; i < use_.size(); ++i) {
    gone[i] = use_[i] && out[i];
    left[i] = use_[i] && !out[i];
  }
  for_each_model(gone, fingerprints_, models_of_, [&rest](std::size_t model, const Fingerprint& flow, std::size_t) {
    rest.models[model].subtract(flow);
  });
  std::vector<std::tuple<std::size_t, std::uint64_t, bool>> captures;  // model, identity, whether that is a hash
  for_each_model(left, fingerprints_, models_of_, [&](std::size_t model, const Fingerprint&, std::size_t flow) {
    const LabelledFlow& from = set_.flows[flow];
    captures.emplace_back(model, set_.capture_identity(from), set_.hash_known(from.capture));
  });
  std::ranges::sort(captures);
  const auto twice = std::ranges::unique(captures);
  captures.erase(twice.begin(), twice.end());
  for (ProtocolModel& model : rest.models) {
    model.captures = 0;
    model.capture_hashes.clear();
  }
  for (const auto& [model, identity, is_hash] : captures) {
    ++rest.models[model].captures;
    if (is_hash) rest.models[model].remember_capture(identity);
  }
  std::erase_if(rest.models, [](const ProtocolModel& model) { return model.flows == 0; });
  return rest;
}

void FoldModels::score_own(const std::vector<bool>& tested, std::vector<std::vector<float>>& scores_of,
                           Profile profile) const {
  const MeterMask scored = scored_meters(profile);
  for (std::size_t view = 0; view < kViews.size(); ++view) {
    std::vector<std::pair<std::size_t, std::size_t>> tests;  // model, flow
    for (std::size_t i = 0; i < tested.size(); ++i) {
      const std::size_t model = models_of_[i][view];
      if (tested[i] && model != kNone && !fingerprints_.views[view][i].rows.empty()) tests.emplace_back(model, i);
    }
    std::ranges::sort(tests);
    const Background background(database_.models, kViews[view]);
    for (auto test = tests.begin(); test != tests.end();) {
      std::vector<const ProtocolModel*> columns;
      std::vector<std::size_t> indexes;
      auto end = test;
      for (; end != tests.end(); ++end) {
        if (!indexes.empty() && indexes.back() == end->first) continue;
        if (indexes.size() == kColumnGroup) break;
        indexes.push_back(end->first);
        columns.push_back(&database_.models[end->first]);
      }
      const ScoreBlock block(columns, background, scored);
      std::size_t column = 0;
      for (; test != end; ++test) {
        while (indexes[column] != test->first) ++column;
        const FlowRows rows(fingerprints_.views[view][test->second]);
        std::array<std::int32_t, kColumnGroup> sums;
        block.add_up(rows, best_simd(), sums.data());
        const auto shared =
            static_cast<unsigned>(std::popcount(measured_meters(*columns[column]) & scored & rows.meters()));
        if (shared != 0) scores_of[test->first].push_back(to_score(sums[column], score_unit(shared)));
      }
    }
  }
}

}  // namespace spidd
