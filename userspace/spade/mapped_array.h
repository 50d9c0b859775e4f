// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Memory for a largest number of elements that costs nothing until it is touched: no growing, no copying, no pauses but
// those of the kernel for a fresh page. A small beginning has small pages, so that what is hardly used is small, too;
// what follows has large ones where the kernel gives them (2 MiB, cleared in 0.3 ms; seldom ten times that, if the
// machine is a guest whose host has to find the memory first).
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
  static constexpr std::size_t kPage = std::size_t{4} << 10;
  static constexpr std::size_t kSmall = std::size_t{256} << 10;

  MappedArray() = default;
  // `small`: bytes in small pages, a multiple of kPage. Arrays that grow together should differ in it, so that they do
  // not want their next large page at once.
  explicit MappedArray(std::size_t size, std::size_t small = kSmall) : size_(size) {
    if (size == 0) return;
    memory_ = mmap(nullptr, mapped_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
    char* const first = static_cast<char*>(memory_);
    const std::size_t over = (reinterpret_cast<std::uintptr_t>(first) + small) % kLargePage;
    data_ = reinterpret_cast<T*>(first + (over == 0 ? 0 : kLargePage - over));
    if (size * sizeof(T) <= small) return;
    // A kernel without large pages goes on with small ones.
    static_cast<void>(madvise(reinterpret_cast<char*>(data_) + small, size * sizeof(T) - small, MADV_HUGEPAGE));
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

 private:
  static constexpr std::size_t kLargePage = std::size_t{2} << 20;

  // With room to begin where a large page can.
  std::size_t mapped_bytes() const { return size_ * sizeof(T) + kLargePage; }

  void* memory_ = nullptr;
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace spidd
