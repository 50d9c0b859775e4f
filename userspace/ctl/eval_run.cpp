// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/eval_run.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <numeric>
#include <set>

#include "userspace/learning/site_rates.h"
#include "userspace/spid/fold_models.h"

namespace spidd {
namespace {

// Calls task(0) to task(count - 1) from several threads.
template <class Task>
void in_parallel(const EvalSettings& settings, const char* stage, std::size_t count, Task task) {
  std::atomic<std::size_t> next = 0;
  std::size_t done = 0;
  std::mutex telling;
  settings.progress(stage, 0, count);
  std::vector<std::future<void>> workers;
  for (unsigned thread = 0; thread < std::max(1U, settings.threads); ++thread) {
    workers.push_back(std::async(std::launch::async, [&] {
      for (std::size_t i = next++; i < count; i = next++) {
        task(i);
        const std::lock_guard lock(telling);
        settings.progress(stage, ++done, count);
      }
    }));
  }
  for (auto& worker : workers) worker.get();
}

class Evaluation {
 public:
  Evaluation(const EvalInput& input, const EvalSettings& settings) : input_(input), settings_(settings) {}

  Result<EvalRun> run() {
    list_captures();
    use_ = settings_.models ? all_with_packets() : select_flows(input_.set, settings_.training);
    if (std::ranges::find(use_, true) == use_.end()) return fail("no label has enough flows to be judged");
    split();
    measure();
    spread_ = spread_flows(input_.set, use_, settings_.training);
    if (!settings_.models) pool_.emplace(input_.set, fingerprints_, spread_);
    run_.flows_in_use = static_cast<std::size_t>(std::ranges::count(use_, true));
    run_.folds = folds_;

    std::vector<Fold> folds(folds_);
    in_parallel(settings_, "folds", folds_, [&](std::size_t i) { folds[i] = judge_fold(static_cast<unsigned>(i)); });
    for (Fold& fold : folds) {
      if (!fold.failure.empty()) return fail("{}", fold.failure);
      std::ranges::move(fold.judged, std::back_inserter(run_.judged));
      std::ranges::move(fold.with_local, std::back_inserter(run_.with_local));
      std::ranges::move(fold.ablated, std::back_inserter(run_.ablated));
      run_.learned_locally += fold.learned_locally;
    }
    std::ranges::sort(run_.judged, {}, &JudgedFlow::flow);
    std::ranges::sort(run_.with_local, {}, &JudgedFlow::flow);
    std::ranges::sort(run_.ablated, {}, &AblatedFlow::flow);

    const ModelDatabase database = settings_.models ? *settings_.models : models_of(training_of_all());
    for (const ProtocolModel& model : database.models) {
      run_.models.push_back({model.label, model.transport, model.view, model.category, model.threshold, model.flows,
                             model.captures, model.payload_packets, model.has_evidence()});
    }
    if (settings_.strangers) judge_strangers(database);
    return std::move(run_);
  }

 private:
  struct Fold {
    std::vector<JudgedFlow> judged;
    std::vector<JudgedFlow> with_local;
    std::vector<AblatedFlow> ablated;
    std::size_t learned_locally = 0;
    std::string failure;
  };

  std::vector<bool> all_with_packets() const {
    std::vector<bool> use;
    for (const LabelledFlow& flow : input_.set.flows) use.push_back(!flow.packets.empty());
    return use;
  }

  // Sets may have captures of the same name.
  void list_captures() {
    std::map<std::pair<std::size_t, std::uint32_t>, std::vector<std::size_t>> flows;
    for (std::size_t i = 0; i < input_.set.flows.size(); ++i)
      flows[{input_.part_of(i), input_.set.flows[i].capture}].push_back(i);
    for (auto& [capture, of_capture] : flows) captures_.push_back(std::move(of_capture));
  }

  // Fold of every flow; those of fold folds_ are never judged.
  void split() {
    const std::size_t flows = input_.set.flows.size();
    if (!settings_.held_out.empty()) {
      folds_ = 1;
      const std::size_t part = input_.part_named(settings_.held_out);
      for (std::size_t i = 0; i < flows; ++i) fold_of_flow_.push_back(input_.part_of(i) == part ? 0 : 1);
    } else if (settings_.models) {
      folds_ = 1;
      fold_of_flow_.assign(flows, 0);
    } else {
      folds_ = settings_.folds;
      const auto fold_of_group = folds_of_groups(input_.set, use_, folds_);
      for (const LabelledFlow& flow : input_.set.flows) fold_of_flow_.push_back(fold_of_group[flow.group]);
    }
  }

  // Fingerprints of all flows, each measured once for all folds.
  void measure() {
    constexpr std::size_t kChunk = 256;
    const std::size_t flows = input_.set.flows.size();
    for (auto& view : fingerprints_.views) view.resize(flows);
    in_parallel(settings_, "measuring", (flows + kChunk - 1) / kChunk, [&](std::size_t chunk) {
      std::vector<bool> mine(flows);
      const std::size_t end = std::min(flows, (chunk + 1) * kChunk);
      for (std::size_t i = chunk * kChunk; i < end; ++i) mine[i] = use_[i];
      FlowFingerprints measured = measure_flows(input_.set, mine, settings_.training.payload_packets, settings_.rules);
      for (std::size_t view = 0; view < measured.views.size(); ++view)
        for (std::size_t i = chunk * kChunk; i < end; ++i)
          fingerprints_.views[view][i] = std::move(measured.views[view][i]);
    });
  }

  std::vector<bool> training_of_all() const {
    std::vector<bool> train = use_;
    for (std::size_t i = 0; i < train.size(); ++i)
      if (!settings_.held_out.empty() && fold_of_flow_[i] == 0) train[i] = false;
    return train;
  }

