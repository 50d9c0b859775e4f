// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Opening, telling the formats apart, and saying where a file is damaged.
#include "userspace/capture/pcap_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace spidd {
namespace {

Result<UniqueFd> open_input(const std::string& path) {
  const bool standard_input = path == "-";
  UniqueFd fd{standard_input ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                             : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)};
  if (!fd) return fail_errno(errno, "{}", standard_input ? "standard input" : path);
  return fd;
}

Result<std::variant<PcapReader, PcapngReader>> open_format(ByteStream& stream) {
  std::array<std::uint8_t, 4> magic{};
  const auto taken = stream.take(magic.size());
  if (stream.error() != 0) return fail_errno(stream.error(), "read");
  if (taken.empty()) return fail("the file is empty");
  std::copy(taken.begin(), taken.end(), magic.begin());
  const auto known = std::span<const std::uint8_t>(magic).first(taken.size());
  if (PcapReader::recognises(known)) {
    auto reader = PcapReader::open(magic, stream);
    if (!reader) return tl::unexpected(std::move(reader).error());
    return *reader;
  }
  if (PcapngReader::recognises(known)) {
    auto reader = PcapngReader::open(stream);
    if (!reader) return tl::unexpected(std::move(reader).error());
    return std::move(*reader);
  }
  if (known.size() >= 2 && known[0] == 0x1f && known[1] == 0x8b) {
    return fail("compressed with gzip: uncompress it into a pipe and analyse \"-\"");
  }
  return fail("neither pcap nor pcapng");
}

}  // namespace

PcapFile::PcapFile(std::string path, ByteStream stream, Reader reader, std::optional<std::uint64_t> size)
    : path_(std::move(path)), stream_(std::move(stream)), reader_(std::move(reader)), size_(size) {}

Result<PcapFile> PcapFile::open(const std::string& path) {
  auto fd = open_input(path);
  if (!fd) return std::move(fd).error().within("open capture");
  std::optional<std::uint64_t> size;
  struct stat status {};
  if (::fstat(fd->get(), &status) == 0 && S_ISREG(status.st_mode)) {
    size = static_cast<std::uint64_t>(status.st_size);
    ::posix_fadvise(fd->get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  const std::string name = path == "-" ? "standard input" : path;
  ByteStream stream(std::move(*fd));
  auto reader = open_format(stream);
  if (!reader) return std::move(reader).error().within("open capture: " + name);
  return PcapFile(name, std::move(stream), std::move(*reader), size);
}

FrameStatus PcapFile::next(CapturedFrame& frame) {
  if (!damage_.empty()) return FrameStatus::damaged;
  std::string why;
  PcapReader* const pcap = std::get_if<PcapReader>(&reader_);
  const FrameStatus status =
      pcap != nullptr ? pcap->next(stream_, frame, why) : std::get<PcapngReader>(reader_).next(stream_, frame, why);
  if (status == FrameStatus::frame) {
    ++frames_;
  } else if (status == FrameStatus::damaged) {
    if (stream_.error() != 0) why = std::strerror(stream_.error());
    damage_ = fmt::format("{}: damaged at byte {}, after packet {}: {}", path_, position(), frames_, why);
  }
  return status;
}

}  // namespace spidd
