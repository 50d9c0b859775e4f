// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Creating and mapping a BPF ring buffer.
#include "userspace/capture/bpf_rings.h"

#include <bpf/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <utility>

namespace spidd {
namespace {

std::size_t page_bytes() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

}  // namespace

Result<BpfRing> BpfRing::create(const char* name, std::uint32_t bytes) {
  const std::size_t page = page_bytes();
  if (!std::has_single_bit(bytes) || bytes < page) {
    return fail("a ring of {} bytes is not possible: it must be a power of two of at least {}", bytes, page);
  }
  BpfRing ring;
  ring.fd_.reset(bpf_map_create(BPF_MAP_TYPE_RINGBUF, name, 0, 0, bytes, nullptr));
  if (!ring.fd_) return fail_errno(errno, "create a ring buffer of {} bytes", bytes);
  ring.bytes_ = bytes;

  void* const consumer = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd_.get(), 0);
  if (consumer == MAP_FAILED) return fail_errno(errno, "map a ring buffer");
  ring.consumer_page_ = consumer;
  // The kernel maps the data area twice, so that a sample that wraps around can be read in one piece.
  void* const producer =
      ::mmap(nullptr, page + 2 * ring.bytes_, PROT_READ, MAP_SHARED, ring.fd_.get(), static_cast<off_t>(page));
  if (producer == MAP_FAILED) return fail_errno(errno, "map a ring buffer");
  ring.producer_page_ = producer;

  ring.consumer_ = static_cast<std::atomic<std::uint64_t>*>(consumer);
  ring.producer_ = static_cast<const std::atomic<std::uint64_t>*>(producer);
  ring.data_ = static_cast<const std::byte*>(producer) + page;
  return ring;
}

BpfRing::BpfRing(BpfRing&& other) noexcept
    : fd_(std::move(other.fd_)),
      bytes_(other.bytes_),
      consumer_page_(std::exchange(other.consumer_page_, nullptr)),
      producer_page_(std::exchange(other.producer_page_, nullptr)),
      consumer_(other.consumer_),
      producer_(other.producer_),
      data_(other.data_) {}

BpfRing::~BpfRing() {
  if (consumer_page_ != nullptr) ::munmap(consumer_page_, page_bytes());
  if (producer_page_ != nullptr) ::munmap(producer_page_, page_bytes() + 2 * bytes_);
}

std::size_t BpfRing::pending() const {
  return static_cast<std::size_t>(producer_->load(std::memory_order_acquire) -
                                  consumer_->load(std::memory_order_relaxed));
}

std::uint32_t BpfRing::load_header(const std::byte* header) {
  return __atomic_load_n(reinterpret_cast<const std::uint32_t*>(header), __ATOMIC_ACQUIRE);
}

}  // namespace spidd
