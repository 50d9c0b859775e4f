// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What `spidctl learn` asks for, and the answers: of a running spidd, and of `spidctl analyze --learn`.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "userspace/learning/unknown_learner.h"

namespace spidd {

struct LearnRequest {
  enum class Verb : std::uint8_t { list, show, name, merge, forget, export_model };
  Verb verb = Verb::list;
  std::string cluster;               // all but list: "unknown-3fa2", "#12"
  std::string label;                 // name
  std::string family;                // name; "" = that of the label's model, else the label
  std::optional<Category> category;  // name; none = that of the label's model, else plain
  std::string into;                  // merge: a cluster, or a label to name it by
};

// Reads the members of a request: {"verb":"name","cluster":"unknown-3fa2","label":"leafcast"}. Hostile. `known` gets
// the keys that belong to it.
Result<LearnRequest> parse_learn_request(const nlohmann::json& request, std::vector<std::string>& known);

// What the models say of a label that is known already.
struct KnownLabel {
  std::string family;
  Category category = Category::plain;
};
using FindLabel = std::function<std::optional<KnownLabel>(std::string_view label)>;

// Does what is asked for. Results: list: {"clusters":[...],"max_clusters":64}; export_model: {"file":name,"text":the
// model file}; else the cluster that it was done to.
Result<nlohmann::ordered_json> answer_learn(UnknownLearner& learner, const LearnRequest& request,
                                            const FindLabel& find_label);

// {"id":12,"name":"unknown-3fa2","state":"provisional",...}; with its samples if wanted.
nlohmann::ordered_json cluster_json(const Cluster& cluster, bool with_samples);

}  // namespace spidd
