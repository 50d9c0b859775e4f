// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// An engine with a sink that keeps everything, and packets in one line each.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "userspace/spade/spade.h"

namespace spidd::spade_test {

inline constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10, kUrg = 0x20;
inline constexpr std::int64_t kEpoch = 1'700'000'000;  // on a real calendar

inline Timestamp at(double second) {
  return Timestamp(std::chrono::seconds(kEpoch)) + Duration(static_cast<std::int64_t>(second * 1e9));
}

inline IpAddress ip(const std::string& text) { return *IpAddress::parse(text); }

inline Observation tcp(double second, const std::string& from, std::uint16_t from_port, const std::string& to,
                       std::uint16_t to_port, unsigned flags = kSyn, std::uint32_t count = 1) {
  Observation packet;
  packet.time = at(second);
  packet.source = ip(from);
  packet.source_port = from_port;
  packet.destination = ip(to);
  packet.destination_port = to_port;
  packet.tcp_flags = static_cast<std::uint8_t>(flags);
  packet.count = count;
  return packet;
}

inline Observation udp(double second, const std::string& from, std::uint16_t from_port, const std::string& to,
                       std::uint16_t to_port) {
  Observation packet = tcp(second, from, from_port, to, to_port, 0);
  packet.transport = Transport::udp;
  return packet;
}

inline Observation icmp(double second, const std::string& from, const std::string& to, unsigned type,
                        unsigned code = 0) {
  Observation packet = tcp(second, from, 0, to, 0, 0);
  packet.transport = Transport::icmp;
  packet.icmp_type = static_cast<std::uint8_t>(type);
  packet.icmp_code = static_cast<std::uint8_t>(code);
  return packet;
}

// What is inside an unreachable about `packet`.
inline Observation unreachable(double second, Observation packet, const std::string& reporter, unsigned code) {
  packet.time = at(second);
  packet.kind = Observation::Kind::unreachable;
  packet.reporter = ip(reporter);
  packet.icmp_type = 3;
  packet.icmp_code = static_cast<std::uint8_t>(code);
  return packet;
}

inline Observation answer(double second, Observation packet, unsigned flags = 0) {
  packet.time = at(second);
  std::swap(packet.source, packet.destination);
  std::swap(packet.source_port, packet.destination_port);
  packet.tcp_flags = static_cast<std::uint8_t>(flags);
  return packet;
}

struct Recorder : SpadeSink {
  void alert(const SpadeAlert& alert) override { alerts.push_back(alert); }
  void adjusted(const ThresholdAdjusted& adjustment) override { adjustments.push_back(adjustment); }

  std::vector<SpadeAlert> alerts;
  std::vector<ThresholdAdjusted> adjustments;
};

inline DetectorSettings named(std::string id, DetectorSettings detector) {
  detector.id = std::move(id);
  return detector;
}

// 10.0.0.0/8 is home; the detectors of the test.
inline SpadeSettings settings_of(std::vector<DetectorSettings> detectors,
                                 SpadeProfile profile = SpadeProfile::documented) {
  SpadeSettings settings;
  settings.profile = profile;
  settings.home = {*IpPrefix::parse("10.0.0.0/8")};
  settings.detectors = std::move(detectors);
  return settings;
}

class Engine {
 public:
  explicit Engine(SpadeSettings settings) {
    auto made = Spade::create(std::move(settings), recorder);
    if (!made) throw std::runtime_error(made.error().message);
    spade = std::make_unique<Spade>(std::move(*made));
  }

  // The alerts that the packet brings about.
  std::vector<SpadeAlert> see(const Observation& packet) {
    const std::size_t before = recorder.alerts.size();
    spade->observe(packet);
    return {recorder.alerts.begin() + static_cast<std::ptrdiff_t>(before), recorder.alerts.end()};
  }
  std::vector<SpadeAlert> pass(double second) {
    const std::size_t before = recorder.alerts.size();
    spade->advance(at(second));
    return {recorder.alerts.begin() + static_cast<std::ptrdiff_t>(before), recorder.alerts.end()};
  }
  DetectorStatistics statistics(std::size_t detector = 0) const { return spade->statistics().detectors[detector]; }

  Recorder recorder;
  std::unique_ptr<Spade> spade;
};

inline constexpr SpadeProfile kDocumented = SpadeProfile::documented;
inline constexpr SpadeProfile kOriginal = SpadeProfile::v030125;

}  // namespace spidd::spade_test
