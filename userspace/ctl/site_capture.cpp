// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/site_capture.h"

#include "userspace/capture/pcap_source.h"
#include "userspace/engine/engine.h"

namespace spidd {

namespace {

class SettledFlows final : public EngineSink {
 public:
  explicit SettledFlows(SiteLearning& site) : site_(site) {}

  void decision(const FlowView&, const Decision&) override {}
  void flow_ended(const FlowView&, const FlowTotals&, EndReason) override {}
  void flow_settled(const SettledFlow& flow) override {
    site_.add(flow);
    ++flows_;
  }

  std::uint64_t flows() const { return flows_; }

 private:
  SiteLearning& site_;
  std::uint64_t flows_ = 0;
};

}  // namespace

Result<std::uint64_t> record_capture(const std::string& path, const SiteCapture& how, SiteLearning& site) {
  PcapSource::Settings capture;
  capture.filter = how.filter;
  auto source = PcapSource::open(path, capture);
  if (!source) return tl::unexpected<Error>(source.error());
  EngineSettings settings;
  settings.report_settled = true;
  settings.flows.flows = capture.max_flows;
  // The source ends idle flows; the engine must not be quicker.
  settings.tcp_idle = settings.udp_idle = Duration::max();
  SettledFlows sink(site);
  Engine engine(settings, how.matcher, how.policy, *source, sink);
  PacketRecord record;
  for (;;) {
    const PcapSource::Next next = source->next(record);
    if (next == PcapSource::Next::record)
      engine.on_record(record);
    else if (next == PcapSource::Next::tick)
      engine.advance(source->clock());
    else
      break;
  }
  engine.finish(EndReason::shutdown);
  if (!source->damage().empty()) return fail("{}", source->damage());
  return sink.flows();
}

}  // namespace spidd
