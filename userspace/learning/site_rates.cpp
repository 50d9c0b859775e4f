// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/learning/site_rates.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace spidd {

namespace {

constexpr unsigned kFolds = 4;

struct JudgedSample {
  const SiteRecord* record = nullptr;
  const SiteSample* sample = nullptr;
  unsigned flow_fold = 0;     // of clients or times within the service
  unsigned service_fold = 0;  // of the service
};

// Clients of a service to different folds; the flows of an only client by time.
void assign_folds(const SiteRecord& record, unsigned service_fold, std::vector<JudgedSample>& out) {
  std::vector<const SiteSample*> order;
  for (const SiteSample& sample : record.service.samples) order.push_back(&sample);
  std::ranges::stable_sort(order, {}, [](const SiteSample* sample) { return std::pair(sample->client, sample->time); });
  std::set<IpAddress> clients;
  for (std::size_t i = 0; i < order.size(); ++i) {
    clients.insert(order[i]->client);
    const bool several = record.service.clients.size() > 1;
    const std::size_t part = several ? clients.size() - 1 : i * kFolds / order.size();
    out.push_back({&record, order[i], static_cast<unsigned>((part + service_fold) % kFolds), service_fold});
  }
}

std::vector<JudgedSample> samples_of(const std::map<SiteKey, SiteRecord>& decided) {
  std::vector<JudgedSample> samples;
  unsigned number = 0;
  for (const auto& [key, record] : decided)
    if (record.state == SiteState::accepted) assign_folds(record, number++ % kFolds, samples);
  return samples;
}

void add_service(const SiteRecord& record, ModelDatabase& database) {
  for (std::size_t i = 0; i < record.service.learned.size(); ++i) {
    const SiteService::Learned& learned = record.service.learned[i];
    if (learned.flows == 0) continue;
    const auto view = static_cast<View>(i);
    ProtocolModel& model = database.find_or_add(record.label, record.service.key.transport, record.accepted_category,
                                                record.accepted_family, view);
    model.origin = Origin::site;
    learned.counters.add_to(model);
    model.flows += std::min(learned.flows, std::numeric_limits<std::uint32_t>::max() - model.flows);
    model.payload_packets += learned.payload_packets;
    ++model.captures;
    model.threshold = std::max(model.threshold, record.accepted_threshold);
  }
}

bool is_held_out(const JudgedSample& sample, bool by_service, unsigned fold) {
  return (by_service ? sample.service_fold : sample.flow_fold) == fold;
}

// The model as if it had seen fewer flows.
ProtocolModel scaled(const ProtocolModel& model, double factor) {
  ProtocolModel out = model;
  out.measurements = {};
  for (unsigned row = 0; row < kRowCount; ++row) {
    out.counters[row] = static_cast<std::uint32_t>(std::ceil(static_cast<double>(model.counters[row]) * factor));
    out.measurements[row / kBinsPerMeter] += out.counters[row];
  }
  out.flows = static_cast<std::uint32_t>(static_cast<double>(model.flows) * factor);
  out.payload_packets = static_cast<std::uint64_t>(static_cast<double>(model.payload_packets) * factor);
  return out;
}

// A damaged state may hold flows that the counters never saw.
bool covers(const ProtocolModel& model, const Fingerprint& flow) {
  return model.flows > 0 && model.payload_packets >= flow.payload_packets &&
         std::ranges::all_of(flow.rows, [&](const RowCount row) { return model.counters[row.row] >= row.count; });
}

// Models without the flows of a fold.
ModelDatabase models_without(const std::map<SiteKey, SiteRecord>& decided, std::span<const JudgedSample> samples,
                             bool by_service, unsigned fold, MeterRules rules) {
  ModelDatabase database;
  database.rules = rules;
  unsigned number = 0;
  for (const auto& [key, record] : decided) {
    if (record.state != SiteState::accepted) continue;
    const bool leave_out = by_service && number % kFolds == fold;
    ++number;
    if (!leave_out) add_service(record, database);
  }
  if (by_service) return database;
  Fingerprint flow;
  for (const JudgedSample& judged : samples) {
    if (judged.sample->touched || !is_held_out(judged, by_service, fold)) continue;
    judged.sample->fingerprint.unpack(flow);
    const SiteRecord& record = *judged.record;
    ProtocolModel& model = database.find_or_add(record.label, record.service.key.transport, record.accepted_category,
                                                record.accepted_family, judged.sample->view);
    if (covers(model, flow)) model.subtract(flow);
  }
  std::erase_if(database.models, [](const ProtocolModel& model) { return model.flows == 0; });
  return database;
}

}  // namespace

