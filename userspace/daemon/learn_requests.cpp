// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/learn_requests.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "userspace/spid/model_file.h"

namespace spidd {

namespace {

using nlohmann::ordered_json;
using Verb = LearnRequest::Verb;

constexpr std::size_t kMostQuoted = 64;

struct VerbName {
  std::string_view name;
  Verb verb;
};
constexpr std::array<VerbName, 6> kVerbs = {{{"list", Verb::list},
                                             {"show", Verb::show},
                                             {"name", Verb::name},
                                             {"merge", Verb::merge},
                                             {"forget", Verb::forget},
                                             {"export", Verb::export_model}}};

Result<std::string> text_of(const nlohmann::json& request, const char* key, bool required,
                            std::vector<std::string>& known) {
  known.emplace_back(key);
  const auto found = request.find(key);
  if (found == request.end()) {
    if (required) return fail("missing '{}'", key);
    return std::string();
  }
  if (!found->is_string()) return fail("'{}' must be a string", key);
  auto text = found->get<std::string>();
  if (text.size() > kMostQuoted) return fail("'{}' is longer than {} characters", key, kMostQuoted);
  return text;
}

std::string hex_of(std::span<const std::uint8_t> bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

std::string printable_of(std::span<const std::uint8_t> bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) text.push_back(byte >= 0x20 && byte < 0x7f ? static_cast<char>(byte) : '.');
  return text;
}

ordered_json sample_json(const SampleFlow& sample) {
  ordered_json json = {{"flow_id", sample.flow_id},
                       {"client", sample.client.to_string()},
                       {"server", sample.server.to_string()},
                       {"packets", ordered_json::array()}};
  for (const SampleFlow::Packet& packet : sample.packets)
    json["packets"].push_back({{"direction", packet.direction == Direction::to_server ? "to-server" : "to-client"},
                               {"length", packet.length},
                               {"hex", hex_of(packet.bytes)},
                               {"text", printable_of(packet.bytes)}});
  return json;
}

Result<ordered_json> done(const Result<const Cluster*>& cluster) {
  if (!cluster) return error_of(cluster);
  return cluster_json(**cluster, false);
}

Result<UnknownLearner::Naming> naming_of(const std::string& label, const LearnRequest& request,
                                         const FindLabel& find_label) {
  UnknownLearner::Naming naming{label, request.family, request.category.value_or(Category::plain)};
  const auto meaning = find_label(label);
  if (!meaning) return naming;
  if (naming.category != meaning->category && request.category)
    return fail("'{}' is known already, as {}", label, category_name(meaning->category));
  if (naming.family.empty()) naming.family = meaning->family;
  if (!request.category) naming.category = meaning->category;
  return naming;
}

ordered_json list_json(const UnknownLearner& learner) {
  ordered_json clusters = ordered_json::array();
  std::vector<const Cluster*> order;
  for (const Cluster& cluster : learner.clusters()) order.push_back(&cluster);
  std::ranges::stable_sort(order, [](const Cluster* a, const Cluster* b) {
    return a->state != b->state ? a->state > b->state : a->flows > b->flows;
  });
  for (const Cluster* cluster : order) clusters.push_back(cluster_json(*cluster, false));
  return {{"clusters", std::move(clusters)}, {"max_clusters", learner.settings().max_clusters}};
}

}  // namespace

ordered_json cluster_json(const Cluster& cluster, bool with_samples) {
  const ProtocolModel model = cluster.to_model();
  ordered_json json = {{"id", cluster.id},
                       {"name", cluster.name},
                       {"state", cluster_state_name(cluster.state)},
                       {"transport", transport_name(cluster.transport)},
                       {"family", cluster.family},
                       {"category", category_name(cluster.category)},
                       {"flows", cluster.flows},
                       {"payload_packets", cluster.payload_packets},
                       {"clients", cluster.clients.size()},
                       {"servers", cluster.server_hosts.size()},
                       {"occasions", cluster.occasions},
                       {"first_seen", format_timestamp(cluster.first_seen)},
                       {"last_seen", format_timestamp(cluster.last_seen)},
                       {"consistency", cluster.consistency},
                       {"threshold", cluster.threshold},
                       {"may_block", model.has_evidence() && !model.provisional},
                       {"evidence", model.has_evidence()},
                       {"top_servers", ordered_json::array()},
                       {"top_ports", ordered_json::array()}};
  for (const auto& entry : cluster.servers.sorted())
    json["top_servers"].push_back({{"server", entry.key.to_string()}, {"flows", entry.count}});
  for (const auto& entry : cluster.ports.sorted())
    json["top_ports"].push_back({{"port", entry.key}, {"flows", entry.count}});
  if (!with_samples) return json;
  json["samples"] = ordered_json::array();
  for (const SampleFlow& sample : cluster.samples) json["samples"].push_back(sample_json(sample));
  return json;
}

Result<LearnRequest> parse_learn_request(const nlohmann::json& request, std::vector<std::string>& known) {
  const auto verb = text_of(request, "verb", true, known);
  if (!verb) return error_of(verb);
  const auto found = std::ranges::find(kVerbs, std::string_view(*verb), &VerbName::name);
  if (found == kVerbs.end()) return fail("'verb' is list, show, name, merge, forget or export, not '{}'", *verb);
  LearnRequest result;
  result.verb = found->verb;
  const auto take = [&](const char* key, bool required, std::string& into) -> Result<> {
    auto text = text_of(request, key, required, known);
    if (!text) return error_of(text);
    into = std::move(*text);
    return {};
  };
  if (result.verb == Verb::list) return result;
  if (auto taken = take("cluster", true, result.cluster); !taken) return error_of(taken);
  if (result.verb == Verb::merge) {
    if (auto taken = take("into", true, result.into); !taken) return error_of(taken);
  }
  if (result.verb != Verb::name) return result;
  std::string category;
  if (auto taken = take("label", true, result.label); !taken) return error_of(taken);
  if (auto taken = take("family", false, result.family); !taken) return error_of(taken);
  if (auto taken = take("category", false, category); !taken) return error_of(taken);
  if (!category.empty()) {
    const auto parsed = parse_category(category);
    if (!parsed) return error_of(parsed);
    result.category = *parsed;
  }
  return result;
}

Result<ordered_json> answer_learn(UnknownLearner& learner, const LearnRequest& request, const FindLabel& find_label) {
  if (request.verb == Verb::list) return list_json(learner);
  const Cluster* const cluster = learner.find(request.cluster);
  if (cluster == nullptr) return fail("nothing learned is called '{}'", request.cluster);
  const auto name_cluster = [&](const std::string& label) -> Result<ordered_json> {
    const auto naming = naming_of(label, request, find_label);
    if (!naming) return error_of(naming);
    return done(learner.name(request.cluster, *naming));
  };
  // A label that there is, of the models of the files. A new one is given by `name`, so that a typing error confirms
  // nothing.
  const auto merge_into_label = [&]() -> Result<ordered_json> {
    if (!find_label(request.into))
      return fail(
          "neither is something learned called '{0}' nor is there a model '{0}': to confirm {1} under that new "
          "name say 'learn name {1} {0}'",
          request.into, request.cluster);
    if (cluster->state == ClusterState::confirmed)
      return fail("'{0}' is confirmed already: to give it the label {1} say 'learn name {0} {1}'", request.cluster,
                  request.into);
    return name_cluster(request.into);
  };
  switch (request.verb) {
    case Verb::list:
    case Verb::show:
      return cluster_json(*cluster, true);
    case Verb::name:
      return name_cluster(request.label);
    case Verb::merge:
      if (learner.find(request.into) != nullptr) return done(learner.merge(request.cluster, request.into));
      return merge_into_label();
    case Verb::forget: {
      ordered_json json = cluster_json(*cluster, false);
      if (auto forgotten = learner.forget(request.cluster); !forgotten) return error_of(forgotten);
      return json;
    }
    case Verb::export_model: {
      if (cluster->state == ClusterState::anonymous)
        return fail("too little was seen of {} to make a model: name it first", request.cluster);
      const ProtocolModel model = cluster->to_model();
      return ordered_json{{"file", model_file_name(model)},
                          {"text", format_model(model, kSnapLength, MeterRules::corrected)}};
    }
  }
  return fail("'{}' cannot be done", request.cluster);
}

}  // namespace spidd
