// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/event_output.h"

namespace spidd {

namespace {

constexpr std::size_t kAssumedEventBytes = 4096;  // bounds the memory of a ring; events are far smaller

RecentEvents::Limits limits_of(std::size_t events) { return {events, events * kAssumedEventBytes}; }

}  // namespace

EventOutput::EventOutput(std::unique_ptr<EventLog> log, std::size_t recent, std::size_t feed)
    : log_(std::move(log)), alerts_(limits_of(recent)), ended_flows_(limits_of(recent)), feed_(limits_of(feed)) {}

// What the log cannot take it counts.
template <class Event>
std::string EventOutput::write_line(const Event& event) {
  std::string line;
  append_json(line, event);
  log_->write(line);
  if (feed_wanted_.load(std::memory_order_relaxed)) feed_.push(line);
  return line;
}

void EventOutput::write(const FlowEvent& event) { ended_flows_.push(write_line(event)); }

void EventOutput::write(const AlertEvent& event) { alerts_.push(write_line(event)); }

void EventOutput::write(const DropEvent& event) { write_line(event); }

}  // namespace spidd
