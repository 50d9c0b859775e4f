// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "tests/support/office_capture.h"

#include <algorithm>
#include <random>
#include <string>
#include <utility>

#include "tests/support/capture_writer.h"
#include "tests/support/packet_builder.h"

namespace spidd::test {
namespace {

constexpr double kStart = 1'700'000'000;
constexpr std::uint32_t kRawIp = 101;
const std::string kRouter = "10.1.0.1";

enum class Answer { open, refused, silent };

class Office {
 public:
  Office(unsigned seconds, unsigned seed) : random_(seed), seconds_(seconds) {}

  OfficeCapture make();

 private:
  unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }
  bool once_in(unsigned times) { return below(times) == 0; }
  double fraction() { return below(1'000'000) / 1e6; }
  // Small numbers far more often than large ones.
  unsigned popular(unsigned limit) { return std::min({below(limit), below(limit), below(limit)}); }
  std::uint16_t port() { return static_cast<std::uint16_t>(32768 + below(28000)); }

  static std::string client(unsigned i) { return "10.1.1." + std::to_string(10 + i); }
  static std::string server(unsigned i) { return "10.1.0." + std::to_string(10 + i); }
  static std::string site(unsigned i) {
    return "198.18." + std::to_string(i / 200) + "." + std::to_string(1 + i % 200);
  }
  static std::string visitor(unsigned i) { return "203.0.113." + std::to_string(1 + i); }
  static std::string dead(unsigned i) { return "10.1.7." + std::to_string(1 + i); }

  void add(double time, const PacketBuilder& packet) {
    frames_.emplace_back(static_cast<std::uint64_t>((kStart + time) * 1e6) * 1000, packet.build());
  }
  void tcp(double time, const std::string& from, std::uint16_t from_port, const std::string& to, std::uint16_t to_port,
           const char* flags, std::size_t payload = 0) {
    add(time, PacketBuilder()
                  .without_ethernet()
                  .ipv4(from, to)
                  .tcp(from_port, to_port)
                  .flags(flags)
                  .seq(next_seq_ += 100)
                  .payload_size(payload));
  }
  void udp(double time, const std::string& from, std::uint16_t from_port, const std::string& to,
           std::uint16_t to_port) {
    add(time, PacketBuilder().without_ethernet().ipv4(from, to).udp(from_port, to_port).payload_size(20));
  }
  void icmp(double time, const std::string& from, const std::string& to, std::uint8_t type, std::uint8_t code = 0) {
    add(time, PacketBuilder().without_ethernet().ipv4(from, to).icmp(type, code, 7));
  }
  void unreachable(double time, const std::string& reporter, std::uint8_t code, const std::string& from,
                   std::uint16_t from_port, const std::string& to, std::uint16_t to_port) {
    const Bytes quoted = PacketBuilder().without_ethernet().ipv4(from, to).tcp(from_port, to_port).flags("S").build();
    add(time, PacketBuilder().without_ethernet().ipv4(reporter, from).icmp(3, code).payload(quoted));
  }

  void connect(double time, const std::string& from, const std::string& to, std::uint16_t to_port,
               Answer answer = Answer::open);
  void ask(double time, const std::string& from, const std::string& to, std::uint16_t to_port);
  void work(unsigned second);
  void attacks();

