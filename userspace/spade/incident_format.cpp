// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/incident_format.h"

#include <cmath>
#include <type_traits>
#include <utility>
#include <vector>

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

template <class Enum>
requires std::is_enum_v<Enum>
void put(std::string& out, Enum value) { put(out, static_cast<std::uint8_t>(value)); }

bool is_one(IncidentSide side) { return side <= IncidentSide::target; }
bool is_one(IncidentFamily family) { return family <= IncidentFamily::burst; }
bool is_one(IncidentKind kind) { return kind <= IncidentKind::flood; }
bool is_one(Transport transport) {
  return transport == Transport::tcp || transport == Transport::udp || transport == Transport::icmp ||
         transport == Transport::icmp6;
}

// The fields in the order of the file, for writing and reading.
constexpr auto kBeforeFlags = [](auto& incident, const auto& each) {
  each(incident.id, incident.side, incident.family, incident.kind, incident.host, incident.domain, incident.first,
       incident.last, incident.count, incident.max_score, incident.answered, incident.failed);
};
constexpr auto kOfExample = [](auto& example, const auto& each) {
  each(example.time, example.source, example.destination, example.source_port, example.destination_port,
       example.transport, example.tcp_flags, example.score);
};
constexpr auto kOfCase = [](auto& one, const auto& each) {
  each(one.targets, one.hosts, one.ports, one.alerted, one.target, one.port, one.destination, one.last_target,
       one.last_port, one.answers, one.dead, one.outside, one.answered, one.replies);
};

// Turns false for ever where something cannot be.
class IncidentReader {
 public:
  explicit IncidentReader(PartReader& reader) : reader_(reader) {}

  bool good() const { return good_ && reader_.good(); }
  void require(bool true_of_all) { good_ = good_ && true_of_all; }

  template <class T>
  void take(T& value) {
    if constexpr (std::is_same_v<T, IpAddress>)
      value = reader_.address();
    else if constexpr (std::is_same_v<T, double>)
      require(std::isfinite(value = reader_.real()));
    else if constexpr (std::is_same_v<T, Timestamp>)
      value = Timestamp(Duration(reader_.signed_number()));
    else if constexpr (std::is_enum_v<T>)
      require(is_one(value = static_cast<T>(reader_.number<std::uint8_t>())));
    else
      value = reader_.number<T>();
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

 private:
  PartReader& reader_;
  bool good_ = true;
};

}  // namespace

void put_incident(std::string& out, const IncidentCase& one) {
  const auto each = [&out](const auto&... values) { (put(out, values), ...); };
  const Incident& incident = one.incident;
  kBeforeFlags(incident, each);
  each(static_cast<std::uint8_t>((incident.acknowledged ? kAcknowledged : 0) | (incident.confirmed ? kConfirmed : 0) |
                                 (incident.scan ? kScan : 0)),
       incident.burst, incident.usual, static_cast<std::uint8_t>(incident.examples.size()));
  for (const IncidentExample& example : incident.examples) kOfExample(example, each);
  kOfCase(one, each);
}

std::optional<IncidentCase> take_incident(PartReader& bytes) {
  IncidentReader reader(bytes);
  const auto each = [&reader](auto&... values) { (reader.take(values), ...); };
  IncidentCase one;
  one.open = true;
  Incident& incident = one.incident;
  std::uint8_t flags = 0;
  std::uint8_t examples = 0;
  kBeforeFlags(incident, each);
  each(flags, incident.burst, incident.usual, examples);
  incident.acknowledged = (flags & kAcknowledged) != 0;
  incident.confirmed = (flags & kConfirmed) != 0;
  incident.scan = (flags & kScan) != 0;
  reader.require(incident.id > 0 && examples <= Incident::kMostExamples && incident.first >= Timestamp{} &&
                 incident.first <= incident.last && incident.last <= kLatest);
  if (!reader.good()) return std::nullopt;
  incident.examples.resize(examples);
  for (IncidentExample& example : incident.examples) kOfExample(example, each);
  kOfCase(one, each);
  if (!reader.good()) return std::nullopt;
  return one;
}

}  // namespace spidd