double upper_limit_95(std::uint64_t count, std::uint64_t total) {
  if (total == 0 || count >= total) return 1;
  // P(at most `count` of `total`) at the share p falls with p: the share where it is 5 %.
  const auto n = static_cast<double>(total);
  const auto at_most = [&](double p) {
    double sum = 0;
    for (std::uint64_t i = 0; i <= count; ++i) {
      const auto k = static_cast<double>(i);
      sum += std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) + k * std::log(p) +
                      (n - k) * std::log1p(-p));
    }
    return sum;
  };
  double low = 0;
  double high = 1;
  for (int step = 0; step < 50; ++step) {
    const double middle = (low + high) / 2;
    (at_most(middle) > 0.05 ? low : high) = middle;
  }
  return high;
}

ModelDatabase site_models(const std::map<SiteKey, SiteRecord>& decided, MeterRules rules) {
  ModelDatabase database;
  database.rules = rules;
  for (const auto& [key, record] : decided)
    if (record.state == SiteState::accepted) add_service(record, database);
  return database;
}

Result<> add_learned_models(ModelDatabase& shipped, ModelDatabase learned) {
  const auto merged = [&shipped](const ProtocolModel& site) {
    if (site.origin != Origin::site) return false;
    const auto same = std::ranges::find_if(shipped.models, [&site](const ProtocolModel& model) {
      return model.label == site.label && model.transport == site.transport && model.view == site.view;
    });
    if (same == shipped.models.end() || same->category == Category::tunnel || same->flows == 0) return false;
    const double say = std::min(1.0, static_cast<double>(same->flows) / static_cast<double>(site.flows));
    same->merge(say < 1 ? scaled(site, say) : site);
    same->origin = Origin::site;
    return true;
  };
  if (learned.rules == shipped.rules && learned.snap == shipped.snap) std::erase_if(learned.models, merged);
  return shipped.append(std::move(learned));
}

Result<SiteRates> measure_rates(const std::map<SiteKey, SiteRecord>& decided, MeterRules rules, SiteJudge& judge) {
  const std::vector<JudgedSample> samples = samples_of(decided);
  SiteRates rates;
  rates.flows = samples.size();
  Fingerprint flow;
  const auto call = [&](const JudgedSample& judged) {
    judged.sample->fingerprint.unpack(flow);
    return judge.judge(judged.record->service.key.transport, judged.sample->view, flow);
  };
  if (auto used = judge.use({}); !used) return tl::unexpected<Error>(used.error());
  for (const JudgedSample& judged : samples) {
    const SiteJudge::Call before = call(judged);
    rates.alerts_before += before.alert;
    rates.blocks_before += before.block;
  }
  for (const bool by_service : {false, true})
    for (unsigned fold = 0; fold < kFolds && !samples.empty(); ++fold) {
      if (auto used = judge.use(models_without(decided, samples, by_service, fold, rules)); !used)
        return tl::unexpected<Error>(used.error());
      for (const JudgedSample& judged : samples) {
        if (!is_held_out(judged, by_service, fold)) continue;
        const SiteJudge::Call after = call(judged);
        (by_service ? rates.alerts_elsewhere : rates.alerts_after) += after.alert;
        (by_service ? rates.blocks_elsewhere : rates.blocks_after) += after.block;
        if (!by_service && after.block) ++rates.blocked_services[judged.record->service.key];
      }
    }
  return rates;
}

}  // namespace spidd
