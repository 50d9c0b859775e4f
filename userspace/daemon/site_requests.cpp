// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/site_requests.h"

#include <algorithm>
#include <array>

#include "userspace/daemon/protocol.h"

namespace spidd {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using Verb = SiteRequest::Verb;

constexpr std::array<std::string_view, 8> kVerbNames = {"status", "record", "stop", "review",
                                                        "accept", "reject", "undo", "forget"};
constexpr std::size_t kMostServices = 4096;  // named in one request

// "" if the key is missing.
Result<std::string> text_of(const json& request, const char* key, std::vector<std::string>& known) {
  known.emplace_back(key);
  const auto found = request.find(key);
  if (found == request.end()) return std::string();
  if (!found->is_string()) return fail("'{}' must be a string", key);
  return found->get<std::string>();
}

Result<std::vector<SiteSelector>> services_of(const json& request, std::vector<std::string>& known) {
  known.emplace_back("services");
  std::vector<SiteSelector> services;
  const auto found = request.find("services");
  if (found == request.end()) return services;
  if (!found->is_array() || found->size() > kMostServices)
    return fail("'services' must be a list of at most {}", kMostServices);
  for (const json& text : *found) {
    if (!text.is_string()) return fail("'services' must hold strings");
    auto selector = parse_site_selector(text.get_ref<const std::string&>());
    if (!selector) return error_of(selector);
    services.push_back(std::move(*selector));
  }
  return services;
}

Result<> read_accept(const json& request, std::vector<std::string>& known, SiteRequest& out) {
  known.emplace_back("all_clear");
  if (const auto found = request.find("all_clear"); found != request.end()) {
    if (!found->is_boolean()) return fail("'all_clear' must be true or false");
    out.selection.all_clear = found->get<bool>();
  }
  auto label = text_of(request, "label", known);
  if (!label) return error_of(label);
  auto as = text_of(request, "as", known);
  if (!as) return error_of(as);
  const auto category = text_of(request, "category", known);
  if (!category) return error_of(category);
  if (!as->empty() && !is_valid_label(*as)) return fail("'{}' is not a label", as->substr(0, 64));
  if (!category->empty()) {
    const auto parsed = parse_category(*category);
    if (!parsed) return error_of(parsed);
    out.naming.category = *parsed;
  }
  out.selection.label = std::move(*label);
  out.naming.label = std::move(*as);
  if (out.selection.services.empty() && !out.selection.all_clear && out.selection.label.empty())
    return fail("nothing to accept: name services, a label, or all that is clear");
  return {};
}

ordered_json key_json(const SiteKey& key) {
  ordered_json out = {{"service", to_string(key)}, {"server_ip", key.server.address.to_string()}};
  if (key.transport == Transport::tcp || key.transport == Transport::udp) out["server_port"] = key.server.port;
  out["proto"] = transport_name(key.transport);
  out["label"] = key.label;
  return out;
}

ordered_json row_json(const SiteReviewRow& row) {
  const SiteService& service = *row.service;
  ordered_json out = key_json(service.key);
  if (!service.family.empty()) {
    out["family"] = service.family;
    out["category"] = category_name(service.category);
  }
  out["state"] = site_state_name(row.state);
  out["flows"] = service.flows;
  out["learned_flows"] = service.learned_flows();
  out["touched"] = service.touched;
  out["tunnel_alerts"] = service.tunnel_alerts;
  out["tunnel_near"] = service.tunnel_near;
  out["clients"] = service.clients.size();
  out["more_clients"] = service.more_clients;
  out["score_mean"] = service.mean_score();
  out["score_min"] = service.score_min;
  out["tunnel_margin_mean"] = service.mean_tunnel_margin();
  out["tunnel_margin_max"] = service.tunnel_margin_max;
  out["first"] = format_timestamp(service.first);
  out["last"] = format_timestamp(service.last);
  out["clear"] = row.is_clear();
  out["looks_like_tunnel"] = row.looks_like_tunnel();
  out["doubts"] = ordered_json::array();
  for (const SiteDoubt doubt : row.doubts)
    out["doubts"].push_back({{"doubt", site_doubt_name(doubt)}, {"reason", reason_of(doubt, service)}});
  return out;
}

ordered_json review_json(const SiteLearning& site, std::size_t limit) {
  const std::vector<SiteReviewRow> rows = site.review();
  ordered_json out = {{"recorded", rows.size()}, {"services", ordered_json::array()}};
  for (std::size_t i = 0; i < std::min(limit, rows.size()); ++i) out["services"].push_back(row_json(rows[i]));
  out["decided"] = ordered_json::array();
  for (const auto& [key, record] : site.decided()) {
    if (out["decided"].size() >= limit) break;
    ordered_json decision = key_json(key);
    decision["state"] = site_state_name(record.state);
    if (record.state == SiteState::accepted) {
      decision["as"] = record.label;
      decision["flows"] = record.service.learned_flows();
    }
    decision["time"] = format_timestamp(record.decided);
    out["decided"].push_back(std::move(decision));
  }
  return out;
}

ordered_json rates_json(const SiteRates& rates) {
  const auto share = [&](std::uint64_t alerts, std::uint64_t blocks) {
    return ordered_json{{"alerts", alerts},
                        {"alerts_at_most", upper_limit_95(alerts, rates.flows)},
                        {"blocks", blocks},
                        {"blocks_at_most", upper_limit_95(blocks, rates.flows)}};
  };
  return {{"flows", rates.flows},
          {"before", share(rates.alerts_before, rates.blocks_before)},
          {"after", share(rates.alerts_after, rates.blocks_after)},
          {"new_services", share(rates.alerts_elsewhere, rates.blocks_elsewhere)}};
}

ordered_json status_json(const SiteLearning& site, Timestamp now) {
  const SiteProgress progress = site.progress();
  const SiteRecorder& recorder = site.recorder();
  const SiteRecorderCounters& counters = recorder.counters();
  std::uint64_t flows = 0;
  std::uint64_t touched = 0;
  for (const auto& [key, service] : recorder.services()) {
    flows += service.flows;
    touched += service.touched;
  }
  ordered_json out = {{"recording", recorder.recording(now)}};
  if (recorder.since() != Timestamp{}) {
    out["since"] = format_timestamp(recorder.since());
    out["until"] = recorder.until() == Timestamp::max() ? "" : format_timestamp(recorder.until());
  }
  out["recorded"] = {{"services", recorder.services().size()},
                     {"flows", flows},
                     {"touched", touched},
                     {"bytes", recorder.bytes()},
                     {"most_bytes", site.settings().limits.memory_bytes}};
  out["given_up"] = {{"services", counters.services_evicted}, {"flows", counters.flows_evicted}};
  out["accepted"] = {{"services", progress.accepted_services},
                     {"flows", progress.accepted_flows},
                     {"counted_flows", progress.counted_flows},
                     {"needed_flows", site.settings().enforce_flows},
                     {"families", progress.families}};
  out["rejected"] = {{"services", site.decided().size() - progress.accepted_services}};
  out["unreviewed"] = {{"services", progress.unreviewed}};
  out["rates"] = progress.rates ? rates_json(*progress.rates) : ordered_json(nullptr);
  out["ready"] = progress.ready();
  out["missing"] = progress.missing;
  return out;
}

ordered_json outcome_json(const SiteLearning& site, const SiteOutcome& outcome, Timestamp now) {
  ordered_json out = {{"services", ordered_json::array()}, {"flows", outcome.flows}, {"refused", outcome.refused}};
  for (const SiteKey& key : outcome.services) out["services"].push_back(to_string(key));
  out["status"] = status_json(site, now);
  return out;
}

}  // namespace

