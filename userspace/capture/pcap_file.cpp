// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// libpcap reads through a stdio stream of ours: a large buffer, no locking, and a position that is known for pipes too,
// so that damage can be located in whatever was read.
#include "userspace/capture/pcap_file.h"

#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio_ext.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <limits>

#include "userspace/base/unique_fd.h"

namespace spidd {

// The libpcap handle and, as cookie of fopencookie(3), what its stdio stream reads from and into.
struct PcapFile::Input {
  UniqueFd fd;
  off64_t position = 0;
  pcap_t* pcap = nullptr;
  std::array<char, 256 * 1024> buffer;

  Input() = default;
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  // The stream is closed, and may still ask for its position, while the members above exist.
  ~Input() {
    if (pcap != nullptr) ::pcap_close(pcap);
  }

  static ssize_t read(void* cookie, char* out, std::size_t size) {
    auto& self = *static_cast<Input*>(cookie);
    ssize_t got;
    do {
      got = ::read(self.fd.get(), out, size);
    } while (got < 0 && errno == EINTR);
    if (got > 0) self.position += got;
    return got;
  }

  // Tells the position, as ftello() asks for it; libpcap never moves it.
  static int tell(void* cookie, off64_t* offset, int whence) {
    if (whence != SEEK_CUR || *offset != 0) {
      errno = ESPIPE;
      return -1;
    }
    *offset = static_cast<Input*>(cookie)->position;
    return 0;
  }
};

namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;

// Files can claim any seconds and any fraction.
std::uint64_t clamped_time(const timeval& time) {
  constexpr std::int64_t kMaxSeconds = std::numeric_limits<std::int64_t>::max() / 1'000'000'000 - 1;
  const auto seconds = static_cast<std::uint64_t>(std::clamp<std::int64_t>(time.tv_sec, 0, kMaxSeconds));
  const auto fraction = static_cast<std::uint64_t>(std::clamp<std::int64_t>(time.tv_usec, 0, 999'999'999));
  return seconds * kNanosecondsPerSecond + fraction;
}

Result<UniqueFd> open_input(const std::string& path) {
  const bool standard_input = path == "-";
  UniqueFd fd{standard_input ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                             : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)};
  if (!fd) return fail_errno(errno, "{}", standard_input ? "standard input" : path);
  return fd;
}

}  // namespace

PcapFile::PcapFile() = default;
PcapFile::PcapFile(PcapFile&&) noexcept = default;
PcapFile& PcapFile::operator=(PcapFile&&) noexcept = default;
PcapFile::~PcapFile() = default;

Result<PcapFile> PcapFile::open(const std::string& path, const std::string& filter) {
  auto fd = open_input(path);
  if (!fd) return std::move(fd).error().within("open capture");

  PcapFile file;
  file.path_ = path == "-" ? "standard input" : path;
  struct stat status {};
  if (::fstat(fd->get(), &status) == 0 && S_ISREG(status.st_mode)) {
    file.size_ = static_cast<std::uint64_t>(status.st_size);
    ::posix_fadvise(fd->get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  file.input_ = std::make_unique<Input>();
  file.input_->fd = std::move(*fd);

  const cookie_io_functions_t functions{&Input::read, nullptr, &Input::tell, nullptr};
  std::unique_ptr<std::FILE, CloseFile> stdio{::fopencookie(file.input_.get(), "rb", functions)};
  if (!stdio) return fail_errno(errno, "open capture: {}", file.path_);
  std::setvbuf(stdio.get(), file.input_->buffer.data(), _IOFBF, file.input_->buffer.size());
  ::__fsetlocking(stdio.get(), FSETLOCKING_BYCALLER);

  char reason[PCAP_ERRBUF_SIZE] = "";
  pcap_t* const pcap =
      ::pcap_fopen_offline_with_tstamp_precision(stdio.get(), PCAP_TSTAMP_PRECISION_NANO, static_cast<char*>(reason));
  if (pcap == nullptr) return fail("open capture: {}: {}", file.path_, reason);
  static_cast<void>(stdio.release());  // libpcap closes it
  file.input_->pcap = pcap;
  file.link_type_ = ::pcap_datalink(pcap);

  if (!filter.empty()) {
    bpf_program program{};
    if (::pcap_compile(pcap, &program, filter.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) {
      return fail("filter \"{}\": {}", filter, ::pcap_geterr(pcap));
    }
    const int refused = ::pcap_setfilter(pcap, &program);
    ::pcap_freecode(&program);
    if (refused != 0) return fail("filter \"{}\": {}", filter, ::pcap_geterr(pcap));
  }
  return file;
}

PcapFile::Next PcapFile::next(CapturedFrame& frame) {
  if (!damage_.empty()) return Next::damaged;
  pcap_pkthdr* header = nullptr;
  const u_char* bytes = nullptr;
  const int status = ::pcap_next_ex(input_->pcap, &header, &bytes);
  if (status == PCAP_ERROR_BREAK) return Next::end;
  if (status != 1) {
    damage_ = fmt::format("{}: damaged at byte {}, after packet {}: {}", path_, position(), frames_,
                          ::pcap_geterr(input_->pcap));
    return Next::damaged;
  }
  ++frames_;
  frame.bytes = {bytes, header->caplen};
  frame.wire_length = std::max(header->len, header->caplen);
  frame.time_ns = clamped_time(header->ts);
  return Next::frame;
}

std::string PcapFile::link_type_name() const {
  const char* name = ::pcap_datalink_val_to_name(link_type_);
  return name != nullptr ? name : std::to_string(link_type_);
}

std::uint64_t PcapFile::position() const {
  const off_t offset = ::ftello(::pcap_file(input_->pcap));
  return offset > 0 ? static_cast<std::uint64_t>(offset) : 0;
}

}  // namespace spidd
