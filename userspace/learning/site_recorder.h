// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Gathers settled flows by service for a period, in bounded memory: when there is no room, the services that were seen
// least and longest ago are given up. Pure and not thread-safe; time is passed in.
#pragma once

#include <functional>
#include <map>
#include <set>

#include "userspace/learning/site_service.h"

namespace spidd {

// What SiteLimits may be.
inline constexpr std::size_t kMostSiteBytes = std::size_t{1} << 30U;
inline constexpr std::size_t kMostSiteServices = 65536;

struct SiteLimits {
  std::size_t memory_bytes = 16U << 20U;  // of the services gathered, and as much of those accepted
  std::size_t services = 4096;            // gathered; and as many accepted or rejected
  unsigned samples_per_service = 12;      // flows kept to be judged again
};

struct SiteRecorderCounters {
  std::uint64_t flows = 0;             // gathered
  std::uint64_t flows_touched = 0;     // of these, counted but not learned: an alert or a block touched them
  std::uint64_t flows_taken_back = 0;  // of the touched: learned at first
  std::uint64_t flows_rejected = 0;    // of services that were rejected: not gathered
  std::uint64_t services_evicted = 0;  // no room
  std::uint64_t flows_evicted = 0;     // with them
};

class SiteRecorder {
 public:
  explicit SiteRecorder(SiteLimits limits) : limits_(limits) {}

  // From now on until then; goes on with what is there. Requires: now < until.
  void start(Timestamp now, Timestamp until);
  void stop(Timestamp now);  // what was gathered stays
  bool recording(Timestamp now) const { return now < until_; }
  Timestamp since() const { return since_; }  // the epoch: never
  Timestamp until() const { return until_; }

  // Gathers the flow if the period is not over. Returns whether it did.
  bool add(const SettledFlow& flow);

  // A flow that was gathered is touched by a block or an incident after all: it is not learned any more. Returns
  // whether it was there.
  bool take_back(const SettledFlow& flow);

  const std::map<SiteKey, SiteService>& services() const { return services_; }
  std::size_t bytes() const { return bytes_; }
  const SiteRecorderCounters& counters() const { return counters_; }

  // Takes a service out; nothing there: one without flows.
  SiteService take(const SiteKey& key);
  // Adds a service, to what is there of it.
  void put(SiteService service);
  // The same, and makes no room: for several that are to stay together. Then call make_room().
  void put_back(SiteService service);
  // Gives up what was seen least if there is too much, but for `kept`. Returns whether it did.
  bool make_room(const std::set<SiteKey>& kept = {});
  void clear();

  // Flows of a rejected service are not gathered.
  void reject(const SiteKey& key) { rejected_.insert(key); }
  void unreject(const SiteKey& key) { rejected_.erase(key); }

  // As a file had it. Then its services follow by put_back(), and fit(): nothing that was kept is given up because the
  // limits are lower now.
  void restore(Timestamp since, Timestamp until);
  void fit();
  const SiteLimits& limits() const { return limits_; }

 private:
  SiteLimits limits_;
  Timestamp since_{};
  Timestamp until_{};
  std::map<SiteKey, SiteService> services_;
  std::set<SiteKey> rejected_;
  std::size_t bytes_ = 0;
  std::uint64_t draws_ = 0;
  SiteRecorderCounters counters_;
};

}  // namespace spidd
