// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A capture file, pcap or pcapng, or standard input, frame by frame. Knows nothing of what is in the frames: it
// delivers bytes, times with nanoseconds, and where in the file a damage was met. The formats are read here and not by
// libpcap, which refuses files of several interfaces that differ, and costs as much per packet as everything else
// together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "userspace/base/result.h"
#include "userspace/capture/pcap_reader.h"
#include "userspace/capture/pcapng_reader.h"

namespace spidd {

class PcapFile {
 public:
  // `path` "-" is standard input. Errors name the path.
  static Result<PcapFile> open(const std::string& path);

  // Blocks while a pipe has nothing to say.
  FrameStatus next(CapturedFrame& frame);

  const std::string& path() const { return path_; }

  // Bytes of the file consumed so far, and its size where it has one (a pipe has none).
  std::uint64_t position() const { return stream_.position(); }
  std::optional<std::uint64_t> size() const { return size_; }

  // For the administrator: "x.pcap: damaged at byte 1234, after packet 17: the file ends inside a block".
  const std::string& damage() const { return damage_; }

 private:
  using Reader = std::variant<PcapReader, PcapngReader>;

  PcapFile(std::string path, ByteStream stream, Reader reader, std::optional<std::uint64_t> size);

  std::string path_;
  ByteStream stream_;
  Reader reader_;
  std::optional<std::uint64_t> size_;
  std::uint64_t frames_ = 0;
  std::string damage_;
};

}  // namespace spidd
