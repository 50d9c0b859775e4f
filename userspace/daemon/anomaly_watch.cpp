// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/anomaly_watch.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "userspace/base/log.h"

namespace spidd {

namespace {

constexpr std::size_t kBatch = 1024;      // observations between two looks at clock and mailbox
constexpr std::size_t kMostLines = 2000;  // of a list in the statistics: an answer is not a file
constexpr std::size_t kMostLeftovers = 1U << 20U;
constexpr Duration kShortestNap = std::chrono::microseconds(500);
constexpr Duration kLongestNap = std::chrono::milliseconds(8);
constexpr Duration kTick = std::chrono::seconds(1);
// The clock of observations runs behind the wall by as long as they wait in the ring: a response that is already there
// must not come after the end of the wait for it.
constexpr Duration kRingDelay = std::chrono::milliseconds(50);
constexpr Duration kIdleAttempt = std::chrono::minutes(10);

}  // namespace

Result<std::unique_ptr<AnomalyWatch>> AnomalyWatch::create(const SpadeSettings& spade, const Settings& settings,
                                                           std::unique_ptr<ObservationSource> source,
                                                           DaemonAnomalySink& sink) {
  std::unique_ptr<AnomalyWatch> watch(new AnomalyWatch(spade, settings, std::move(source), sink));
  auto monitor = AnomalyMonitor::create(spade, settings.seed, sink);
  if (!monitor) return tl::unexpected<Error>(std::move(monitor.error()));
  watch->monitor_ = *std::move(monitor);
  sink.set_files(&watch->files_);
  sink.on_suspicion([watch = watch.get()](const Observation& packet) { watch->suspect(packet); });
  if (settings.state_path.empty()) return watch;
  auto read = read_state(settings.state_path, watch->source_->now());
  if (!read) {
    watch->warnings_.push_back(fmt::format("SPADE begins anew, and its state is not kept: {}", read.error().message));
    watch->settings_.state_path.clear();
    return watch;
  }
  if (!read->damage.empty()) watch->warnings_.push_back(fmt::format("SPADE begins anew: {}", read->damage));
  if (!read->found) return watch;
  const Spade::Restored restored = watch->monitor_->restore(std::move(read->state), Downtime::ignored);
  for (const std::string& problem : restored.problems) watch->warnings_.push_back(fmt::format("SPADE: {}", problem));
  watch->counters_.entries_without_room = restored.entries_without_room;
  if (restored.entries_without_room != 0)
    watch->warnings_.push_back(
        fmt::format("SPADE: {} entries of the state file found no room in the tables", restored.entries_without_room));
  return watch;
}

void AnomalyWatch::start() {
  checkpoint_time_ = source_->now();
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "anomaly");
}

void AnomalyWatch::stop() {
  stopping_.store(true, std::memory_order_relaxed);
  if (thread_.joinable()) thread_.join();
}

void AnomalyWatch::observe(const Observation& observation) {
  monitor_->observe(observation);
  if (const auto familiar = familiar_.seen(observation)) source_->know(*familiar);
}

void AnomalyWatch::observe_count(const Observation& observation) {
  counters_.counted += observation.count;
  monitor_->observe(observation);
}

void AnomalyWatch::suspect(const Observation& packet) {
  const FamiliarAttempts::Suspects suspects = familiar_.suspected(packet);
  for (std::size_t i = 0; i < suspects.count; ++i)
    if (source_->knows(suspects.each[i])) suspects_.push_back(suspects.each[i]);
}

// Not while the source hands something on. What is handed on here may be suspicious, too.
void AnomalyWatch::see_suspects_again() {
  for (std::size_t i = 0; i < suspects_.size(); ++i) {
    const ConnectionAttempt attempt = suspects_[i];
    source_->forget(attempt, [this](const Observation& observation) { observe_count(observation); });
  }
  suspects_.clear();
}

void AnomalyWatch::take_conversations() {
  if (settings_.conversations == nullptr) return;
  settings_.conversations->take([this](const Conversation& conversation) {
    ++counters_.conversations;
    if (Incidents* const incidents = monitor_->incidents()) incidents->confirm(conversation.client, conversation.start);
  });
}

void AnomalyWatch::run() {
  const ObservationSource::Handle handle = [this](const Observation& observation) { observe(observation); };
  Timestamp next_tick = source_->now() + kTick;
  Duration nap = kShortestNap;
  while (!stopping_.load(std::memory_order_relaxed)) {
    const std::size_t taken = source_->drain(handle, kBatch);
    counters_.observations += taken;
    see_suspects_again();
    take_conversations();
    mailbox_.take([this](const Task& task) { task(*this); });
    if (source_->now() >= next_tick) {
      every_second();
      next_tick = source_->now() + kTick;
    }
    tend_checkpoint();
    if (!snapshot_) files_.logs().tend(monitor_->spade());
    if (taken == kBatch) continue;
    nap = taken > 0 || files_.logs().busy() ? kShortestNap : std::min(nap * 2, kLongestNap);
    std::this_thread::sleep_for(nap);
  }
  for (std::size_t total = 0, taken = 1; taken != 0 && total < kMostLeftovers; total += taken) {
    taken = source_->drain(handle, kBatch);
    counters_.observations += taken;
  }
  source_->forget_all([this](const Observation& observation) { observe_count(observation); });
  monitor_->cut_short();
  if (settings_.state_path.empty()) monitor_->finish();
  files_.write_log(monitor_->spade());
  files_.logs().finish(monitor_->spade());
  finish_checkpoint();
}

