// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/captured_flows.h"

#include <filesystem>
#include <fstream>
#include <map>

#include "userspace/base/fnv1a.h"
#include "userspace/capture/pcap_source.h"

namespace spidd {
namespace {

// Sessions that have a verdict, with the packets it rests on, in the order of the verdicts.
Result<std::vector<CapturedFlow>> read_sessions(const std::string& path, StrictSessions::Limits limits,
                                                const std::string& filter, std::string& damage) {
  std::vector<CapturedFlow> flows;
  const auto judge = [&flows](const StrictSession& session) {
    if (session.packets.empty()) return;
    const bool answered = session.counters.packets[0] > 0 && session.counters.packets[1] > 0;
    flows.push_back(
        {session.key, session.client_is_low, session.start, true, answered, session.packets, session.tails});
  };
  StrictSessions sessions(limits, judge, [](const StrictSession&) {});
  std::uint64_t packets = 0;
  std::uint64_t not_ip = 0;
  auto read = read_packets(
      path, filter,
      [&](const CapturedPacket& packet) {
        ++packets;
        sessions.add(packet);
      },
      not_ip);
  sessions.finish();
  if (!read && packets + not_ip == 0) return tl::unexpected(read.error());
  if (!read) damage = read.error().message;
  return flows;
}

}  // namespace

Result<std::vector<CapturedFlow>> read_flows(const std::string& path, FlowRules rules, const std::string& filter,
                                             std::string& damage) {
  damage.clear();
  if (rules.sessions) return read_sessions(path, rules.limits, filter, damage);
  PcapSource::Settings settings;
  settings.filter = filter;
  auto source = PcapSource::open(path, settings);
  if (!source) return tl::unexpected(source.error());
  std::vector<CapturedFlow> flows;
  std::map<std::pair<FlowKey, Timestamp>, std::size_t> index;
  auto read = source->run([&](const PacketRecord& record) {
    if (record.type != PacketRecord::Type::payload) return;
    const auto [position, added] = index.try_emplace({record.key, record.flow_start}, flows.size());
    if (added)
      flows.push_back(
          {record.key, record.client_is_low, record.flow_start, record.start_seen, record.answered, {}, {}});
    CapturedFlow& flow = flows[position->second];
    if (flow.packets.size() >= kRecordLimit) return;
    flow.answered = record.answered;
    flow.packets.push_back(record.packet);
  });
  if (!read) damage = read.error().message;
  return flows;
}

std::uint64_t capture_hash(const std::string& path) {
  constexpr std::size_t kHashedBytes = std::size_t{16} << 20;
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (error || !file) return 0;
  Fnv1a64 hash;
  hash.add(fmt::format("{}:", size));
  std::vector<char> buffer(std::size_t{64} << 10);
  for (std::size_t read = 0; read < kHashedBytes && file; read += buffer.size()) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    hash.add(std::string_view(buffer.data(), static_cast<std::size_t>(file.gcount())));
  }
  return hash.value();
}

}  // namespace spidd
