// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Every report is in two lists: those of its key, which a response takes at once, and those of its detector, which
// stand in the order of time because a detector waits equally long for all. The oldest of a detector is therefore also
// the oldest of its key.
#include "userspace/spade/wait_queue.h"

#include <algorithm>
#include <random>

#include "userspace/capture/flow_hash.h"

namespace spidd {

namespace {

struct Secrets {
  std::uint64_t a = draw();
  std::uint64_t b = draw();
  std::uint64_t c = draw();

  static std::uint64_t draw() {
    std::random_device device;
    return (std::uint64_t{device()} << 32) | device();
  }
};

const Secrets& secrets() {
  static const Secrets values;
  return values;
}

}  // namespace

WaitingKey WaitingKey::of(const Observation& packet, std::uint32_t detector) {
  return {packet.source, packet.destination, packet.source_port, packet.destination_port, detector};
}

WaitingKey WaitingKey::answered_by(const Observation& response, std::uint32_t detector) {
  if (response.kind == Observation::Kind::unreachable) return of(response, detector);
  return {response.destination, response.source, response.destination_port, response.source_port, detector};
}

WaitQueue::WaitQueue(std::size_t detectors, std::uint32_t limit)
    : limit_(std::min(limit, LruTable<WaitingKey, Group>::kNone - 1)),
      lines_(detectors),
      groups_(std::max(limit_, 1U)) {}

bool WaitQueue::add(std::uint32_t detector, std::int64_t second, const WaitingReport& report) {
  if (size_ >= limit_) return false;
  Index index = free_;
  if (index == kNone) {
    index = static_cast<Index>(entries_.size());
    entries_.emplace_back();
  } else {
    free_ = entries_[index].next_of_key;
  }

  Line& line = lines_[detector];
  Entry& entry = entries_[index];
  entry = {report, second, line.newest, kNone, kNone};
  (line.newest == kNone ? line.oldest : entries_[line.newest].newer) = index;
  line.newest = index;
  line.size++;

  const WaitingKey key = WaitingKey::of(report.packet, detector);
  auto slot = groups_.find(key);
  if (slot == decltype(groups_)::kNone) slot = groups_.insert(key);
  Group& group = groups_[slot];
  (group.oldest == kNone ? group.oldest : entries_[group.newest].next_of_key) = index;
  group.newest = index;
  size_++;
  return true;
}

std::optional<WaitingReport> WaitQueue::take(const WaitingKey& key) {
  const auto slot = groups_.find(key);
  if (slot == decltype(groups_)::kNone) return std::nullopt;
  return remove_oldest(slot);
}

std::optional<WaitingReport> WaitQueue::take_older(std::uint32_t detector, std::int64_t second) {
  const Index oldest = lines_[detector].oldest;
  if (oldest == kNone || entries_[oldest].second > second) return std::nullopt;
  return remove_oldest(groups_.find(WaitingKey::of(entries_[oldest].report.packet, detector)));
}

std::optional<std::int64_t> WaitQueue::oldest(std::uint32_t detector) const {
  const Index oldest = lines_[detector].oldest;
  if (oldest == kNone) return std::nullopt;
  return entries_[oldest].second;
}

WaitingReport WaitQueue::remove_oldest(LruTable<WaitingKey, Group>::Slot slot) {
  Group& group = groups_[slot];
  const Index index = group.oldest;
  Entry& entry = entries_[index];
  Line& line = lines_[groups_.key(slot).detector];
  (entry.older == kNone ? line.oldest : entries_[entry.older].newer) = entry.newer;
  (entry.newer == kNone ? line.newest : entries_[entry.newer].older) = entry.older;
  line.size--;

  group.oldest = entry.next_of_key;
  if (group.oldest == kNone) groups_.erase(slot);
  entry.next_of_key = free_;
  free_ = index;
  size_--;
  return entry.report;
}

}  // namespace spidd

std::size_t std::hash<spidd::WaitingKey>::operator()(const spidd::WaitingKey& key) const noexcept {
  using spidd::load64;
  const spidd::Secrets& secret = spidd::secrets();
  const std::uint8_t* source = key.source.bytes.data();
  const std::uint8_t* destination = key.destination.bytes.data();
  const std::uint64_t rest =
      (std::uint64_t{key.detector} << 32) | (std::uint64_t{key.source_port} << 16) | key.destination_port;
  const std::uint64_t from = spidd::fold_multiply(load64(source) ^ secret.a, load64(source + 8) ^ secret.b);
  const std::uint64_t to = spidd::fold_multiply(load64(destination) ^ secret.b, load64(destination + 8) ^ secret.c);
  return spidd::fold_multiply(from ^ rest ^ secret.c, to ^ secret.a);
}
