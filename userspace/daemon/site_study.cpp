// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/site_study.h"

#include <cerrno>

#include "userspace/base/log.h"

namespace spidd {

namespace {

constexpr Duration kTryEvery = std::chrono::seconds(1);

}  // namespace

Result<std::vector<std::string>> SiteStudy::open(MeterRules rules, LoadSiteJudge load) {
  load_ = std::move(load);
  rules_ = rules;
  std::vector<std::string> warnings;
  auto site = SiteLearning::open(settings_, rules, warnings);
  if (!site && site.error().code == EWOULDBLOCK) {
    const std::string busy = site.error().message;
    SiteSettings reading = settings_;
    reading.read_only = true;
    site = SiteLearning::open(reading, rules, warnings);
    warnings.push_back(busy + ": nothing of the site is recorded until it is done");
    next_try_ = Timestamp::min();
  }
  if (!site) return error_of(site);
  site_.emplace(std::move(*site));
  return warnings;
}

void SiteStudy::learn(const SettledFlow& flow) {
  if (site_ && !next_try_) site_->add(flow);
}

void SiteStudy::take_back(const SettledFlow& flow) {
  if (site_ && !next_try_) site_->take_back(flow);
}

void SiteStudy::take_over(Timestamp now) {
  if (now < *next_try_) return;
  next_try_ = now + kTryEvery;
  settings_.lock_patience = {};
  std::vector<std::string> warnings;
  auto site = SiteLearning::open(settings_, rules_, warnings);
  if (!site && site.error().code == EWOULDBLOCK) return;
  next_try_.reset();
  changed_ = true;
  measured_ = false;
  for (const std::string& warning : warnings) log_warning("{}", warning);
  if (site) {
    site_.emplace(std::move(*site));
    log_info("the site is recorded again");
    return;
  }
  log_warning("the site is as if it had not been learned: {}", site.error().message);
  site_.reset();
}

void SiteStudy::tick(Timestamp now) {
  if (next_try_) take_over(now);
  if (!site_ || next_try_) return;
  if (auto saved = site_->tick(now); !saved) log_warning("{}", saved.error().message);
  if (measured_) return;
  measured_ = true;
  if (auto measured = measure_site(*site_, load_); !measured) log_warning("{}", measured.error().message);
  refresh();
}

void SiteStudy::add_models(ModelDatabase& models) const {
  if (!site_) return;
  if (auto added = models.append(site_->models()); !added) log_warning("models of the site: {}", added.error().message);
}

void SiteStudy::close() {
  if (!site_ || next_try_) return;
  if (auto saved = site_->save(); !saved) log_warning("{}", saved.error().message);
}

Result<nlohmann::ordered_json> SiteStudy::answer(const SiteRequest& request, Timestamp now) {
  if (!site_) return fail("the state of the site could not be read when spidd started: see its log");
  if (next_try_)
    return fail("{}: another process is changing what is in it: wait until it is done", settings_.directory);
  measured_ = true;
  auto result = answer_site(*site_, request, load_, now, changed_);
  refresh();
  return result;
}

void SiteStudy::refresh() {
  const bool ready = site_->ready();
  if (ready_.exchange(ready) != ready) changed_ = true;
}

SiteStudy::Counters SiteStudy::counters() const {
  Counters counters;
  if (!site_) return counters;
  counters.recorder = site_->recorder().counters();
  counters.failed_saves = site_->failed_saves();
  counters.services = site_->recorder().services().size();
  counters.bytes = site_->recorder().bytes();
  for (const auto& [key, record] : site_->decided())
    if (record.state == SiteState::accepted) ++counters.accepted;
  return counters;
}

}  // namespace spidd
