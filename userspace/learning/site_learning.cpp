// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/learning/site_learning.h"

#include <algorithm>
#include <utility>

namespace spidd {

namespace {

constexpr std::uint64_t kShareOfOne = 3;  // a service counts for at most a third of the flows needed

struct Named {
  std::string family;
  Category category = Category::plain;
};

// The score that shipped models of the label ask for.
float threshold_of(std::string_view label, Transport transport, std::span<const ModelSummary> shipped) {
  float threshold = 0;
  for (const ModelSummary& model : shipped)
    if (model.label == label && model.transport == model_transport(transport))
      threshold = std::max(threshold, model.threshold);
  return threshold;
}

// What a label means to the shipped models, also one that is the name of a family.
std::optional<Named> meaning_of(std::string_view label, std::span<const ModelSummary> shipped) {
  for (const ModelSummary& model : shipped)
    if (model.label == label) return Named{model.family, model.category};
  for (const ModelSummary& model : shipped)
    if (model.family == label) return Named{model.family, model.category};
  return std::nullopt;
}

std::uint64_t most_of_service(const SiteSettings& settings) {
  return std::max<std::uint64_t>(1, settings.enforce_flows / kShareOfOne);
}

std::uint64_t most_of_family(const SiteSettings& settings) {
  return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(settings.enforce_flows * settings.family_share));
}

Result<Named> choose_name(const std::string& label, std::optional<Category> category,
                          std::span<const ModelSummary> shipped) {
  if (!is_valid_label(label) || label == kUnknownLabel) return fail("'{}' is not a label", label);
  const auto known = meaning_of(label, shipped);
  Named named = known.value_or(Named{label, category.value_or(Category::plain)});
  if (named.category == Category::tunnel || category == Category::tunnel)
    return fail(
        "'{}' is a tunnel: what is accepted is learned as benign; to allow a tunnel, write a rule of the policy",
        label);
  return named;
}

}  // namespace

Result<SiteLearning> SiteLearning::open(SiteSettings settings, MeterRules rules, std::vector<std::string>& warnings) {
  SiteLearning site(std::move(settings), rules);
  if (!site.settings_.read_only) {
    auto lock = DirectoryLock::take(site.settings_.directory, site.settings_.lock_patience);
    if (!lock) return error_of(lock);
    site.lock_ = std::move(*lock);
  }
  auto contents = site.store_.load(rules);
  if (!contents) return error_of(contents);
  warnings = std::move(contents->warnings);
  for (SiteRecord& record : contents->decided) {
    if (record.state == SiteState::rejected) site.recorder_.reject(record.service.key);
    const SiteKey key = record.service.key;
    site.decided_.insert_or_assign(key, std::move(record));
  }
  site.recorder_.restore(contents->recording.since, contents->recording.until);
  for (SiteRecord& record : contents->recording.records) site.recorder_.put_back(std::move(record.service));
  site.recorder_.fit();
  SiteLimits& limits = site.settings_.limits;
  limits.services = std::max(limits.services, site.decided_.size());
  limits.samples_per_service = std::max(limits.samples_per_service, site.recorder_.limits().samples_per_service);
  for (const auto& [key, record] : site.decided_)
    limits.samples_per_service =
        std::max(limits.samples_per_service, static_cast<unsigned>(record.service.samples.size()));
  limits.memory_bytes = std::max(limits.memory_bytes, site.taken().bytes);
  site.drop_accepted();
  return site;
}

std::uint64_t SiteLearning::drop_accepted() {
  std::vector<SiteKey> known;
  std::uint64_t flows = 0;
  for (const auto& [key, record] : decided_) {
    const auto recorded = recorder_.services().find(key);
    if (recorded == recorder_.services().end() || record.state != SiteState::accepted) continue;
    const SiteService& service = recorded->second;
    if (service.first != record.service.first || service.last > record.service.last ||
        service.flows > record.service.flows)
      continue;
    flows += service.flows;
    known.push_back(key);
  }
  for (const SiteKey& key : known) recorder_.take(key);
  return flows;
}

Result<> SiteLearning::record(Timestamp now, Duration length) {
  recorder_.start(now, length > Timestamp::max() - now ? Timestamp::max() : now + length);
  return save();
}

Result<> SiteLearning::stop(Timestamp now) {
  recorder_.stop(now);
  return save();
}

Result<> SiteLearning::tick(Timestamp now) {
  if (!changed_ || now < next_save_) return {};
  next_save_ = now + settings_.save_every;
  return save();
}

