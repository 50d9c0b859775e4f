// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/analysis_writer.h"

#include "userspace/enforcement/block_list.h"
#include "userspace/engine/flow_events.h"

namespace spidd {

namespace {

std::string_view label_of(const FlowView& view) {
  return view.label != nullptr ? shown_label(view.flow.verdict, view.label)
                               : verdict_class_name(view.flow.verdict.verdict_class);
}

class AnalysisWriter : public ReplayWriter {
 public:
  AnalysisWriter(std::shared_ptr<const Policy> policy, AnalysisSummary& summary)
      : policy_(std::move(policy)), summary_(summary) {}
  ~AnalysisWriter() override { summary_.add(sums_); }

 protected:
  void count(const FlowView& view, const FlowTotals& totals) {
    const std::string_view label = label_of(view);
    // Flows come in runs of one label: most are found without a look-up by name.
    if (last_ == nullptr || last_label_ != label) {
      last_label_ = label;
      last_ = &sums_[last_label_];
      if (view.label != nullptr) last_->category = category_name(view.label->category);
    }
    ++last_->flows;
    last_->packets += totals.counters.packets[0] + totals.counters.packets[1];
    last_->bytes += totals.counters.bytes[0] + totals.counters.bytes[1];
    last_->alerts += view.flow.verdict.action == Action::alert ? 1 : 0;
    last_->drops += view.flow.verdict.action == Action::block ? 1 : 0;
  }

  std::shared_ptr<const Policy> policy_;

 private:
  AnalysisSummary& summary_;
  std::map<std::string, AnalysisSummary::Sum> sums_;
  std::string last_label_;
  AnalysisSummary::Sum* last_ = nullptr;
};

class JsonLines final : public AnalysisWriter {
 public:
  using AnalysisWriter::AnalysisWriter;

  void decision(const FlowView& view, const Decision& decision, std::string& out) override {
    append_json(out, alert_event(view, decision, *policy_, {}));
    out += '\n';
    if (decision.action != Action::block) return;
    const std::string target = to_string(block_target(decision.scope, view.flow.key, view.flow.server()));
    DropEvent drop;
    drop.time = view.now;
    drop.flow = event_flow(view.flow, {});
    drop.spid = event_spid(view.flow.verdict, view.label, true);
    drop.scope = decision.scope;
    drop.target = target;
    drop.rule = policy_->name_of(decision.rule);
    drop.expires = view.now + decision.block_for;
    append_json(out, drop);
    out += '\n';
  }

  void flow_ended(const FlowView& view, const FlowTotals& totals, EndReason reason, std::string& out) override {
    count(view, totals);
    append_json(out, flow_event(view, totals, reason, *policy_, {}));
    out += '\n';
  }
};

constexpr std::string_view kRow =
    "{:<24}  {:<5}  {:<28}  {:<28}  {:<20}  {:<24}  {:>6}  {:>6}  {:>6}  {:>8}  {:>11}  {}\n";

class Rows final : public AnalysisWriter {
 public:
  using AnalysisWriter::AnalysisWriter;

  void decision(const FlowView&, const Decision&, std::string&) override {}

  void flow_ended(const FlowView& view, const FlowTotals& totals, EndReason, std::string& out) override {
    count(view, totals);
    const Verdict& verdict = view.flow.verdict;
    const bool scored = verdict.payload_packets > 0 && verdict.model != kNoModel;
    const FlowCounters& counters = totals.counters;
    fmt::format_to(std::back_inserter(out), fmt::runtime(kRow), format_timestamp(view.flow.start).substr(0, 23),
                   transport_name(view.flow.key.transport), view.flow.client().to_string(),
                   view.flow.server().to_string(), label_of(view),
                   fmt::format("{}{}", verdict_class_name(verdict.verdict_class), verdict.one_way ? ", one way" : ""),
                   scored ? fmt::format("{:.2f}", verdict.score) : "-",
                   scored ? fmt::format("{:.2f}", verdict.margin) : "-",
                   scored ? fmt::format("{:.2f}", verdict.divergence) : "-", counters.packets[0] + counters.packets[1],
                   counters.bytes[0] + counters.bytes[1], action_name(verdict.action));
  }
};

class SumsOnly final : public AnalysisWriter {
 public:
  using AnalysisWriter::AnalysisWriter;

  void decision(const FlowView&, const Decision&, std::string&) override {}
  void flow_ended(const FlowView& view, const FlowTotals& totals, EndReason, std::string&) override {
    count(view, totals);
  }
};

}  // namespace

AnalysisSummary::Sum& AnalysisSummary::Sum::operator+=(const Sum& other) {
  if (category.empty()) category = other.category;
  flows += other.flows;
  packets += other.packets;
  bytes += other.bytes;
  alerts += other.alerts;
  drops += other.drops;
  return *this;
}

AnalysisSummary::Sum AnalysisSummary::total() const {
  Sum sum;
  for (const auto& [label, part] : by_label) sum += part;
  return sum;
}

void AnalysisSummary::add(const std::map<std::string, Sum>& sums) {
  const std::lock_guard lock(mutex_);
  for (const auto& [label, sum] : sums) by_label[label] += sum;
}

std::unique_ptr<ReplayWriter> make_analysis_writer(AnalysisForm form, std::shared_ptr<const Policy> policy,
                                                   AnalysisSummary& summary) {
  if (form == AnalysisForm::json) return std::make_unique<JsonLines>(std::move(policy), summary);
  if (form == AnalysisForm::sums) return std::make_unique<SumsOnly>(std::move(policy), summary);
  return std::make_unique<Rows>(std::move(policy), summary);
}

std::string analysis_header() {
  return fmt::format(fmt::runtime(kRow), "START (UTC)", "PROTO", "CLIENT", "SERVER", "LABEL", "CLASS", "SCORE",
                     "MARGIN", "DIVERG", "PACKETS", "BYTES", "ACTION");
}

}  // namespace spidd
