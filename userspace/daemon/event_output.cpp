// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/event_output.h"

#include <chrono>

namespace spidd {

namespace {

constexpr std::size_t kAssumedEventBytes = 4096;  // bounds the memory of a ring; events are far smaller

RecentEvents::Limits limits_of(std::size_t events) { return {events, events * kAssumedEventBytes}; }

}  // namespace

EventOutput::EventOutput(std::unique_ptr<EventLog> log, const Limits& limits)
    : log_(std::move(log)),
      alerts_(limits_of(limits.recent)),
      ended_flows_(limits_of(limits.recent)),
      feed_(limits_of(limits.feed)),
      flows_(limits.flows_a_second),
      packets_(limits.packets_a_second) {}

// What the log cannot take it counts.
template <class... Event>
std::string EventOutput::write_line(const Event&... event) {
  std::string line;
  append_json(line, event...);
  log_->write(line);
  if (feed_wanted_.load(std::memory_order_relaxed)) feed_.push(line);
  return line;
}

// Two workers at the turn of a second may let a few more through: the limit guards a disk, not a contract.
bool EventOutput::RateLimit::admit() {
  if (a_second_ == 0) return true;
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const std::int64_t second = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  if (second_.exchange(second, std::memory_order_relaxed) != second) in_second_.store(0, std::memory_order_relaxed);
  if (in_second_.fetch_add(1, std::memory_order_relaxed) < a_second_) return true;
  over_limit_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

void EventOutput::write(const FlowEvent& event) {
  if (flows_.admit()) write_unlimited(event);
}

void EventOutput::write_unlimited(const FlowEvent& event) { ended_flows_.push(write_line(event)); }

void EventOutput::write(const AlertEvent& event) { alerts_.push(write_line(event)); }

void EventOutput::write(const DropEvent& event) { write_line(event); }

void EventOutput::write(const LearnedEvent& event) { write_line(event); }

void EventOutput::write(const SpadeAlert& alert, std::string_view interface) {
  if (packets_.admit()) write_line(alert, interface);
}

void EventOutput::write(const ThresholdAdjusted& adjustment) { write_line(adjustment); }

void EventOutput::write(const IncidentEvent& event) { alerts_.push(write_line(event)); }

}  // namespace spidd