Result<> SiteLearning::save() {
  SiteFile file;
  file.rules = rules_;
  file.since = recorder_.since();
  file.until = recorder_.until();
  for (const auto& [key, service] : recorder_.services()) file.records.emplace_back().service = service;
  auto saved = store_.save_recording(file);
  if (saved)
    changed_ = false;
  else
    ++failed_saves_;
  return saved;
}

std::vector<SiteReviewRow> SiteLearning::review() const {
  return review_services(recorder_.services(), decided_, settings_.few_flows);
}

std::vector<SiteKey> SiteLearning::keys_of(const SiteSelector& selector, bool recorded, bool decided) const {
  std::set<SiteKey> keys;
  if (recorded)
    for (const auto& [key, service] : recorder_.services())
      if (selector.selects(key)) keys.insert(key);
  if (decided)
    for (const auto& [key, record] : decided_)
      if (selector.selects(key)) keys.insert(key);
  return {keys.begin(), keys.end()};
}

SiteLearning::Taken SiteLearning::taken() const {
  Taken taken{0, decided_.size()};
  for (const auto& [key, record] : decided_) taken.bytes += record.service.bytes();
  return taken;
}

SiteOutcome SiteLearning::accept(const SiteSelection& selection, const SiteNaming& naming,
                                 std::span<const ModelSummary> shipped, Timestamp now) {
  SiteOutcome outcome;
  std::set<SiteKey> keys;
  for (const SiteSelector& selector : selection.services) {
    const std::vector<SiteKey> found = keys_of(selector, true, false);
    if (found.empty())
      outcome.refused.push_back(fmt::format("{}: no such service was recorded", selector.server.to_string()));
    keys.insert(found.begin(), found.end());
  }
  for (const SiteReviewRow& row : review()) {
    const bool swept =
        (selection.all_clear && row.is_clear()) ||
        (!selection.label.empty() && row.service->key.label == selection.label && !row.looks_like_tunnel());
    if (swept) keys.insert(row.service->key);
  }
  Taken room = taken();
  std::vector<SiteRecord> records;
  std::vector<SiteKey> accepted;
  std::uint64_t flows = 0;
  for (const SiteKey& key : keys) {
    auto record = accepted_record(key, naming, shipped, now, room);
    if (!record) {
      outcome.refused.push_back(fmt::format("{}: {}", to_string(key), record.error().message));
      continue;
    }
    accepted.push_back(key);
    flows += recorder_.services().at(key).learned_flows();
    records.push_back(std::move(*record));
  }
  if (records.empty()) return outcome;
  if (auto done = accept_all(std::move(records)); !done) {
    outcome.refused.push_back(done.error().message);
    return outcome;
  }
  outcome.services = std::move(accepted);
  outcome.flows = flows;
  rates_.reset();
  if (auto saved = save(); !saved) outcome.refused.push_back(saved.error().message);
  return outcome;
}

Result<> SiteLearning::room_for(std::size_t decisions) const {
  if (decisions <= settings_.limits.services) return {};
  return fail("{} services have been decided on already, which is the most (services in [site])",
              settings_.limits.services);
}

Result<SiteRecord> SiteLearning::accepted_record(const SiteKey& key, const SiteNaming& naming,
                                                 std::span<const ModelSummary> shipped, Timestamp now,
                                                 Taken& taken) const {
  const SiteService& recorded = recorder_.services().at(key);
  if (recorded.learned_flows() == 0)
    return fail(
        "all of its {} flows were alerted or blocked, and nothing is learned from such flows: if it is what it "
        "should be, let it pass by a rule of the policy while it is recorded",
        recorded.flows);
  const std::string label = naming.label.empty() ? key.label : naming.label;
  if (label == kUnknownLabel) return fail("it has no name: say what it is with --as");
  if (naming.label.empty() && recorded.category == Category::tunnel)
    return fail("it was named {}, a tunnel: say what it really is with --as", key.label);
  const auto named = choose_name(label, naming.category, shipped);
  if (!named) return tl::unexpected<Error>(named.error());

  SiteRecord record;
  const auto before = decided_.find(key);
  const std::size_t decisions = taken.decisions + (before == decided_.end() ? 1 : 0);
  if (before != decided_.end()) {
    if (before->second.state == SiteState::rejected) return fail("it was rejected: take that back with undo first");
    record.service = before->second.service;
  } else if (auto room = room_for(decisions); !room) {
    return error_of(room);
  }
  if (taken.bytes + recorded.bytes() > settings_.limits.memory_bytes)
    return fail("accepted services have {} bytes already, there is no room (memory_bytes in [site])", taken.bytes);
  taken = {taken.bytes + recorded.bytes(), decisions};
  record.service.merge(recorded, settings_.limits.samples_per_service);
  record.state = SiteState::accepted;
  record.label = label;
  record.accepted_family = named->family;
  record.accepted_category = named->category;
  record.accepted_threshold = threshold_of(label, key.transport, shipped);
  record.decided = now;
  return record;
}