std::string_view site_verb_name(Verb verb) { return kVerbNames[static_cast<std::size_t>(verb)]; }

Result<SiteRequest> parse_site_request(const json& request, std::vector<std::string>& known) {
  const auto word = text_of(request, "verb", known);
  if (!word) return error_of(word);
  const auto name = std::ranges::find(kVerbNames, std::string_view(*word));
  if (name == kVerbNames.end()) return fail("'{}' is nothing that can be done with the site", word->substr(0, 64));
  SiteRequest out;
  out.verb = static_cast<Verb>(name - kVerbNames.begin());
  switch (out.verb) {
    case Verb::status:
    case Verb::stop:
      break;
    case Verb::review: {
      known.emplace_back("limit");
      const auto limit = request.find("limit");
      if (limit == request.end()) break;
      if (!limit->is_number_unsigned() || *limit < 1 || *limit > kMostRows)
        return fail("'limit' must be 1 to {}", kMostRows);
      out.limit = limit->get<std::size_t>();
      break;
    }
    case Verb::record: {
      const auto length = text_of(request, "for", known);
      if (!length) return error_of(length);
      const auto duration = parse_duration(*length);
      if (!duration) return error_of(duration);
      if (*duration <= Duration::zero()) return fail("'for' must be longer than nothing");
      out.length = *duration;
      break;
    }
    default: {
      auto services = services_of(request, known);
      if (!services) return error_of(services);
      out.selection.services = std::move(*services);
      if (out.verb == Verb::accept) {
        if (auto read = read_accept(request, known, out); !read) return error_of(read);
      } else if (out.selection.services.empty()) {
        return fail("'services' names none");
      }
    }
  }
  return out;
}

Result<> measure_site(SiteLearning& site, const LoadSiteJudge& load) {
  const SiteProgress progress = site.progress();
  if (progress.rates || progress.accepted_services == 0) return {};
  auto judge = load();
  if (!judge) return error_of(judge);
  return site.measure(**judge);
}

Result<ordered_json> answer_site(SiteLearning& site, const SiteRequest& request, const LoadSiteJudge& load,
                                 Timestamp now, bool& models_changed) {
  SiteOutcome outcome;
  switch (request.verb) {
    case Verb::status:
      break;
    case Verb::review:
      return review_json(site, request.limit);
    case Verb::record:
      if (auto done = site.record(now, request.length); !done) return error_of(done);
      break;
    case Verb::stop:
      if (auto done = site.stop(now); !done) return error_of(done);
      break;
    case Verb::accept: {
      auto judge = load();
      if (!judge) return error_of(judge);
      outcome = site.accept(request.selection, request.naming, (*judge)->shipped(), now);
      break;
    }
    case Verb::reject:
      outcome = site.reject(request.selection.services, now);
      break;
    case Verb::undo:
      outcome = site.undo(request.selection.services);
      break;
    case Verb::forget:
      outcome = site.forget(request.selection.services);
      break;
  }
  if (!outcome.services.empty()) models_changed = true;
  if (auto measured = measure_site(site, load); !measured) return error_of(measured);
  if (request.verb >= Verb::accept) return outcome_json(site, outcome, now);
  return status_json(site, now);
}

}  // namespace spidd
