// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.
#include "tests/support/capture_writer.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace spidd::test {
namespace {

constexpr std::uint32_t kSnapLength = 262144;
constexpr std::uint64_t kSecond = 1'000'000'000;

}  // namespace

CaptureWriter::CaptureWriter(CaptureFormat format, std::uint32_t link_type) : format_(format) {
  if (format_ == CaptureFormat::pcapng) {
    put32(0x0a0d0d0a);  // section header block
    put32(28);
    put32(0x1a2b3c4d);
    put16(1);
    put16(0);
    put32(0xffffffff);  // section length: not given
    put32(0xffffffff);
    put32(28);
    put32(1);  // interface description block
    put32(32);
    put16(static_cast<std::uint16_t>(link_type));
    put16(0);
    put32(kSnapLength);
    put16(9);  // if_tsresol: 10^-9
    put16(1);
    put32(9);
    put32(0);  // end of options
    put32(32);
    return;
  }
  put32(format_ == CaptureFormat::pcap_nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4);
  put16(2);
  put16(4);
  put32(0);
  put32(0);
  put32(kSnapLength);
  put32(link_type);
}

void CaptureWriter::add(std::uint64_t time_ns, std::span<const std::uint8_t> frame, std::size_t captured) {
  const auto kept = frame.first(std::min(captured, frame.size()));
  const auto kept_size = static_cast<std::uint32_t>(kept.size());
  const auto wire_size = static_cast<std::uint32_t>(frame.size());
  if (format_ == CaptureFormat::pcapng) {
    const std::uint32_t padding = (4 - kept_size % 4) % 4;
    const std::uint32_t block_size = 32 + kept_size + padding;
    put32(6);  // enhanced packet block
    put32(block_size);
    put32(0);
    put32(static_cast<std::uint32_t>(time_ns >> 32));
    put32(static_cast<std::uint32_t>(time_ns));
    put32(kept_size);
    put32(wire_size);
    put_bytes(kept);
    bytes_.insert(bytes_.end(), padding, 0);
    put32(block_size);
    return;
  }
  const std::uint64_t fraction = time_ns % kSecond;
  put32(static_cast<std::uint32_t>(time_ns / kSecond));
  put32(static_cast<std::uint32_t>(format_ == CaptureFormat::pcap_nanoseconds ? fraction : fraction / 1000));
  put32(kept_size);
  put32(wire_size);
  put_bytes(kept);
}

void CaptureWriter::put16(std::uint16_t value) {
  const auto high = static_cast<std::uint8_t>(value >> 8);
  const auto low = static_cast<std::uint8_t>(value);
  const bool big_endian = format_ == CaptureFormat::pcap_big_endian;
  bytes_.push_back(big_endian ? high : low);
  bytes_.push_back(big_endian ? low : high);
}

void CaptureWriter::put32(std::uint32_t value) {
  const auto high = static_cast<std::uint16_t>(value >> 16);
  const auto low = static_cast<std::uint16_t>(value);
  const bool big_endian = format_ == CaptureFormat::pcap_big_endian;
  put16(big_endian ? high : low);
  put16(big_endian ? low : high);
}

void CaptureWriter::put_bytes(std::span<const std::uint8_t> bytes) {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

MemoryFile::MemoryFile(std::span<const std::uint8_t> bytes) : fd_(::memfd_create("capture", MFD_CLOEXEC)) {
  if (!fd_) throw std::system_error(errno, std::generic_category(), "memfd_create");
  path_ = "/proc/self/fd/" + std::to_string(fd_.get());
  replace(bytes);
}

void MemoryFile::replace(std::span<const std::uint8_t> bytes) {
  if (::ftruncate(fd_.get(), 0) != 0 ||
      ::pwrite(fd_.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("cannot fill a memory file");
  }
}

}  // namespace spidd::test
