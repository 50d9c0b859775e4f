// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Numbers are not stored: they follow from the last one and the place in the queue.
#include "userspace/report/recent_events.h"

#include <algorithm>

namespace spidd {

std::uint64_t RecentEvents::push(std::string json) {
  const std::lock_guard lock(mutex_);
  bytes_ += json.size();
  events_.push_back(std::move(json));
  while (!events_.empty() && (events_.size() > limits_.events || bytes_ > limits_.bytes)) {
    bytes_ -= events_.front().size();
    events_.pop_front();
  }
  return ++last_;
}

std::vector<RecentEvents::Event> RecentEvents::after(std::uint64_t since, std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  std::uint64_t wanted = since >= last_ ? 0 : last_ - since;
  wanted = std::min<std::uint64_t>({wanted, limit, events_.size()});
  std::vector<Event> result;
  result.reserve(wanted);
  for (std::uint64_t i = wanted; i > 0; --i) result.push_back({last_ - i + 1, events_[events_.size() - i]});
  return result;
}

std::uint64_t RecentEvents::last_number() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

}  // namespace spidd
