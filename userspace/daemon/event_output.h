// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Where events go: the log file, further outputs for what SPADE says, the memory that `spidctl alerts` and `spidctl
// flows --ended` ask, and the feed from which the control thread serves subscribers. None of them makes a worker wait.
// Thread-safe.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "userspace/report/alert_output.h"
#include "userspace/report/event_log.h"
#include "userspace/report/events.h"
#include "userspace/report/incident_event.h"
#include "userspace/report/recent_events.h"
#include "userspace/report/spade_events.h"

namespace spidd {

class EventOutput {
 public:
  struct Limits {
    std::size_t recent = 1000;           // alerts kept, and ended flows
    std::size_t feed = 8192;             // events that may wait for subscribers
    std::uint64_t flows_a_second = 0;    // flow events; 0 = no limit. A flood of short flows must not fill the disk.
    std::uint64_t packets_a_second = 0;  // alerts of single packets; the same
  };
  using Outputs = std::vector<std::unique_ptr<AlertOutput>>;
  EventOutput(std::unique_ptr<EventLog> log, const Limits& limits, Outputs outputs = {});

  // What is over the limit is counted only.
  void write(const FlowEvent& event);
  // Not limited: for the end, when every flow is reported at once.
  void write_unlimited(const FlowEvent& event);
  void write(const AlertEvent& event);
  void write(const DropEvent& event);
  void write(const LearnedEvent& event);
  // Single packets that SPADE finds rare. What is over the limit is counted only: incidents say it in fewer words.
  // `log` is the event log alone; `alert` and `both` are the outputs, too; `none` is nothing.
  void write(const SpadeAlert& alert, std::string_view interface, SpadeDestination destination);
  void write(const ThresholdAdjusted& adjustment, SpadeDestination destination);
  void write(const IncidentEvent& event, SpadeDestination destination);

  // After logrotate moved files: the first error of those that could not be opened anew.
  Result<> reopen();
  // Of the outputs, all together; and why a last write failed, a sentence each.
  EventLog::Counters output_counters() const;
  std::vector<std::string> output_errors() const;

  EventLog& log() { return *log_; }
  const EventLog& log() const { return *log_; }
  const RecentEvents& alerts() const { return alerts_; }
  const RecentEvents& ended_flows() const { return ended_flows_; }

  // The feed is filled only while somebody wants it.
  void set_feed_wanted(bool wanted) { feed_wanted_.store(wanted, std::memory_order_relaxed); }
  const RecentEvents& feed() const { return feed_; }

  std::uint64_t flows_over_limit() const { return flows_.over_limit(); }
  std::uint64_t packets_over_limit() const { return packets_.over_limit(); }

 private:
  // Events of a kind that are written in a second.
  class RateLimit {
   public:
    explicit RateLimit(std::uint64_t a_second) : a_second_(a_second) {}
    bool admit();
    std::uint64_t over_limit() const { return over_limit_.load(std::memory_order_relaxed); }

   private:
    const std::uint64_t a_second_;          // 0 = no limit
    std::atomic<std::int64_t> second_ = 0;  // of the steady clock
    std::atomic<std::uint64_t> in_second_ = 0;
    std::atomic<std::uint64_t> over_limit_ = 0;
  };

  template <class... Event>
  std::string write_line(const Event&... event);
  template <class Event>
  void write_outputs(const Event& event, SpadeDestination destination);

  std::unique_ptr<EventLog> log_;
  std::mutex outputs_lock_;  // held while a line is made
  const Outputs outputs_;
  RecentEvents alerts_;
  RecentEvents ended_flows_;
  RecentEvents feed_;
  std::atomic<bool> feed_wanted_ = false;
  RateLimit flows_;
  RateLimit packets_;
};

}  // namespace spidd
