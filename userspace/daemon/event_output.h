// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Where events go: the log file, the memory that `spidctl alerts` and `spidctl flows --ended` ask, and the feed from
// which the control thread serves subscribers. None of them makes a worker wait. Thread-safe.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "userspace/report/event_log.h"
#include "userspace/report/events.h"
#include "userspace/report/recent_events.h"

namespace spidd {

class EventOutput {
 public:
  // `recent`: alerts kept, and ended flows; `feed`: events that may wait for subscribers.
  EventOutput(std::unique_ptr<EventLog> log, std::size_t recent, std::size_t feed);

  void write(const FlowEvent& event);
  void write(const AlertEvent& event);
  void write(const DropEvent& event);

  EventLog& log() { return *log_; }
  const EventLog& log() const { return *log_; }
  const RecentEvents& alerts() const { return alerts_; }
  const RecentEvents& ended_flows() const { return ended_flows_; }

  // The feed is filled only while somebody wants it.
  void set_feed_wanted(bool wanted) { feed_wanted_.store(wanted, std::memory_order_relaxed); }
  const RecentEvents& feed() const { return feed_; }

 private:
  template <class Event>
  std::string write_line(const Event& event);

  std::unique_ptr<EventLog> log_;
  RecentEvents alerts_;
  RecentEvents ended_flows_;
  RecentEvents feed_;
  std::atomic<bool> feed_wanted_ = false;
};

}  // namespace spidd
