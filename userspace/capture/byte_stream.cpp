// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Filling and growing the buffer.
#include "userspace/capture/byte_stream.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace spidd {
namespace {

constexpr std::size_t kBuffer = 256 * 1024;  // stays in the second level cache

}  // namespace

ByteStream::ByteStream(UniqueFd fd) : fd_(std::move(fd)), buffer_(new std::uint8_t[kBuffer]), capacity_(kBuffer) {}

void ByteStream::fill(std::size_t size) {
  const std::size_t held = end_ - begin_;
  if (size > capacity_) {
    std::unique_ptr<std::uint8_t[]> larger(new std::uint8_t[kMostAtOnce]);
    std::memcpy(larger.get(), buffer_.get() + begin_, held);
    buffer_ = std::move(larger);
    capacity_ = kMostAtOnce;
  } else {
    std::memmove(buffer_.get(), buffer_.get() + begin_, held);
  }
  begin_ = 0;
  end_ = held;
  while (end_ < size && error_ == 0) {
    const ssize_t got = ::read(fd_.get(), buffer_.get() + end_, capacity_ - end_);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error_ = errno;
    if (got <= 0) return;
    end_ += static_cast<std::size_t>(got);
  }
}

bool ByteStream::skip(std::uint64_t size) {
  while (size > 0) {
    const std::size_t part = static_cast<std::size_t>(std::min<std::uint64_t>(size, kBuffer));
    const std::size_t taken = take(part).size();
    size -= taken;
    if (taken < part) return false;
  }
  return true;
}

}  // namespace spidd
