// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The kernel's programs and PcapSource must make the same records and observations of the same frames. Captures: those
// of tests/replay, and of the directories in the environment variable SPIDD_DIFF_CAPTURES (separated by colons).
//
// All frames get one time, so that nothing is idle, and the length they were captured with, because a kernel sees whole
// frames. Record times and the end records that PcapSource adds at the end of a file are not compared.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <sstream>

#include "tests/bpf/datapath.h"
#include "tests/support/capture_writer.h"
#include "tests/support/tls_stream.h"
#include "userspace/capture/observation_decoder.h"
#include "userspace/capture/pcap_file.h"
#include "userspace/capture/pcap_source.h"
#include "userspace/capture/record_decoder.h"

namespace spidd::test {
namespace {

namespace fs = std::filesystem;

constexpr std::uint16_t kEthernet = 1;
constexpr std::uint16_t kRawIp = 101;
// What BPF_PROG_TEST_RUN takes on every kernel: a complete header, up to a page without head room.
constexpr std::size_t kSmallest = 34;
constexpr std::size_t kLargest = 3000;
constexpr std::size_t kMostFrames = 20000;
constexpr std::size_t kDrainEvery = 300;  // frames: two observations each fit into the ring
constexpr std::uint64_t kTime = 1000000000000;

std::vector<fs::path> captures_in(const fs::path& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    const std::string suffix = entry.path().extension();
    if (suffix == ".pcap" || suffix == ".pcapng" || suffix == ".cap") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<fs::path> captures() {
  std::vector<fs::path> files = captures_in(fs::path(SPIDD_SOURCE_DIR) / "tests/replay");
  if (const char* const more = std::getenv("SPIDD_DIFF_CAPTURES"); more != nullptr) {
    std::istringstream directories(more);
    for (std::string directory; std::getline(directories, directory, ':');) {
      const auto found = captures_in(directory);
      files.insert(files.end(), found.begin(), found.end());
    }
  }
  return files;
}

// The frames of one link type that the kernel's test run takes.
std::vector<Bytes> frames_of(const fs::path& path, std::uint16_t& link_type) {
  std::vector<Bytes> frames;
  auto file = PcapFile::open(path);
  if (!file) return frames;
  CapturedFrame frame;
  while (frames.size() < kMostFrames && file->next(frame) == FrameStatus::frame) {
    if (frames.empty()) link_type = frame.link_type;
    if (frame.link_type != link_type || frame.bytes.size() < kSmallest || frame.bytes.size() > kLargest) continue;
    frames.emplace_back(frame.bytes.begin(), frame.bytes.end());
  }
  return frames;
}

struct Seen {
  std::vector<PacketRecord> records;
  std::vector<Observation> observations;
};

Seen seen_by_userspace(std::uint16_t link_type, const std::vector<Bytes>& frames) {
  CaptureWriter writer(CaptureFormat::pcap_nanoseconds, link_type);
  for (const Bytes& frame : frames) writer.add(kTime, frame);
  const MemoryFile file(writer.bytes());
  Seen seen;
  PcapSource::Settings settings;
  settings.observe = [&](const Observation& observation) { seen.observations.push_back(observation); };
  settings.observed = PcapSource::Observed::as_in_kernel;
  auto source = PcapSource::open(file.path(), settings);
  EXPECT_TRUE(source) << (source ? "" : source.error().message);
  if (source) {
    const auto done = source->run([&](const PacketRecord& record) { seen.records.push_back(record); });
    EXPECT_TRUE(done) << (done ? "" : done.error().message);
  }
  return seen;
}

Seen seen_by_kernel(Program program, std::uint16_t link_type, const std::vector<Bytes>& frames) {
  Datapath& datapath = Datapath::fresh();
  datapath.set_interface(1, 0, link_type == kRawIp);
  datapath.settings().observation_limit = 1000000;
  datapath.apply();
  Seen seen;
  std::size_t waiting = 0;
  const auto drain = [&] {
    waiting = 0;
    for (const spidd_record& record : datapath.records()) {
      EXPECT_EQ(decode_record(std::as_bytes(std::span(&record, 1)), Duration::zero(), seen.records.emplace_back()),
                DecodeStatus::ok);
    }
    for (const spidd_observation& one : datapath.observations()) {
      EXPECT_EQ(
          decode_observation(std::as_bytes(std::span(&one, 1)), Duration::zero(), seen.observations.emplace_back()),
          DecodeStatus::ok);
    }
  };
  for (const Bytes& frame : frames) {
    EXPECT_EQ(datapath.run(program, frame), Verdict::pass);
    if (++waiting == kDrainEvery) drain();
  }
  drain();
  for (const spidd_hook hook : {SPIDD_HOOK_INGRESS, SPIDD_HOOK_EGRESS}) {
    EXPECT_EQ(datapath.counter(SPIDD_RECORDS_LOST, hook), 0U);
    EXPECT_EQ(datapath.counter(SPIDD_OBSERVATIONS_LOST, hook), 0U);
    EXPECT_EQ(datapath.counter(SPIDD_OBSERVATIONS_LIMITED, hook), 0U);
  }
  return seen;
}

std::string text(const PacketRecord& record) {
  std::ostringstream out;
  out << (record.type == PacketRecord::Type::end ? "end " : "payload ") << record.client().to_string() << " > "
      << record.server().to_string() << ' ' << transport_name(record.key.transport) << " domain " << record.key.domain
      << " start_seen " << record.start_seen << " egress " << record.egress;
  if (record.type == PacketRecord::Type::end) {
    const FlowTotals& totals = record.totals;
    out << " packets " << totals.counters.packets[0] << '/' << totals.counters.packets[1] << " bytes "
        << totals.counters.bytes[0] << '/' << totals.counters.bytes[1] << " payload_packets " << totals.payload_packets
        << " closed " << totals.closed;
    return out.str();
  }
  const PayloadPacket& packet = record.packet;
  out << " flags " << unsigned{record.tcp_flags} << " seq " << record.tcp_seq << " order " << record.order << " length "
      << packet.length << " offset " << packet.offset << " direction " << static_cast<unsigned>(packet.direction)
      << " captured " << unsigned{packet.captured} << std::hex;
  for (const std::uint8_t byte : packet.bytes) out << ' ' << unsigned{byte};
  out << " records " << headers_text(packet.tls.count, packet.tls.types, packet.tls.lengths);
  return out.str();
}

std::string text(const Observation& observation) {
  std::ostringstream out;
  out << (observation.kind == Observation::Kind::unreachable ? "unreachable " : "packet ")
      << observation.source.to_string() << ':' << observation.source_port << " > "
      << observation.destination.to_string() << ':' << observation.destination_port << ' '
      << transport_name(observation.transport) << " domain " << observation.domain << " flags "
      << unsigned{observation.tcp_flags} << " icmp " << unsigned{observation.icmp_type} << '/'
      << unsigned{observation.icmp_code} << " reporter " << observation.reporter.to_string() << " count "
      << observation.count << " reply " << observation.reply;
  return out.str();
}

void compare(const std::vector<Observation>& kernel, const std::vector<Observation>& userspace) {
  ASSERT_EQ(kernel.size(), userspace.size());
  for (std::size_t i = 0; i < kernel.size(); ++i) ASSERT_EQ(text(kernel[i]), text(userspace[i])) << "observation " << i;
}

void compare(const std::vector<PacketRecord>& kernel, const std::vector<PacketRecord>& userspace) {
  ASSERT_LE(kernel.size(), userspace.size());
  for (std::size_t i = 0; i < kernel.size(); ++i) ASSERT_EQ(text(kernel[i]), text(userspace[i])) << "record " << i;
  for (std::size_t i = kernel.size(); i < userspace.size(); ++i) {
    ASSERT_EQ(userspace[i].type, PacketRecord::Type::end) << "record " << i << ": " << text(userspace[i]);
  }
}

TEST(Differential, KernelAndUserspaceSeeTheSameInEveryCapture) {
  std::size_t compared = 0, records = 0, observations = 0, frames_seen = 0, tls_records = 0;
  for (const fs::path& path : captures()) {
    SCOPED_TRACE(path);
    std::uint16_t link_type = 0;
    const std::vector<Bytes> frames = frames_of(path, link_type);
    if (frames.empty() || (link_type != kEthernet && link_type != kRawIp)) continue;
    const Seen userspace = seen_by_userspace(link_type, frames);
    for (const Program program : {Program::ingress_xdp, Program::ingress_tc}) {
      const Seen kernel = seen_by_kernel(program, link_type, frames);
      compare(kernel.records, userspace.records);
      compare(kernel.observations, userspace.observations);
      if (HasFatalFailure()) break;
    }
    ++compared;
    records += userspace.records.size();
    observations += userspace.observations.size();
    for (const PacketRecord& record : userspace.records) tls_records += record.packet.tls.count;
    frames_seen += frames.size();
  }
  EXPECT_GT(compared, 0U);
  EXPECT_GT(tls_records, 0U);
  EXPECT_GT(observations, 0U);
  std::printf("compared %zu records and %zu observations of %zu frames in %zu captures, with %zu TLS record headers\n",
              records, observations, frames_seen, compared, tls_records);
}

// What a sending host's capture would show as one packet goes over the wire as segments; the kernel must make the
// records that a capture on the wire gives.
TEST(Differential, ASuperPacketGivesTheRecordsOfItsSegmentsOnTheWire) {
  constexpr std::size_t kSuper = 2400;
  const auto packet = [](const Bytes& stream, std::size_t begin, std::size_t end) {
    return PacketBuilder()
        .ipv4("10.0.0.9", "10.0.0.2")
        .tcp(40000, 443)
        .seq(static_cast<std::uint32_t>(1 + begin))
        .payload(slice(stream, begin, std::min(end, stream.size())))
        .build();
  };
  const Bytes stream = tls_stream({{22, 250},
                                   {20, 1},
                                   {23, 30},
                                   {23, 690},
                                   {23, 1200},
                                   {23, 60},
                                   {23, 60},
                                   {23, 900},
                                   {23, 2000},
                                   {23, 17},
                                   {21, 30}});
  for (std::uint32_t size = 300; size < 1500; size += 7) {
    SCOPED_TRACE(size);
    std::vector<Bytes> segments;
    Datapath& datapath = Datapath::fresh();
    for (std::size_t begin = 0; begin < stream.size(); begin += kSuper) {
      const std::size_t end = std::min(begin + kSuper, stream.size());
      for (std::size_t at = begin; at < end; at += size)
        segments.push_back(packet(stream, at, std::min(at + size, end)));
      const auto count = static_cast<std::uint32_t>((end - begin + size - 1) / size);
      EXPECT_EQ(datapath.run(Program::ingress_tc, packet(stream, begin, end), {size, count}), Verdict::pass);
    }
    std::vector<PacketRecord> kernel;
    for (const spidd_record& record : datapath.records()) {
      EXPECT_EQ(decode_record(std::as_bytes(std::span(&record, 1)), Duration::zero(), kernel.emplace_back()),
                DecodeStatus::ok);
    }
    compare(kernel, seen_by_userspace(kEthernet, segments).records);
    if (HasFatalFailure()) break;
  }
}

}  // namespace
}  // namespace spidd::test