void AnomalyWatch::every_second() {
  source_->poll([this](const Observation& observation) { observe_count(observation); }, kIdleAttempt);
  see_suspects_again();
  if (source_->pending_bytes() == 0) monitor_->advance(source_->now() - kRingDelay);
  if (files_.log_due()) files_.write_log(monitor_->spade());
}

// A copy in slices, between packets; then another thread writes it.
void AnomalyWatch::tend_checkpoint() {
  if (settings_.state_path.empty()) return;
  if (writing_.valid()) {
    if (writing_.wait_for(Duration::zero()) != std::future_status::ready) return;
    ++counters_.checkpoints;
    if (auto written = writing_.get(); !written) {
      ++counters_.checkpoints_failed;
      log_warning("SPADE's state is not kept: {}", written.error().message);
    }
  }
  const std::uint64_t updates = monitor_->spade().updates();
  if (!snapshot_) {
    const bool due =
        checkpoint_wanted_ || updates - checkpoint_updates_ >= settings_.checkpoint_updates ||
        (updates != checkpoint_updates_ && source_->now() - checkpoint_time_ >= settings_.checkpoint_at_most);
    if (!due) return;
    checkpoint_wanted_ = false;
    checkpoint_updates_ = updates;
    checkpoint_time_ = source_->now();
    std::vector<const ProbabilityTable*> tables;
    for (const Spade::TableView& view : monitor_->spade().tables()) tables.push_back(view.table);
    snapshot_.emplace(monitor_->save(), std::move(tables));
  }
  if (!snapshot_->take_slice()) return;
  writing_ = std::async(std::launch::async, [path = settings_.state_path, copy = std::move(*snapshot_)]() mutable {
    return write_state(path, std::move(copy).finish());
  });
  snapshot_.reset();
}

// The last one: nobody waits for a packet any more.
void AnomalyWatch::finish_checkpoint() {
  if (settings_.state_path.empty()) return;
  if (writing_.valid()) writing_.wait();
  snapshot_.reset();
  std::vector<const ProbabilityTable*> tables;
  for (const Spade::TableView& view : monitor_->spade().tables()) tables.push_back(view.table);
  SpadeSnapshot snapshot(monitor_->save(), std::move(tables));
  snapshot.take_all();
  if (auto written = write_state(settings_.state_path, std::move(snapshot).finish()); !written)
    log_warning("SPADE's state is not kept: {}", written.error().message);
}

Result<> AnomalyWatch::change_settings(const SpadeSettings& spade) {
  auto monitor = AnomalyMonitor::create(spade, settings_.seed, sink_);
  if (!monitor) return tl::unexpected<Error>(std::move(monitor.error()));
  snapshot_.reset();
  files_.logs().forget_copy();
  const Spade::Restored taken = (*monitor)->take_over(*monitor_);
  monitor_ = *std::move(monitor);
  counters_.entries_without_room += taken.entries_without_room;
  for (const std::string& problem : taken.problems) log_warning("SPADE begins anew in part: {}", problem);
  if (taken.entries_without_room != 0)
    log_warning("SPADE: {} entries found no room in the tables, which are smaller now", taken.entries_without_room);
  files_.write_log(monitor_->spade());
  settings_.checkpoint_updates = spade.checkpoint_updates;
  checkpoint_wanted_ = true;
  familiar_ = FamiliarAttempts({}, spade);
  source_->forget_all([this](const Observation& observation) { observe_count(observation); });
  return {};
}

void AnomalyWatch::write_files() {
  files_.write_log(monitor_->spade());
  checkpoint_wanted_ = true;
}

Result<std::string> AnomalyWatch::statistics(Duration patience) {
  const auto promise = std::make_shared<std::promise<Result<std::string>>>();
  auto text = promise->get_future();
  post([promise](AnomalyWatch& watch) {
    ScoreLogs::Request request{kMostLines, true, [promise](std::string made) { promise->set_value(std::move(made)); }};
    if (!watch.files_.logs().ask(std::move(request)))
      promise->set_value(fail("SPADE is busy with statistics that were asked for before"));
  });
  if (text.wait_for(patience) != std::future_status::ready) return fail("SPADE did not answer in time");
  return text.get();
}

AnomalyCounters AnomalyWatch::counters() const {
  AnomalyCounters counters = counters_;
  const FileWriter::Counters files = files_.writer().counters();
  counters.files_written = files.written;
  counters.files_lost = files.lost_full + files.lost_failed;
  counters.undecodable = source_->undecodable();
  if (settings_.conversations != nullptr) counters.conversations_lost = settings_.conversations->lost();
  counters.known_attempts = source_->known();
  counters.attempts_without_room = source_->not_known();
  return counters;
}

}  // namespace spidd
