// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/incident_format.h"

#include <cmath>
#include <utility>

namespace spidd {
namespace {

using state_bytes::PartReader;
using state_bytes::put;

constexpr std::uint8_t kAcknowledged = 1;
constexpr std::uint8_t kConfirmed = 2;
constexpr std::uint8_t kScan = 4;
constexpr Timestamp kLatest{std::chrono::seconds(4'000'000'000)};  // the year 2096: sums of times cannot overflow
constexpr std::uint8_t kRegisters = 255;                           // in place of a number of hashes

void put(std::string& out, Timestamp time) { put(out, static_cast<std::int64_t>(time.time_since_epoch().count())); }

void put(std::string& out, const FanOut& fan_out) {
  if (!fan_out.exact()) {
    put(out, kRegisters);
    for (const std::uint8_t run : fan_out.registers()) put(out, run);
    return;
  }
  put(out, static_cast<std::uint8_t>(fan_out.seen().size()));
  for (const std::uint64_t hash : fan_out.seen()) put(out, hash);
}

template <class T>
void put(std::string& out, const Majority<T>& majority) {
  put(out, majority.value);
  put(out, static_cast<std::uint32_t>(majority.votes));
}

void put(std::string& out, const IncidentExample& example) {
  put(out, example.time);
  put(out, example.source);
  put(out, example.destination);
  put(out, example.source_port);
  put(out, example.destination_port);
  put(out, static_cast<std::uint8_t>(example.transport));
  put(out, example.tcp_flags);
  put(out, example.score);
}

// Turns false for ever where something cannot be.
class IncidentReader {
 public:
  explicit IncidentReader(PartReader& reader) : reader_(reader) {}

  bool good() const { return good_ && reader_.good(); }

  template <class T>
  void take(T& value) {
    if constexpr (std::is_same_v<T, IpAddress>)
      value = reader_.address();
    else if constexpr (std::is_same_v<T, double>)
      require(std::isfinite(value = reader_.real()));
    else if constexpr (std::is_same_v<T, Timestamp>)
      value = Timestamp(Duration(reader_.signed_number()));
    else
      value = reader_.number<T>();
  }
  template <class Enum>
  void take(Enum& value, Enum last) {
    const auto number = reader_.number<std::uint8_t>();
    require(number <= static_cast<std::uint8_t>(last));
    value = static_cast<Enum>(number);
  }
  template <class T>
  void take(Majority<T>& majority) {
    take(majority.value);
    majority.votes = static_cast<std::int32_t>(reader_.number<std::uint32_t>());
    require(majority.votes >= 0);
  }
  void take(FanOut& fan_out) {
    const auto size = reader_.number<std::uint8_t>();
    if (size == kRegisters) {
      std::vector<std::uint8_t> registers(FanOut::kRegisters);
      for (std::uint8_t& run : registers) take(run);
      require(fan_out.restore_registers(std::move(registers)));
      return;
    }
    require(size <= FanOut::kExact);
    for (std::uint8_t i = 0; i < size && good(); ++i) require(fan_out.add(reader_.number<std::uint64_t>()));
  }
  void take(IncidentExample& example) {
    take(example.time);
    take(example.source);
    take(example.destination);
    take(example.source_port);
    take(example.destination_port);
    const auto transport = static_cast<Transport>(reader_.number<std::uint8_t>());
    require(transport == Transport::tcp || transport == Transport::udp || transport == Transport::icmp ||
            transport == Transport::icmp6);
    example.transport = transport;
    take(example.tcp_flags);
    take(example.score);
  }
  void require(bool true_of_all) { good_ = good_ && true_of_all; }

 private:
  PartReader& reader_;
  bool good_ = true;
};

}  // namespace

void put_incident(std::string& out, const IncidentCase& one) {
  const Incident& incident = one.incident;
  put(out, incident.id);
  put(out, static_cast<std::uint8_t>(incident.side));
  put(out, static_cast<std::uint8_t>(incident.family));
  put(out, static_cast<std::uint8_t>(incident.kind));
  put(out, incident.host);
  put(out, incident.domain);
  put(out, incident.first);
  put(out, incident.last);
  put(out, incident.count);
  put(out, incident.max_score);
  put(out, incident.answered);
  put(out, incident.failed);
  put(out, static_cast<std::uint8_t>((incident.acknowledged ? kAcknowledged : 0) |
                                     (incident.confirmed ? kConfirmed : 0) | (incident.scan ? kScan : 0)));
  put(out, incident.burst);
  put(out, incident.usual);
  put(out, static_cast<std::uint8_t>(incident.examples.size()));
  for (const IncidentExample& example : incident.examples) put(out, example);
  for (const FanOut* fan_out : {&one.targets, &one.hosts, &one.ports, &one.alerted}) put(out, *fan_out);
  put(out, one.target);
  put(out, one.port);
  put(out, one.destination);
  put(out, one.last_target);
  put(out, one.last_port);
  put(out, one.answers);
  put(out, one.dead);
  put(out, one.outside);
  put(out, one.answered);
  put(out, one.replies);
}

std::optional<IncidentCase> take_incident(PartReader& bytes) {
  IncidentReader reader(bytes);
  IncidentCase one;
  one.open = true;
  Incident& incident = one.incident;
  reader.take(incident.id);
  reader.take(incident.side, IncidentSide::target);
  reader.take(incident.family, IncidentFamily::burst);
  reader.take(incident.kind, IncidentKind::flood);
  reader.take(incident.host);
  reader.take(incident.domain);
  reader.take(incident.first);
  reader.take(incident.last);
  reader.take(incident.count);
  reader.take(incident.max_score);
  reader.take(incident.answered);
  reader.take(incident.failed);
  const auto flags = bytes.number<std::uint8_t>();
  incident.acknowledged = (flags & kAcknowledged) != 0;
  incident.confirmed = (flags & kConfirmed) != 0;
  incident.scan = (flags & kScan) != 0;
  reader.take(incident.burst);
  reader.take(incident.usual);
  const auto examples = bytes.number<std::uint8_t>();
  reader.require(incident.id > 0 && examples <= Incident::kMostExamples && incident.first >= Timestamp{} &&
                 incident.first <= incident.last && incident.last <= kLatest);
  if (!reader.good()) return std::nullopt;
  incident.examples.resize(examples);
  for (IncidentExample& example : incident.examples) reader.take(example);
  for (FanOut* fan_out : {&one.targets, &one.hosts, &one.ports, &one.alerted}) reader.take(*fan_out);
  reader.take(one.target);
  reader.take(one.port);
  reader.take(one.destination);
  reader.take(one.last_target);
  reader.take(one.last_port);
  reader.take(one.answers);
  reader.take(one.dead);
  reader.take(one.outside);
  reader.take(one.answered);
  reader.take(one.replies);
  if (!reader.good()) return std::nullopt;
  return one;
}

}  // namespace spidd
