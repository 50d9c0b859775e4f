// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Memory for a largest number of elements that costs nothing until it is touched: no growing, no copying, no pauses.
// Large arrays get large pages from their third megabyte on, where the kernel has them.
#pragma once

#include <sys/mman.h>

#include <cstddef>
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
    void* memory =
        mmap(nullptr, size * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<T*>(memory);
    if (size * sizeof(T) > kSmallPagesBytes) {
      // A kernel without large pages goes on with small ones.
      static_cast<void>(
          madvise(static_cast<char*>(memory) + kSmallPagesBytes, size * sizeof(T) - kSmallPagesBytes, MADV_HUGEPAGE));
    }
  }
  ~MappedArray() {
    if (data_ != nullptr) munmap(data_, size_ * sizeof(T));
  }
  MappedArray(MappedArray&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MappedArray& operator=(MappedArray&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  T& operator[](std::size_t index) { return data_[index]; }
  const T& operator[](std::size_t index) const { return data_[index]; }
  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t kSmallPagesBytes = std::size_t{2} << 20;

  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace spidd
