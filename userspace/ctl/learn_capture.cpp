// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/learn_capture.h"

#include "userspace/capture/pcap_source.h"
#include "userspace/engine/engine.h"

namespace spidd {

namespace {

class SettledFlows final : public EngineSink {
 public:
  explicit SettledFlows(UnknownLearner& learner) : learner_(learner) {}

  void decision(const FlowView&, const Decision&) override {}
  void flow_ended(const FlowView&, const FlowTotals&, EndReason) override {}
  void flow_settled(const SettledFlow& flow) override {
    learner_.learn(flow);
    ++flows_;
  }

  std::uint64_t flows() const { return flows_; }

 private:
  UnknownLearner& learner_;
  std::uint64_t flows_ = 0;
};

// The shipped models with the learned ones; their background becomes the learner's.
Result<std::shared_ptr<const Matcher>> matcher_of(const ModelDatabase& shipped, UnknownLearner& learner) {
  ModelDatabase all = shipped;
  if (auto appended = all.append(learner.models()); !appended) return tl::unexpected<Error>(appended.error());
  auto matcher = Matcher::build(all);
  if (!matcher) return tl::unexpected<Error>(matcher.error());
  learner.set_scorer(std::make_shared<LogRatioScorer>(all.models));
  return std::make_shared<const Matcher>(std::move(*matcher));
}

}  // namespace

Result<std::uint64_t> learn_from_capture(const std::string& path, const LearnCapture& how, UnknownLearner& learner) {
  PcapSource::Settings capture;
  capture.filter = how.filter;
  auto source = PcapSource::open(path, capture);
  if (!source) return tl::unexpected<Error>(source.error());
  auto matcher = matcher_of(how.models, learner);
  if (!matcher) return tl::unexpected<Error>(matcher.error());
  learner.take_models_changed();
  EngineSettings settings;
  settings.report_settled = true;
  settings.flows.flows = capture.max_flows;
  // The source ends idle flows; the engine must not be quicker.
  settings.tcp_idle = settings.udp_idle = Duration::max();
  SettledFlows sink(learner);
  Engine engine(settings, *matcher, how.policy, *source, sink);
  PacketRecord record;
  for (;;) {
    const PcapSource::Next next = source->next(record);
    if (next == PcapSource::Next::record)
      engine.on_record(record);
    else if (next == PcapSource::Next::tick)
      engine.advance(source->clock());
    else
      break;
    if (!learner.take_models_changed()) continue;
    matcher = matcher_of(how.models, learner);
    if (!matcher) return tl::unexpected<Error>(matcher.error());
    engine.set_models(*matcher);
  }
  engine.finish(EndReason::shutdown);
  if (!source->damage().empty()) return fail("{}", source->damage());
  return sink.flows();
}

}  // namespace spidd
