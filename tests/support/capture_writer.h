// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Small captures for tests, written on the fly: pcap and pcapng, any link type, frames cut as a snap length would. The
// file lives in memory and has a path while the object lives.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "userspace/base/unique_fd.h"

namespace spidd::test {

enum class CaptureFormat { pcap_nanoseconds, pcap_microseconds, pcap_big_endian, pcapng };

class CaptureWriter {
 public:
  static constexpr std::uint32_t kEthernet = 1;  // LINKTYPE_ numbers of tcpdump.org/linktypes.html

  explicit CaptureWriter(CaptureFormat format = CaptureFormat::pcap_nanoseconds, std::uint32_t link_type = kEthernet);

  // Only the first `captured` bytes of the frame get into the file.
  void add(std::uint64_t time_ns, std::span<const std::uint8_t> frame, std::size_t captured = SIZE_MAX);

  // The file so far; tests may damage it.
  std::vector<std::uint8_t>& bytes() { return bytes_; }

 private:
  void put16(std::uint16_t value);
  void put32(std::uint32_t value);
  void put_bytes(std::span<const std::uint8_t> bytes);

  CaptureFormat format_;
  std::vector<std::uint8_t> bytes_;
};

// A file with these bytes that exists while the object does.
class MemoryFile {
 public:
  explicit MemoryFile(std::span<const std::uint8_t> bytes);

  const std::string& path() const { return path_; }
  // Replaces the content. Files opened before see the new one.
  void replace(std::span<const std::uint8_t> bytes);

 private:
  UniqueFd fd_;
  std::string path_;
};

}  // namespace spidd::test