Result<> SiteLearning::accept_all(std::vector<SiteRecord> records) {
  if (auto saved = store_.save(records, rules_); !saved) return saved;
  for (SiteRecord& record : records) {
    const SiteKey key = record.service.key;
    recorder_.take(key);
    decided_.insert_or_assign(key, std::move(record));
  }
  return {};
}

template <class Find, class Act>
SiteOutcome SiteLearning::act_on(std::span<const SiteSelector> services, Find find, Act act) {
  SiteOutcome outcome;
  std::set<SiteKey> keys;
  for (const SiteSelector& selector : services) {
    const std::vector<SiteKey> found = find(selector);
    if (found.empty()) outcome.refused.push_back(fmt::format("{}: no such service", selector.server.to_string()));
    keys.insert(found.begin(), found.end());
  }
  if (keys.empty()) return outcome;
  const std::vector<SiteKey> all(keys.begin(), keys.end());
  if (auto done = act(std::span(all)); !done) {
    outcome.refused.push_back(done.error().message);
    return outcome;
  }
  outcome.services = all;
  rates_.reset();
  return outcome;
}

SiteOutcome SiteLearning::reject(std::span<const SiteSelector> services, Timestamp now) {
  const auto find = [this](const SiteSelector& selector) {
    std::vector<SiteKey> keys = keys_of(selector, true, true);
    // A service may be rejected before it was ever seen.
    const auto transport = parse_transport(selector.transport);
    if (keys.empty() && transport && !selector.label.empty())
      keys.push_back({selector.server, *transport, selector.label});
    return keys;
  };
  SiteOutcome outcome = act_on(services, find, [&](std::span<const SiteKey> keys) { return reject_all(keys, now); });
  if (!outcome.services.empty())
    if (auto saved = save(); !saved) outcome.refused.push_back(saved.error().message);
  return outcome;
}

Result<> SiteLearning::reject_all(std::span<const SiteKey> keys, Timestamp now) {
  std::size_t more = 0;
  std::vector<SiteRecord> records;
  for (const SiteKey& key : keys) {
    more += decided_.contains(key) ? 0 : 1;
    SiteRecord& record = records.emplace_back();
    record.state = SiteState::rejected;
    record.service.key = key;
    record.decided = now;
  }
  if (more > 0)
    if (auto room = room_for(decided_.size() + more); !room) return room;
  if (auto saved = store_.save(records, rules_); !saved) return saved;
  for (SiteRecord& record : records) {
    const SiteKey key = record.service.key;
    recorder_.take(key);
    recorder_.reject(key);
    decided_.insert_or_assign(key, std::move(record));
  }
  return {};
}

SiteOutcome SiteLearning::undo(std::span<const SiteSelector> services) {
  const auto find = [this](const SiteSelector& selector) { return keys_of(selector, false, true); };
  SiteOutcome outcome = act_on(services, find, [this](std::span<const SiteKey> keys) { return undo_all(keys); });
  if (outcome.services.empty()) return outcome;
  // What was put back stays: others are given up for it.
  if (recorder_.make_room({outcome.services.begin(), outcome.services.end()}))
    if (auto saved = save(); !saved) outcome.refused.push_back(saved.error().message);
  return outcome;
}

Result<> SiteLearning::undo_all(std::span<const SiteKey> keys) {
  std::map<SiteKey, SiteService> newer;
  for (const SiteKey& key : keys) {
    const SiteRecord& record = decided_.at(key);
    if (record.state != SiteState::accepted) continue;
    newer[key] = recorder_.take(key);
    recorder_.put_back(record.service);
    recorder_.put_back(newer[key]);
  }
  // First there, then no longer here: a crash in between loses nothing.
  auto moved = save();
  if (moved) moved = store_.remove(keys);
  if (!moved) {
    for (auto& [key, service] : newer) {
      recorder_.take(key);
      recorder_.put_back(std::move(service));
    }
    return moved;
  }
  for (const SiteKey& key : keys) {
    recorder_.unreject(key);
    decided_.erase(key);
  }
  return {};
}

