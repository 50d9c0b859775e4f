// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/engine/replay.h"

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <thread>

namespace spidd {

namespace {

constexpr std::size_t kBatchRecords = 4096;
constexpr Duration kAdvanceEvery = std::chrono::seconds(1);
constexpr std::size_t kMostSaid = std::size_t{1} << 20U;  // bytes of say() that wait for a batch to be full
// A slow stream (a pipe from a live capture) is worked off this often, full batch or not.
constexpr auto kLongestDelay = std::chrono::milliseconds(300);

struct Item {
  std::uint64_t sequence = 0;
  bool advance = false;  // only record.time counts
  PacketRecord record;
};

// The feeder's source ends idle flows itself, so that there is nothing to ask or tell.
class NoWayBack final : public PacketSource {
 public:
  std::optional<FlowTotals> totals(const FlowKey&, Timestamp) const override { return std::nullopt; }
  void decided(const FlowKey&, Timestamp) override {}
  void sizes_wanted(const FlowKey&, Timestamp) override {}
  void ended(const FlowKey&, Timestamp) override {}
};

}  // namespace

// What somebody has to say, and where it belongs in the order of all.
struct Replay::Line {
  std::uint64_t sequence = 0;
  Timestamp flow_start;
  std::size_t flow_hash = 0;
  std::size_t begin = 0;
  std::size_t end = 0;
  const std::string* text = nullptr;
};

struct Replay::Worker final : EngineSink {
  Worker(const Settings& settings, std::shared_ptr<ReplayMemory> endpoints, std::shared_ptr<const Matcher> matcher,
         std::shared_ptr<const Policy> policy, std::unique_ptr<ReplayWriter> line_writer)
      : memory(std::move(endpoints)),
        writer(std::move(line_writer)),
        engine(with_memory(settings.engine, memory), std::move(matcher), std::move(policy), source, *this),
        thread([this] { run(); }) {}

  ~Worker() override {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    wake.notify_all();
    thread.join();
  }

  static EngineSettings with_memory(EngineSettings settings, std::shared_ptr<EndpointMemory> endpoints) {
    settings.endpoints = std::move(endpoints);
    return settings;
  }

  void decision(const FlowView& view, const Decision& decision) override {
    const std::size_t begin = text.size();
    writer->decision(view, decision, text);
    note(view, begin);
  }

  void flow_ended(const FlowView& view, const FlowTotals& totals, EndReason reason) override {
    const std::size_t begin = text.size();
    writer->flow_ended(view, totals, reason, text);
    note(view, begin);
  }

  void note(const FlowView& view, std::size_t begin) {
    if (text.size() == begin) return;
    lines.push_back({sequence, view.flow.start, std::hash<FlowKey>{}(view.flow.key), begin, text.size(), &text});
  }

  void run() {
    for (;;) {
      std::unique_lock lock(mutex);
      wake.wait(lock, [this] { return busy || stopping; });
      if (stopping) return;
      lock.unlock();
      for (const Item& item : working) {
        sequence = item.sequence;
        memory->at(sequence);
        if (item.advance)
          engine.advance(item.record.time);
        else
          engine.on_record(item.record);
      }
      if (finishing) {
        ++sequence;
        engine.finish(EndReason::shutdown);
      }
      lock.lock();
      busy = false;
      wake.notify_all();
    }
  }

  void start_batch(bool last) {
    working.swap(filling);
    filling.clear();
    text.clear();
    lines.clear();
    {
      const std::lock_guard lock(mutex);
      finishing = last;
      busy = true;
    }
    wake.notify_all();
  }

  void wait() {
    std::unique_lock lock(mutex);
    wake.wait(lock, [this] { return !busy; });
  }

  std::vector<Item> filling;  // the feeder's
  std::vector<Item> working;  // the worker's while busy, nobody's else
  std::string text;
  std::vector<Line> lines;
  std::uint64_t sequence = 0;

  NoWayBack source;
  std::shared_ptr<ReplayMemory> memory;
  std::unique_ptr<ReplayWriter> writer;
  Engine engine;

