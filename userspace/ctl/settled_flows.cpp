// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/settled_flows.h"

#include "userspace/capture/pcap_source.h"
#include "userspace/engine/engine.h"
#include "userspace/learning/suspects.h"

namespace spidd {
namespace {

class SettledSink final : public EngineSink {
 public:
  explicit SettledSink(const OnSettled& on_settled) : on_settled_(on_settled) {}

  // What the policy would have blocked from here on is touched.
  void decision(const FlowView& view, const Decision& decision) override {
    if (decision.action == Action::block)
      suspects_.add(block_target(decision.scope, view.flow.key, view.flow.server()), view.now + decision.block_for);
  }
  void flow_ended(const FlowView&, const FlowTotals&, EndReason) override {}
  void flow_settled(const SettledFlow& flow) override {
    if (flow.looked_at_again) return;  // it comes once more
    ++flows_;
    if (flow.touched() || !suspects_.touch(flow)) return on_settled_(flow);
    SettledFlow touched = flow;
    touched.suspected = true;
    on_settled_(touched);
  }

  std::uint64_t flows() const { return flows_; }

 private:
  const OnSettled& on_settled_;
  Suspects suspects_;
  std::uint64_t flows_ = 0;
};

}  // namespace

Result<SettledFlows> settle_flows(const SettlingCapture& capture, const OnSettled& on_settled,
                                  const ChangedModels& changed_models) {
  PcapSource::Settings reading;
  reading.filter = capture.filter;
  auto source = PcapSource::open(capture.path, reading);
  if (!source) return tl::unexpected<Error>(source.error());
  EngineSettings settings;
  settings.report_settled = true;
  settings.flows.flows = reading.max_flows;
  // The source ends idle flows; the engine must not be quicker.
  settings.tcp_idle = settings.udp_idle = Duration::max();
  SettledSink sink(on_settled);
  Engine engine(settings, capture.matcher, capture.policy, *source, sink);
  PacketRecord record;
  for (;;) {
    const PcapSource::Next next = source->next(record);
    if (next == PcapSource::Next::record)
      engine.on_record(record);
    else if (next == PcapSource::Next::tick)
      engine.advance(source->clock());
    else
      break;
    if (!changed_models) continue;
    auto matcher = changed_models();
    if (!matcher) return tl::unexpected<Error>(matcher.error());
    if (*matcher != nullptr) engine.set_models(std::move(*matcher));
  }
  engine.finish(EndReason::shutdown);
  return SettledFlows{sink.flows(), source->damage()};
}

}  // namespace spidd