SiteOutcome SiteLearning::forget(std::span<const SiteSelector> services) {
  const auto find = [this](const SiteSelector& selector) { return keys_of(selector, true, true); };
  SiteOutcome outcome = act_on(services, find, [this](std::span<const SiteKey> keys) { return forget_all(keys); });
  if (!outcome.services.empty())
    if (auto saved = save(); !saved) outcome.refused.push_back(saved.error().message);
  return outcome;
}

Result<> SiteLearning::forget_all(std::span<const SiteKey> keys) {
  if (auto removed = store_.remove(keys); !removed) return removed;
  for (const SiteKey& key : keys) {
    decided_.erase(key);
    recorder_.unreject(key);
    recorder_.take(key);
  }
  return {};
}

Result<> SiteLearning::measure(SiteJudge& judge) {
  auto rates = measure_rates(decided_, rules_, judge);
  if (!rates) return error_of(rates);
  rates_ = std::move(*rates);
  return {};
}

// Once accepted under another name, its flows bear that name: the same service.
bool SiteLearning::was_reviewed(const SiteKey& key) const {
  return std::ranges::any_of(decided_, [&key](const auto& item) {
    const SiteRecord& record = item.second;
    return item.first == key || (record.state == SiteState::accepted && item.first.server == key.server &&
                                 item.first.transport == key.transport &&
                                 (record.label == key.label || record.accepted_family == key.label));
  });
}

void SiteLearning::count_flows(SiteProgress& progress) const {
  std::map<std::string, std::uint64_t> counted;
  for (const auto& [key, record] : decided_) {
    if (record.state != SiteState::accepted) continue;
    const std::uint64_t flows = record.service.learned_flows();
    ++progress.accepted_services;
    progress.accepted_flows += flows;
    progress.families[record.accepted_family] += flows;
    counted[record.accepted_family] += std::min(flows, most_of_service(settings_));
  }
  for (const auto& [family, flows] : counted) progress.counted_flows += std::min(flows, most_of_family(settings_));
}

SiteProgress SiteLearning::progress() const {
  SiteProgress progress;
  progress.rates = rates_;
  count_flows(progress);
  for (const auto& [key, service] : recorder_.services())
    if (service.flows >= settings_.few_flows && !was_reviewed(key)) ++progress.unreviewed;

  std::vector<std::string>& missing = progress.missing;
  if (progress.accepted_services == 0) {
    missing.push_back("nothing of the site has been accepted: record it, review, accept");
    return progress;
  }
  if (progress.counted_flows < settings_.enforce_flows)
    missing.push_back(fmt::format(
        "{} of {} flows have been accepted (a service counts for {} at most, a family of protocols for {})",
        progress.counted_flows, settings_.enforce_flows, most_of_service(settings_), most_of_family(settings_)));
  if (progress.unreviewed > 0)
    missing.push_back(
        fmt::format("{} services with {} flows or more wait to be reviewed", progress.unreviewed, settings_.few_flows));
  if (!rates_) {
    missing.push_back("the false-verdict rate has not been measured yet");
    return progress;
  }
  const double limit = upper_limit_95(rates_->blocks_after, rates_->flows);
  if (limit <= settings_.enforce_limit) return progress;
  if (rates_->blocks_after == 0) {
    missing.push_back(fmt::format(
        "none of {} samples of accepted flows is called a tunnel under the block rule, which says {:.1f} % at "
        "most with 95 % certainty; {:.1f} % are allowed: accept more services, or record them with more "
        "samples (samples_per_service in [site])",
        rates_->flows, limit * 100, settings_.enforce_limit * 100));
  } else {
    missing.push_back(
        fmt::format("{} of {} accepted flows would still be called tunnels under the block rule (at most "
                    "{:.1f} % with 95 % certainty, {:.1f} % are allowed)",
                    rates_->blocks_after, rates_->flows, limit * 100, settings_.enforce_limit * 100));
    for (const auto& [key, flows] : rates_->blocked_services)
      missing.push_back(fmt::format("  {}: {}; let it pass by a rule of the policy, record more of it, or take it back",
                                    to_string(key), flows));
  }
  return progress;
}

}  // namespace spidd