  std::mutex mutex;
  std::condition_variable wake;
  bool busy = false;
  bool finishing = false;
  bool stopping = false;
  std::thread thread;
};

Replay::Replay(Settings settings, std::shared_ptr<const Matcher> matcher, std::shared_ptr<const Policy> policy,
               const MakeWriter& make_writer, Output output)
    : output_(std::move(output)),
      endpoints_(settings.engine.endpoint_limits),
      last_hand_over_(std::chrono::steady_clock::now()) {
  for (unsigned i = 0; i < std::max(1U, settings.workers); ++i)
    workers_.push_back(
        std::make_unique<Worker>(settings, std::make_shared<ReplayMemory>(endpoints_, settings.engine.endpoint_limits),
                                 matcher, policy, make_writer()));
}

Replay::~Replay() = default;

void Replay::feed(const PacketRecord& record) {
  pass_time(record.time);
  const std::size_t worker = std::hash<HostPair>{}(HostPair(record.key.low, record.key.high)) % workers_.size();
  workers_[worker]->filling.push_back({++sequence_, false, record});
  if (++unmerged_ < kBatchRecords) return;
  unmerged_ = 0;
  hand_over(true);
}

void Replay::pass_time(Timestamp now) {
  const Duration passed = now - last_advance_;
  if (passed >= kAdvanceEvery || passed <= -kAdvanceEvery) advance(now);
}

void Replay::advance(Timestamp now) {
  last_advance_ = now;
  ++sequence_;
  for (const auto& worker : workers_) {
    Item& item = worker->filling.emplace_back();
    item.sequence = sequence_;
    item.advance = true;
    item.record.time = now;
  }
  if (std::chrono::steady_clock::now() - last_hand_over_ > kLongestDelay) {
    hand_over(false);
    collect();
  }
}

// `merge_after`: the batch ends where every replay of these records has the end of a batch, however slowly they come.
void Replay::hand_over(bool merge_after) {
  collect();
  if (merge_due_) {
    std::vector<ReplayMemory::Note> notes;
    for (const auto& worker : workers_) std::ranges::move(worker->memory->take(), std::back_inserter(notes));
    merge(std::move(notes), endpoints_);
  }
  merge_due_ = merge_after;
  std::swap(said_filling_.text, said_working_.text);  // where the lines already look for it
  std::swap(said_filling_.lines, said_working_.lines);
  said_filling_.text.clear();
  for (const auto& worker : workers_) worker->start_batch(false);
  last_hand_over_ = std::chrono::steady_clock::now();
}

void Replay::say(std::string_view lines) {
  if (lines.empty()) return;
  const std::size_t begin = said_filling_.text.size();
  said_filling_.text += lines;
  said_filling_.lines.push_back({sequence_, Timestamp::max(), std::numeric_limits<std::size_t>::max(), begin,
                                 said_filling_.text.size(), &said_working_.text});
  if (said_filling_.text.size() > kMostSaid) hand_over(false);
}

// Waits for the workers and hands out what they said.
void Replay::collect() {
  std::vector<Line> lines;
  for (const auto& worker : workers_) {
    worker->wait();
    lines.insert(lines.end(), worker->lines.begin(), worker->lines.end());
    worker->lines.clear();
  }
  lines.insert(lines.end(), said_working_.lines.begin(), said_working_.lines.end());
  said_working_.lines.clear();
  std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) {
    if (a.sequence != b.sequence) return a.sequence < b.sequence;
    if (a.flow_start != b.flow_start) return a.flow_start < b.flow_start;
    return a.flow_hash < b.flow_hash;
  });
  for (const Line& line : lines) output_(std::string_view(*line.text).substr(line.begin, line.end - line.begin));
}

void Replay::finish() {
  hand_over(false);
  collect();
  for (const auto& worker : workers_) {
    worker->sequence = sequence_;
    worker->memory->at(sequence_);
    worker->start_batch(true);
  }
  collect();
}

EngineCounters Replay::counters() const {
  EngineCounters sum;
  for (const auto& worker : workers_) sum += worker->engine.counters();
  return sum;
}

}  // namespace spidd
