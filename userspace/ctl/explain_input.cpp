// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/explain_input.h"

#include <charconv>
#include <functional>
#include <optional>
#include <sstream>

#include "userspace/capture/pcap_source.h"
#include "userspace/engine/engine.h"
#include "userspace/report/events.h"

namespace spidd {
namespace {

using IsMeant = std::function<bool(const SettledFlow&)>;

// Keeps the flow that is meant.
class Finder final : public EngineSink {
 public:
  explicit Finder(IsMeant meant) : meant_(std::move(meant)) {}

  void decision(const FlowView&, const Decision&) override {}
  void flow_ended(const FlowView&, const FlowTotals&, EndReason) override {}
  void flow_settled(const SettledFlow& flow) override {
    if (meant_(flow)) found_ = flow;
  }

  const std::optional<SettledFlow>& found() const { return found_; }

 private:
  IsMeant meant_;
  std::optional<SettledFlow> found_;
};

Result<IsMeant> meaning_of(const std::vector<std::string>& words) {
  std::vector<std::string> parts;
  for (const std::string& word : words) {
    std::istringstream stream(word);
    for (std::string part; stream >> part;) parts.push_back(part);
  }
  if (parts.size() == 1) {
    std::uint64_t id = 0;
    const std::string& text = parts[0];
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error != std::errc() || end != text.data() + text.size()) return fail("'{}' is no flow_id", text);
    return IsMeant([id](const SettledFlow& flow) { return event_flow_id(flow.key, flow.start) == id; });
  }
  if (parts.size() != 3) return fail("say the flow as \"tcp 10.0.0.1:4242 10.0.0.2:443\", or its flow_id");
  const auto transport = parse_transport(parts[0]);
  if (!transport) return tl::unexpected(transport.error());
  return IsMeant([transport = *transport, a = parts[1], b = parts[2]](const SettledFlow& flow) {
    const std::string client = flow.client.to_string();
    const std::string server = flow.server.to_string();
    return flow.key.transport == transport && ((client == a && server == b) || (client == b && server == a));
  });
}

}  // namespace

Result<MeasuredFlow> measure_flow_of_capture(const CaptureQuestion& question, std::shared_ptr<const Matcher> matcher) {
  auto meant = meaning_of(question.flow);
  if (!meant) return tl::unexpected(std::move(meant).error());
  PcapSource::Settings capture;
  capture.filter = question.filter;
  auto source = PcapSource::open(question.path, capture);
  if (!source) return tl::unexpected(std::move(source).error());
  EngineSettings settings;
  settings.report_settled = true;
  settings.flows.flows = capture.max_flows;
  settings.tcp_idle = settings.udp_idle = Duration::max();  // the source ends idle flows
  Finder finder(std::move(*meant));
  const MeterRules rules = matcher->rules();
  Engine engine(settings, std::move(matcher), std::make_shared<const Policy>(), *source, finder);
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
  if (!finder.found()) return fail("{}: there is no such flow with payload in it", question.path);
  return parse_settled_flow(settled_flow_json(*finder.found(), rules));
}

}  // namespace spidd
