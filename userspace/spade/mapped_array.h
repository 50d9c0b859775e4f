// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Memory for a largest number of elements that costs nothing until it is touched: no growing, no copying, no pauses.
// Large arrays get large pages where the kernel has them: from their third megabyte on by themselves, before that when
// somebody says that it is worth it.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

namespace spidd {

// All bytes are zero at first; constructors are not run.
template <class T>
class MappedArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  MappedArray() = default;
  explicit MappedArray(std::size_t size) : size_(size) {
    if (size == 0) return;
    memory_ = mmap(nullptr, mapped_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
    char* const first = static_cast<char*>(memory_);
    const std::size_t over = reinterpret_cast<std::uintptr_t>(first) % kLargePage;
    data_ = reinterpret_cast<T*>(first + (over == 0 ? 0 : kLargePage - over));
    if (size * sizeof(T) <= kLargePage) return;
    // A kernel without large pages goes on with small ones.
    static_cast<void>(
        madvise(reinterpret_cast<char*>(data_) + kLargePage, size * sizeof(T) - kLargePage, MADV_HUGEPAGE));
  }
  ~MappedArray() {
    if (data_ != nullptr) munmap(memory_, mapped_bytes());
  }
  MappedArray(MappedArray&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  MappedArray& operator=(MappedArray&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  T& operator[](std::size_t index) { return data_[index]; }
  const T& operator[](std::size_t index) const { return data_[index]; }
  std::size_t size() const { return size_; }

  // Puts the first two megabytes into a large page at once: 0.2 ms, seldom up to 3 (the kernel asks all processors for
  // their lists of pages). Kernels before 6.1 do not; nothing else depends on it.
  void enlarge_first_page() {
    constexpr int kCollapse = 25;  // MADV_COLLAPSE, which Debian 12's headers lack
    if (size_ * sizeof(T) >= kLargePage) static_cast<void>(madvise(data_, kLargePage, kCollapse));
  }

 private:
  static constexpr std::size_t kLargePage = std::size_t{2} << 20;

  // With room to begin where a large page can.
  std::size_t mapped_bytes() const { return size_ * sizeof(T) + kLargePage; }

  void* memory_ = nullptr;
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace spidd