  // What `spidctl train --calibrate` makes of these flows.
  ModelDatabase models_of(const std::vector<bool>& train) const {
    const std::vector<bool> spread = spread_flows(input_.set, train, settings_.training);
    std::vector<bool> out(spread.size());
    bool more = false;  // a group that is only partly there may give flows that it did not give as a whole
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = spread_[i] && !spread[i];
      more = more || (spread[i] && !spread_[i]);
    }
    ModelDatabase database = more ? train_models(input_.set, fingerprints_, spread) : pool_->without(out);
    database.rules = settings_.rules;
    database.snap = snap_of(settings_.rules);
    if (!is_classic(settings_.profile))
      calibrate_thresholds(input_.set, fingerprints_, train, settings_.training, database, settings_.profile);
    return database;
  }

  Fold judge_fold(unsigned fold) const {
    Fold result;
    std::vector<bool> train = use_;
    std::vector<bool> tested = use_;
    for (std::size_t i = 0; i < use_.size(); ++i) (fold_of_flow_[i] == fold ? train : tested)[i] = false;
    ModelDatabase database = settings_.models ? *settings_.models : models_of(train);
    std::vector<bool> local(use_.size());
    if (settings_.local_share > 0) {
      local = local_flows(input_, tested, settings_.local_share, settings_.local_part);
      for (std::size_t i = 0; i < local.size(); ++i) tested[i] = tested[i] && !local[i];
      result.learned_locally = static_cast<std::size_t>(std::ranges::count(local, true));
    }
    result.judged = judge(database, tested, result.failure, settings_.ablation ? &result.ablated : nullptr);
    if (settings_.local_share > 0) {
      ModelDatabase site = train_models(input_.set, fingerprints_, spread_flows(input_.set, local, settings_.training));
      site.rules = settings_.rules;
      for (ProtocolModel& model : site.models) model.origin = Origin::site;
      if (auto added = add_learned_models(database, std::move(site)); !added) result.failure = added.error().message;
      result.with_local = judge(database, tested, result.failure);
    }
    return result;
  }

  std::vector<JudgedFlow> judge(const ModelDatabase& database, const std::vector<bool>& tested, std::string& failure,
                                std::vector<AblatedFlow>* ablated = nullptr) const {
    std::vector<JudgedFlow> judged;
    const auto matcher = Matcher::build(database, settings_.profile);
    if (!matcher) {
      failure = matcher.error().message;
      return judged;
    }
    CaptureJudge judge(input_, *matcher, settings_.one_way);
    std::vector<std::size_t> flows;
    std::vector<std::size_t> others;
    for (const auto& capture : captures_) {
      flows.clear();
      others.clear();
      for (const std::size_t flow : capture) (tested[flow] ? flows : others).push_back(flow);
      if (!flows.empty()) judge.judge(flows, others, judged, ablated);
    }
    return judged;
  }

  // Each label in turn: what becomes of its flows where no model has it. Models of other labels stay as they are.
  void judge_strangers(const ModelDatabase& database) {
    std::map<std::string, std::vector<bool>> tested_of;
    for (std::size_t i = 0; i < use_.size(); ++i) {
      if (!use_[i] || fold_of_flow_[i] >= folds_) continue;
      auto& tested = tested_of.try_emplace(input_.set.flows[i].label, use_.size()).first->second;
      tested[i] = true;
    }
    std::vector<std::pair<std::string, std::vector<bool>>> labels(tested_of.begin(), tested_of.end());
    std::vector<std::vector<JudgedFlow>> judged(labels.size());
    in_parallel(settings_, "labels held out", labels.size(), [&](std::size_t i) {
      ModelDatabase others = database;
      std::erase_if(others.models, [&](const ProtocolModel& model) { return model.label == labels[i].first; });
      std::string failure;
      judged[i] = judge(others, labels[i].second, failure);
    });
    for (auto& flows : judged) std::ranges::move(flows, std::back_inserter(run_.strangers));
    std::ranges::sort(run_.strangers, {}, &JudgedFlow::flow);
  }

  const EvalInput& input_;
  const EvalSettings& settings_;
  std::vector<std::vector<std::size_t>> captures_;  // flows of each, by part
  std::vector<bool> use_;
  std::vector<bool> spread_;
  unsigned folds_ = 0;
  std::vector<unsigned> fold_of_flow_;
  FlowFingerprints fingerprints_;
  std::optional<FoldModels> pool_;
  EvalRun run_;
};

}  // namespace

Result<EvalRun> run_evaluation(const EvalInput& input, const EvalSettings& settings) {
  return Evaluation(input, settings).run();
}

std::vector<bool> local_flows(const EvalInput& input, const std::vector<bool>& tested, double share,
                              const std::string& part) {
  const TrainingSet& set = input.set;
  const std::size_t only = input.part_named(part);
  std::map<std::pair<std::uint32_t, std::uint32_t>, bool> learned;  // by group and capture
  for (std::size_t i = 0; i < tested.size(); ++i) {
    if (tested[i] && (part.empty() || input.part_of(i) == only))
      learned.emplace(std::pair(set.flows[i].group, set.flows[i].capture), false);
  }
  double due = 0;
  for (auto& [capture, take] : learned) {
    due += share;
    take = due >= 1 - 1e-9;
    if (take) due -= 1;
  }
  std::vector<bool> local(tested.size());
  for (std::size_t i = 0; i < tested.size(); ++i) {
    if (!tested[i] || input.truths[i].is_tunnel) continue;
    const auto found = learned.find({set.flows[i].group, set.flows[i].capture});
    local[i] = found != learned.end() && found->second;
  }
  return local;
}

}  // namespace spidd