  std::mt19937 random_;
  unsigned seconds_;
  std::uint32_t next_seq_ = 0;
  std::vector<std::pair<std::uint64_t, Bytes>> frames_;
};

void Office::connect(double time, const std::string& from, const std::string& to, std::uint16_t to_port,
                     Answer answer) {
  const std::uint16_t from_port = port();
  const double way = 0.0003 + fraction() * 0.05;
  tcp(time, from, from_port, to, to_port, "S");
  if (answer == Answer::refused) return tcp(time + way, to, to_port, from, from_port, "RA");
  if (answer == Answer::silent) {
    for (const double wait : {1.0, 3.0}) tcp(time + wait, from, from_port, to, to_port, "S");
    return;
  }
  if (once_in(100)) tcp(time += 1, from, from_port, to, to_port, "S");
  tcp(time += way, to, to_port, from, from_port, "SA");
  tcp(time += 0.0001, from, from_port, to, to_port, "A");
  for (unsigned i = below(3) + 1; i > 0; --i) {
    tcp(time += 0.001, from, from_port, to, to_port, "PA", 50);
    tcp(time += way, to, to_port, from, from_port, "PA", 70);
  }
  time += fraction() * fraction() * 10;
  tcp(time, to, to_port, from, from_port, "FA");
  if (once_in(5)) return tcp(time + 0.01, from, from_port, to, to_port, once_in(2) ? "R" : "RA");
  tcp(time += 0.01, from, from_port, to, to_port, "FA");
  tcp(time + way, to, to_port, from, from_port, "A");
}

void Office::ask(double time, const std::string& from, const std::string& to, std::uint16_t to_port) {
  const std::uint16_t from_port = port();
  for (unsigned i = once_in(10) ? 5 : 1; i > 0; --i) {
    udp(time, from, from_port, to, to_port);
    udp(time + 0.02, to, to_port, from, from_port);
    time += 0.1;
  }
}

void Office::work(unsigned second) {
  constexpr std::uint16_t kPorts[] = {443, 80, 445, 993, 22, 25, 8080, 3306};
  const auto when = [&] { return second + fraction(); };
  for (int i = 0; i < 10; ++i) {
    const unsigned number = popular(25);
    const bool down = second / 20 % 7 == 3 && number == 2;
    connect(when(), client(popular(80)), server(number), kPorts[(number + popular(3)) % 8],
            down ? Answer::silent : Answer::open);
    connect(when(), client(popular(80)), site(popular(400)), once_in(5) ? 80 : 443);
  }
  for (int i = 0; i < 6; ++i) connect(when(), visitor(popular(250)), server(popular(4)), once_in(9) ? 25 : 443);
  for (int i = 0; i < 4; ++i) ask(when(), client(popular(80)), once_in(3) ? "10.1.0.3" : "10.1.0.2", 53);
  for (int i = 0; i < 4; ++i) connect(when(), client(popular(8)), server(popular(4)), 443);
  for (unsigned i = 0; i < 5; ++i) {
    icmp(when(), "10.1.0.5", server((second + i) % 25), 8);
    icmp(when(), server((second + i) % 25), "10.1.0.5", 0);
  }
  if (second % 3 == 0) connect(when(), client(3), dead(200), 9100, Answer::silent);
  if (second % 5 == 0)
    connect(when(), client(popular(80)), "10.1.0.40", static_cast<std::uint16_t>(40000 + below(999)));
  if (second % 11 == 0) connect(when(), client(popular(80)), server(popular(25)), port(), Answer::refused);
}

void Office::attacks() {
  const auto from_third = [this](double share) { return seconds_ / 3.0 + seconds_ * share; };
  double time = from_third(0);
  for (std::uint16_t port = 1; port <= 300; ++port)  // by somebody whose visits are familiar by then
    connect(time += 0.2, client(0), server(0), port, Answer::refused);
  time = from_third(0.1);
  for (unsigned i = 0; i < 200; ++i) {
    const std::uint16_t own = port();
    const std::string& host = i % 10 == 0 ? server(i / 10) : dead(i);
    tcp(time += 0.3, "192.0.2.66", own, host, 445, "S");
    if (i % 10 == 0) tcp(time + 0.01, host, 445, "192.0.2.66", own, "RA");
    if (i % 4 == 1) unreachable(time + 2, kRouter, 1, "192.0.2.66", own, host, 445);
  }
  time = from_third(0.2);
  for (std::uint16_t port = 1; port <= 100; ++port)
    tcp(time += 0.1, "192.0.2.67", 4000, server(1), port, port % 3 == 0 ? "FPU" : port % 3 == 1 ? "" : "SF");
  for (unsigned i = 0; i < 60; ++i) {
    for (int repeat = 0; repeat < 6; ++repeat) tcp(time += 0.1, "192.0.2.68", port(), dead(i), 80, "A");
    const std::uint16_t own = port();
    for (int repeat = 0; repeat < 6; ++repeat) tcp(time += 0.1, "192.0.2.69", own, dead(60 + i), 80, "PA", 10);
    tcp(time += 0.1, "192.0.2.70", 80, dead(i), port(), "SA");
    tcp(time += 0.1, "192.0.2.71", port(), dead(i), 80, "FA");
    for (int repeat = 0; repeat < 3; ++repeat) udp(time += 0.1, "192.0.2.72", own, dead(i), 161);
    if (i % 2 == 0) unreachable(time + 0.5, kRouter, 1, "192.0.2.72", own, dead(i), 161);
    icmp(time += 0.1, "192.0.2.73", dead(i), 8);
  }
  time = from_third(0.4);
  constexpr std::uint8_t kOddTypes[] = {13, 17, 5, 15, 9, 10};
  for (const std::uint8_t type : kOddTypes) icmp(time += 20, "192.0.2.74", server(0), type);
  // Forty at once to what is new to both.
  for (int i = 0; i < 40; ++i) connect(from_third(0.5) + i * 0.0001, client(7), server(20), 5432);
  time = from_third(0.55);
  for (unsigned i = 0; i < 300; ++i) connect(time += 0.1, client(30), site(500 + i), 445, Answer::silent);
}

OfficeCapture Office::make() {
  for (unsigned second = 0; second < seconds_; ++second) work(second);
  attacks();
  std::ranges::stable_sort(frames_, {}, &std::pair<std::uint64_t, Bytes>::first);
  CaptureWriter writer(CaptureFormat::pcap_nanoseconds, kRawIp);
  for (const auto& [time, frame] : frames_) writer.add(time, frame);
  return {std::move(writer.bytes()), frames_.size()};
}

}  // namespace

OfficeCapture office_capture(unsigned seconds, unsigned seed) { return Office(seconds, seed).make(); }

}  // namespace spidd::test
