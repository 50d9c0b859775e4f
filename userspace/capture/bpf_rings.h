// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// One BPF ring buffer, mapped and read by this process. The kernel submits with BPF_RB_NO_WAKEUP, so nothing here
// waits: a reader looks when it likes. Layout: Documentation/bpf/ringbuf.rst of the kernel.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"

namespace spidd {

// Single reader; movable owner of the descriptor and its mappings.
class BpfRing {
 public:
  // A new ring of `bytes` (power of two, multiple of the page size).
  static Result<BpfRing> create(const char* name, std::uint32_t bytes);

  BpfRing(BpfRing&& other) noexcept;
  BpfRing& operator=(BpfRing&&) = delete;
  ~BpfRing();

  int fd() const { return fd_.get(); }
  std::size_t bytes() const { return bytes_; }
  std::size_t pending() const;

  // Hands up to `max` submitted samples to `handle(data, length)`, oldest first, and frees their room in steps of
  // kReleaseBatch (the position is a cache line shared with the producers). Returns the number taken.
  template <class Handle>
  std::size_t consume(std::size_t max, Handle&& handle) {
    std::size_t taken = 0;
    std::size_t unreleased = 0;
    std::uint64_t position = consumer_->load(std::memory_order_relaxed);
    const std::uint64_t end = producer_->load(std::memory_order_acquire);
    while (position < end && taken < max) {
      const std::byte* const header = data_ + (position & (bytes_ - 1));
      const std::uint32_t word = load_header(header);
      if ((word & kBusyBit) != 0) break;
      const std::uint32_t length = word & ~(kBusyBit | kDiscardBit);
      if ((word & kDiscardBit) == 0) {
        handle(header + kHeaderBytes, std::size_t{length});
        ++taken;
      }
      position += (kHeaderBytes + std::uint64_t{length} + 7) & ~std::uint64_t{7};
      if (++unreleased == kReleaseBatch) {
        consumer_->store(position, std::memory_order_release);
        unreleased = 0;
      }
    }
    if (unreleased != 0) consumer_->store(position, std::memory_order_release);
    return taken;
  }

 private:
  static constexpr std::uint32_t kBusyBit = 1U << 31U;
  static constexpr std::uint32_t kDiscardBit = 1U << 30U;
  static constexpr std::size_t kHeaderBytes = 8;
  static constexpr std::size_t kReleaseBatch = 64;

  BpfRing() = default;
  static std::uint32_t load_header(const std::byte* header);

  UniqueFd fd_;
  std::size_t bytes_ = 0;
  void* consumer_page_ = nullptr;  // one page, writable
  void* producer_page_ = nullptr;  // one page and the data area twice in a row, read-only
  std::atomic<std::uint64_t>* consumer_ = nullptr;
  const std::atomic<std::uint64_t>* producer_ = nullptr;
  const std::byte* data_ = nullptr;
};

}  // namespace spidd
