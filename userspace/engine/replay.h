// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Runs the engine on a stream of records from one source, on several threads, with the same result whatever their
// number: flows are dealt to workers by a hash of their two hosts, time passes for all workers at the same records,
// what they learn of servers is merged at the same records, and what they say is put in the order of the records that
// made them say it.
//
//   feeder (caller) ─► batch k+1 of records        workers: batch k ─► engines ─► lines        feeder: lines of k-1 ─►
//   out
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/engine/engine.h"
#include "userspace/engine/replay_memory.h"

namespace spidd {

// Turns what an engine concludes into text lines. Called on the worker's thread; one writer per worker.
class ReplayWriter {
 public:
  virtual ~ReplayWriter() = default;
  virtual void decision(const FlowView& view, const Decision& decision, std::string& out) = 0;
  virtual void flow_ended(const FlowView& view, const FlowTotals& totals, EndReason reason, std::string& out) = 0;
};

class Replay {
 public:
  struct Settings {
    EngineSettings engine;
    unsigned workers = 1;
  };
  using MakeWriter = std::function<std::unique_ptr<ReplayWriter>()>;
  // Receives finished lines in order, on the feeder's thread.
  using Output = std::function<void(std::string_view lines)>;

  Replay(Settings settings, std::shared_ptr<const Matcher> matcher, std::shared_ptr<const Policy> policy,
         const MakeWriter& make_writer, Output output);
  ~Replay();
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  // The source must end idle flows itself (end records carry its totals): engines are not given a way back to it.
  void feed(const PacketRecord& record);
  // Lets time pass without a record, for flows that pause. feed() does it with the time of its records.
  void pass_time(Timestamp now);
  // Puts lines that somebody else has made between those of the records fed so far and those of the records to come.
  void say(std::string_view lines);
  // Ends all flows and hands out the last lines. Nothing may be fed afterwards.
  void finish();

  EngineCounters counters() const;  // Requires: finish() was called

 private:
  struct Worker;
  struct Line;
  // What say() was given, of one batch.
  struct Said {
    std::string text;
    std::vector<Line> lines;
  };
  void advance(Timestamp now);
  void hand_over(bool merge_after);
  void collect();

  Output output_;
  EndpointTable endpoints_;   // what all workers see
  bool merge_due_ = false;    // once the batch under way is worked off
  std::size_t unmerged_ = 0;  // records fed since the end of the last batch to be merged after
  std::vector<std::unique_ptr<Worker>> workers_;
  Said said_filling_;
  Said said_working_;
  std::uint64_t sequence_ = 0;
  Timestamp last_advance_{};
  std::chrono::steady_clock::time_point last_hand_over_;
};

}  // namespace spidd
