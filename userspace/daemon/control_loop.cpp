// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/control_loop.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <set>
#include <string>

#include "userspace/base/log.h"
#include "userspace/daemon/answers.h"
#include "userspace/daemon/reports.h"
#include "userspace/daemon/requests.h"
#include "userspace/daemon/startup.h"

namespace spidd {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kTick = std::chrono::seconds(1);
constexpr auto kFeedInterval = std::chrono::milliseconds(50);  // while somebody subscribes
constexpr auto kHung = std::chrono::seconds(10);               // a worker without a round for this long
constexpr unsigned kInterfaceTicks = 10;                       // between two looks at this host's interfaces

constexpr std::size_t kMostComplaints = 1000;  // then silence

class ControlLoop {
 public:
  explicit ControlLoop(Daemon& daemon) : daemon_(daemon) {
    for (const auto& worker : daemon_.workers) progress_.push_back({worker->rounds(), Clock::now()});
  }

  void run() {
    Clock::time_point next_tick = Clock::now();
    while (!stopping_) {
      const Clock::time_point now = Clock::now();
      if (now >= next_tick) {
        tick(now);
        next_tick = now + kTick;
      }
      auto patience = std::chrono::ceil<std::chrono::milliseconds>(next_tick - now);
      if (daemon_.control->subscribers() > 0) patience = std::min(patience, kFeedInterval);
      std::array<pollfd, 2> ready = {{{daemon_.signals.get(), POLLIN, 0}, {daemon_.control->fd(), POLLIN, 0}}};
      ::poll(ready.data(), ready.size(), static_cast<int>(std::max<std::int64_t>(patience.count(), 0)));
      if (ready[0].revents != 0) take_signals();
      if (ready[1].revents != 0) {
        daemon_.control->serve([this](std::string_view line) { return answer(daemon_, line); });
        watch_feed();
      }
      serve_feed();
    }
  }

 private:
  struct Progress {
    std::uint64_t rounds;
    Clock::time_point since;
  };

  void take_signals() {
    signalfd_siginfo info{};
    while (::read(daemon_.signals.get(), &info, sizeof info) == sizeof info) {
      if (info.ssi_signo == SIGHUP) {
        hang_up();
      } else if (info.ssi_signo == SIGUSR1) {
        if (daemon_.anomaly) daemon_.anomaly->post([](AnomalyWatch& watch) { watch.write_files(); });
      } else {
        log_info("stopping on signal {}", info.ssi_signo);
        stopping_ = true;
      }
    }
  }

  void hang_up() {
    daemon_.notify.reloading();
    if (auto reopened = daemon_.output->reopen(); !reopened)
      log_error("reopen the outputs: {}", reopened.error().message);
    if (auto loaded = reload(daemon_))
      log_info("reloaded: {} mode, {} rules, {} models", mode_name(daemon_.policy->mode), daemon_.policy->rules.size(),
               daemon_.matcher->database_models());
    else
      log_mistakes("reload", loaded.error());
    daemon_.notify.ready(describe(daemon_));
  }

  // Events from before a subscription are not sent.
  void watch_feed() {
    const bool wanted = daemon_.control->subscribers() > 0;
    if (wanted == feeding_) return;
    feeding_ = wanted;
    daemon_.output->set_feed_wanted(wanted);
    fed_ = daemon_.output->feed().last_number();
  }

  void serve_feed() {
    if (!feeding_) return;
    for (const RecentEvents::Event& event : daemon_.output->feed().after(fed_, daemon_.config.event_queue)) {
      daemon_.feed_lost += event.number - fed_ - 1;
      fed_ = event.number;
      daemon_.control->publish(event_line(event.json));
    }
    watch_feed();
  }

  void tick(Clock::time_point now) {
    const Timestamp wall = wall_clock_now();
    if (auto ended = daemon_.enforcer->tick(wall))
      report_ended_blocks(daemon_, *ended, BlockChange::expired, wall);
    else
      complain(ended.error().message);
    if (auto loaded = reload_changed_models(daemon_); !loaded) complain(loaded.error().message);
    if (++ticks_ % kInterfaceTicks == 0) look_at_interfaces();
    if (workers_alive(now) && daemon_.notify.watchdog_interval()) daemon_.notify.alive();
  }

  void look_at_interfaces() {
    if (auto addresses = addresses_of_this_host()) daemon_.enforcer->set_own_addresses(std::move(*addresses));
    for (const WatchedInterface& interface : daemon_.datapath->interfaces())
      if (!is_present(interface))
        complain(fmt::format("interface {} is gone and is not watched any more: restart spidd when it is back",
                             interface.name));
  }

  bool workers_alive(Clock::time_point now) {
    for (std::size_t i = 0; i < progress_.size(); ++i) {
      const std::uint64_t rounds = daemon_.workers[i]->rounds();
      if (rounds != progress_[i].rounds) progress_[i] = {rounds, now};
      if (now - progress_[i].since < kHung) continue;
      complain(fmt::format("worker {} hangs", i));
      return false;
    }
    return true;
  }

  // A lasting trouble is told once, not every second.
  void complain(const std::string& message) {
    if (complaints_.size() >= kMostComplaints || !complaints_.insert(message).second) return;
    log_error("{}", message);
  }

  Daemon& daemon_;
  bool stopping_ = false;
  bool feeding_ = false;
  std::uint64_t fed_ = 0;  // number of the last event that subscribers got
  unsigned ticks_ = 0;
  std::vector<Progress> progress_;
  std::set<std::string> complaints_;
};

}  // namespace

void run_control_loop(Daemon& daemon) { ControlLoop(daemon).run(); }

}  // namespace spidd
