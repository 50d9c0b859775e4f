// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/event_output.h"

#include <chrono>

namespace spidd {

namespace {

constexpr std::size_t kAssumedEventBytes = 4096;  // bounds the memory of a ring; events are far smaller

RecentEvents::Limits limits_of(std::size_t events) { return {events, events * kAssumedEventBytes}; }

}  // namespace

EventOutput::EventOutput(std::unique_ptr<EventLog> log, const Limits& limits, Outputs outputs)
    : log_(std::move(log)),
      outputs_(std::move(outputs)),
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

template <class Event>
void EventOutput::write_outputs(const Event& event, SpadeDestination destination) {
  if (outputs_.empty() || destination == SpadeDestination::log) return;
  const std::lock_guard lock(outputs_lock_);
  for (const auto& output : outputs_) output->write(event);
}

void EventOutput::write(const SpadeAlert& alert, std::string_view interface, SpadeDestination destination) {
  if (destination == SpadeDestination::none || !packets_.admit()) return;
  write_line(alert, interface);
  write_outputs(alert, destination);
}

void EventOutput::write(const ThresholdAdjusted& adjustment, SpadeDestination destination) {
  if (destination == SpadeDestination::none) return;
  write_line(adjustment);
  write_outputs(adjustment, destination);
}

void EventOutput::write(const IncidentEvent& event, SpadeDestination destination) {
  alerts_.push(write_line(event));
  write_outputs(event, destination);
}

Result<> EventOutput::reopen() {
  Result<> first = log_->reopen();
  for (const auto& output : outputs_)
    if (auto reopened = output->log().reopen(); !reopened && first) first = std::move(reopened);
  return first;
}

EventLog::Counters EventOutput::output_counters() const {
  EventLog::Counters sum;
  for (const auto& output : outputs_) {
    const EventLog::Counters one = output->log().counters();
    sum.written += one.written;
    sum.lost_full += one.lost_full;
    sum.lost_failed += one.lost_failed;
  }
  return sum;
}

std::vector<std::string> EventOutput::output_errors() const {
  std::vector<std::string> errors;
  for (const auto& output : outputs_)
    if (std::string error = output->log().last_error(); !error.empty()) errors.push_back(std::move(error));
  return errors;
}

}  // namespace spidd
