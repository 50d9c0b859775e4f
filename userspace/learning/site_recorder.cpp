// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/learning/site_recorder.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace spidd {

namespace {

// splitmix64: the draws are the same in every run, so that a capture gives the same state every time.
std::uint64_t spread(std::uint64_t number) {
  number += 0x9e3779b97f4a7c15U;
  number = (number ^ (number >> 30U)) * 0xbf58476d1ce4e5b9U;
  number = (number ^ (number >> 27U)) * 0x94d049bb133111ebU;
  return number ^ (number >> 31U);
}

}  // namespace

void SiteRecorder::start(Timestamp now, Timestamp until) {
  if (!recording(now)) since_ = now;
  until_ = until;
}

void SiteRecorder::stop(Timestamp now) { until_ = std::min(until_, now); }

void SiteRecorder::restore(Timestamp since, Timestamp until) {
  since_ = since;
  until_ = until;
}

void SiteRecorder::fit() {
  limits_.services = std::max(limits_.services, services_.size());
  limits_.memory_bytes = std::max(limits_.memory_bytes, bytes_);
  for (const auto& [key, service] : services_)
    limits_.samples_per_service = std::max(limits_.samples_per_service, static_cast<unsigned>(service.samples.size()));
}

bool SiteRecorder::add(const SettledFlow& flow) {
  if (!recording(flow.time)) return false;
  const SiteKey key = key_of(flow);
  if (rejected_.contains(key)) {
    ++counters_.flows_rejected;
    return false;
  }
  SiteService& service = services_[key];
  const std::size_t before = service.flows == 0 ? 0 : service.bytes();
  service.add(flow, limits_.samples_per_service, spread(++draws_));
  bytes_ += service.bytes() - before;
  ++counters_.flows;
  if (flow.touched()) ++counters_.flows_touched;
  make_room();
  return true;
}

bool SiteRecorder::take_back(const SettledFlow& flow) {
  const auto found = services_.find(key_of(flow));
  if (found == services_.end()) return false;
  const std::size_t before = found->second.bytes();
  if (!found->second.take_back(flow)) return false;
  bytes_ = bytes_ - before + found->second.bytes();
  ++counters_.flows_touched;
  ++counters_.flows_taken_back;
  return true;
}

SiteService SiteRecorder::take(const SiteKey& key) {
  const auto found = services_.find(key);
  if (found == services_.end()) return {};
  SiteService service = std::move(found->second);
  bytes_ -= service.bytes();
  services_.erase(found);
  return service;
}

void SiteRecorder::put(SiteService service) {
  put_back(std::move(service));
  make_room();
}

void SiteRecorder::put_back(SiteService service) {
  if (service.flows == 0) return;
  SiteService sum = take(service.key);
  if (sum.flows == 0)
    sum = std::move(service);
  else
    sum.merge(service, limits_.samples_per_service);
  bytes_ += sum.bytes();
  const SiteKey key = sum.key;
  services_.insert_or_assign(key, std::move(sum));
}

void SiteRecorder::clear() {
  services_.clear();
  bytes_ = 0;
}

// An eighth at a time, so that a new service has the time to be seen again before the next round, and a flood of new
// ones costs little each.
bool SiteRecorder::make_room(const std::set<SiteKey>& kept) {
  if (services_.size() <= limits_.services && bytes_ <= limits_.memory_bytes) return false;
  const std::size_t services = limits_.services - limits_.services / 8;
  const std::size_t bytes = limits_.memory_bytes - limits_.memory_bytes / 8;
  std::vector<const SiteService*> order;
  order.reserve(services_.size());
  for (const auto& [key, service] : services_)
    if (!kept.contains(key)) order.push_back(&service);
  std::ranges::sort(order, {}, [](const SiteService* service) { return std::tuple(service->flows, service->last); });
  for (const SiteService* service : order) {
    if (services_.size() <= services && bytes_ <= bytes) break;
    ++counters_.services_evicted;
    counters_.flows_evicted += service->flows;
    const SiteKey key = service->key;
    take(key);
  }
  return !order.empty();
}

}  // namespace spidd
