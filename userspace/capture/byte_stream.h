// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Bytes of a file or pipe in order, handed out in place from one buffer: nothing is copied twice, and the position is
// known for pipes too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "userspace/base/unique_fd.h"

namespace spidd {

class ByteStream {
 public:
  // The most that one take() may ask for.
  static constexpr std::size_t kMostAtOnce = 1024 * 1024;

  explicit ByteStream(UniqueFd fd);

  // The next `size` bytes, valid until the next call; or fewer: what was left when the file ended or could not be read
  // (see error()). Blocks only while a pipe holds less than `size`. Requires: size <= kMostAtOnce.
  std::span<const std::uint8_t> take(std::size_t size) {
    if (end_ - begin_ < size) fill(size);
    const std::size_t taken = size < end_ - begin_ ? size : end_ - begin_;
    const std::span<const std::uint8_t> bytes{buffer_.get() + begin_, taken};
    begin_ += taken;
    position_ += taken;
    return bytes;
  }

  // True if all of `size` bytes were there to be passed over.
  bool skip(std::uint64_t size);

  std::uint64_t position() const { return position_; }  // bytes taken and skipped
  int error() const { return error_; }                  // errno of a failed read, 0 = none

 private:
  void fill(std::size_t size);

  UniqueFd fd_;
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::size_t capacity_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t position_ = 0;
  int error_ = 0;
};

}  // namespace spidd
