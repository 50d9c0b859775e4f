// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/explain_input.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <functional>
#include <optional>
#include <sstream>

#include "userspace/capture/pcap_packets.h"
#include "userspace/ctl/settled_flows.h"
#include "userspace/ctl/strict_analysis.h"
#include "userspace/report/events.h"

namespace spidd {
namespace {

using IsMeant = std::function<bool(const SettledFlow&)>;

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
  std::ranges::transform(parts[0], parts[0].begin(), [](unsigned char c) { return std::tolower(c); });
  const auto transport = parse_transport(parts[0]);
  if (!transport) return tl::unexpected(transport.error());
  return IsMeant([transport = *transport, a = parts[1], b = parts[2]](const SettledFlow& flow) {
    const std::string client = flow.client.to_string();
    const std::string server = flow.server.to_string();
    return flow.key.transport == transport && ((client == a && server == b) || (client == b && server == a));
  });
}

Result<SettledFlow> found_or_why(std::optional<SettledFlow> found, const std::string& path, const std::string& damage) {
  if (found) return std::move(*found);
  if (damage.empty()) return fail("{}: there is no such flow with payload in it", path);
  return fail("there is no such flow with payload in what could be read: {}", damage);
}

SettledFlow settled_session(const StrictSession& session) {
  Flow flow;
  flow.key = session.key;
  flow.client_is_low = session.client_is_low;
  SettledFlow settled;
  settled.key = session.key;
  settled.client = flow.client();
  settled.server = flow.server();
  settled.start = session.start;
  settled.time = session.last;
  return settled;
}

}  // namespace

Result<SettledFlow> settled_flow_of_capture(const CaptureQuestion& question, std::shared_ptr<const Matcher> matcher,
                                            std::string& damage) {
  const auto meant = meaning_of(question.flow);
  if (!meant) return tl::unexpected(meant.error());
  std::optional<SettledFlow> found;
  const auto keep = [&](const SettledFlow& flow) {
    if ((*meant)(flow)) found = flow;
  };
  auto settled = settle_flows({question.path, question.filter, std::move(matcher), question.policy}, keep);
  if (!settled) return tl::unexpected(settled.error());
  damage = std::move(settled->damage);
  return found_or_why(std::move(found), question.path, damage);
}

Result<SettledFlow> settled_session_of_capture(const CaptureQuestion& question, const Matcher& matcher,
                                               const StrictSessions::Limits& limits, std::string& damage) {
  const auto meant = meaning_of(question.flow);
  if (!meant) return tl::unexpected(meant.error());
  AttributeMeters meters(matcher.rules());
  std::optional<SettledFlow> found;
  const auto judge = [&](const StrictSession& session) {
    if (session.packets.empty()) return;
    SettledFlow settled = settled_session(session);
    if (!(*meant)(settled)) return;
    meters.measure(session.packets, settled.fingerprint, session.tails);
    settled.verdict = strict_verdict(matcher, session.key.transport, settled.fingerprint);
    settled.verdict.final = true;
    if (settled.verdict.state == IdentificationState::identified)
      settled.label = settled.shown = matcher.models()[settled.verdict.model].label;
    found = std::move(settled);
  };
  StrictSessions sessions(limits, judge, [](const StrictSession&) {});
  std::uint64_t not_ip = 0;
  const auto read = read_packets(
      question.path, question.filter, [&](const CapturedPacket& packet) { sessions.add(packet); }, not_ip);
  sessions.finish();
  if (!read) damage = read.error().message;
  return found_or_why(std::move(found), question.path, damage);
}

}  // namespace spidd
