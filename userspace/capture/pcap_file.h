// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A capture file, pcap or pcapng, or standard input, frame by frame through libpcap. Knows nothing of what is in the
// frames: it delivers bytes, times with nanoseconds, and where in the file a damage was met.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "userspace/base/result.h"

namespace spidd {

// One frame; `bytes` is valid until the next call of PcapFile::next.
struct CapturedFrame {
  std::span<const std::uint8_t> bytes;
  std::uint32_t wire_length = 0;  // on the wire, at least bytes.size(): the capture may have cut the frame
  std::uint64_t time_ns = 0;      // since the Unix epoch; times before it or beyond the year 2262 are clamped
};

class PcapFile {
 public:
  PcapFile(PcapFile&&) noexcept;
  PcapFile& operator=(PcapFile&&) noexcept;
  ~PcapFile();

  // `path` "-" is standard input. `filter` is a pcap-filter(7) expression; empty for all frames. Errors name the path.
  static Result<PcapFile> open(const std::string& path, const std::string& filter);

  enum class Next : std::uint8_t {
    frame,
    end,      // the file ended where a frame may end
    damaged,  // nothing more can be read: see damage()
  };
  // Blocks while a pipe has nothing to say.
  Next next(CapturedFrame& frame);

  int link_type() const { return link_type_; }  // DLT_EN10MB and so on, of every frame
  std::string link_type_name() const;
  const std::string& path() const { return path_; }

  // Bytes of the file consumed so far, and its size where it has one (a pipe has none).
  std::uint64_t position() const;
  std::optional<std::uint64_t> size() const { return size_; }

  // For the administrator: "x.pcap: damaged at byte 1234, after packet 17: truncated dump file; ...".
  const std::string& damage() const { return damage_; }

 private:
  struct Input;

  PcapFile();

  std::string path_;
  std::unique_ptr<Input> input_;
  std::optional<std::uint64_t> size_;
  std::uint64_t frames_ = 0;
  int link_type_ = 0;
  std::string damage_;
};

}  // namespace spidd
