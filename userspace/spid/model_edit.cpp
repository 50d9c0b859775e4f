// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/model_edit.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <utility>

#include "userspace/spid/database_header.h"
#include "userspace/spid/model_file.h"

namespace spidd {
namespace {

bool has_label(const ModelDatabase& database, const std::string& label) {
  return std::ranges::find(database.models, label, &ProtocolModel::label) != database.models.end();
}

// The family is the label's own: named like it, and nobody else's.
bool own_family(const ModelDatabase& database, const std::string& label) {
  bool own = false;
  for (const ProtocolModel& model : database.models) {
    if (model.family == label && model.label != label) return false;
    own = own || (model.family == label && model.label == label);
  }
  return own;
}

std::vector<ProtocolModel> take_models(ModelDatabase& database, const std::string& label) {
  std::vector<ProtocolModel> taken;
  const auto meant = [&](const ProtocolModel& model) { return model.label == label; };
  std::ranges::copy_if(database.models, std::back_inserter(taken), meant);
  std::erase_if(database.models, meant);
  return taken;
}

Result<std::string> family_of_sum(const ModelDatabase& database, std::span<const std::string> labels,
                                  const std::string& into) {
  std::set<std::string> families;
  for (const ProtocolModel& model : database.models) {
    if (model.label == into) return model.family;
    if (std::ranges::find(labels, model.label) != labels.end()) families.insert(model.family);
  }
  if (std::ranges::all_of(labels, [&](const std::string& label) { return own_family(database, label); })) return into;
  if (families.size() == 1) return *families.begin();
  return fail("{} and {} are of different families: say --family", *families.begin(), *families.rbegin());
}

}  // namespace

Result<void> check_given_name(std::string_view name) {
  if (!is_valid_label(name))
    return fail("\"{}\" is not a label: 1 to 48 of a-z 0-9 _ . - beginning with a letter or digit", name.substr(0, 64));
  constexpr std::array<std::string_view, 4> kReserved = {"unknown", "tunnel", "fully-encrypted", "undecided"};
  if (std::ranges::find(kReserved, name) != kReserved.end() || name.starts_with("unknown-"))
    return fail("\"{}\" is what spidd says of flows without a label: choose another name", name);
  return {};
}

void put_model(ModelDatabase& database, ProtocolModel model) {
  ProtocolModel& place = database.find_or_add(model.label, model.transport, model.category, model.family, model.view);
  place = std::move(model);
}

Result<void> merge_models(ModelDatabase& database, std::span<const std::string> labels, const std::string& into,
                          const std::string& family, bool keep) {
  if (auto valid = check_given_name(into); !valid) return valid;
  if (std::set<std::string>(labels.begin(), labels.end()).size() != labels.size())
    return fail("a label is named twice");
  for (const std::string& label : labels)
    if (!has_label(database, label)) return fail("there is no model '{}'", label);
  auto found = family.empty() ? family_of_sum(database, labels, into) : Result<std::string>(family);
  if (!found) return tl::unexpected(std::move(found).error());
  if (auto valid = check_given_name(*found); !valid) return valid;

  std::vector<ProtocolModel> parts;
  for (const ProtocolModel& model : database.models)
    if (model.label != into && std::ranges::find(labels, model.label) != labels.end()) parts.push_back(model);
  const auto other = std::ranges::find_if(database.models, [&](const ProtocolModel& model) {
    const bool meant = model.label == into || std::ranges::find(labels, model.label) != labels.end();
    return meant && !parts.empty() && model.category != parts.front().category;
  });
  if (other != database.models.end())
    return fail("{} is {}, {} is {}: what they add up to is neither", parts.front().label,
                category_name(parts.front().category), other->label, category_name(other->category));
  for (const ProtocolModel& part : parts)
    database.find_or_add(into, part.transport, part.category, *found, part.view).merge(part);
  if (!keep) {
    std::erase_if(database.models, [&](const ProtocolModel& model) {
      return model.label != into && std::ranges::find(labels, model.label) != labels.end();
    });
  }
  for (ProtocolModel& model : database.models)
    if (model.label == into) model.family = *found;
  return {};
}

Result<void> rename_models(ModelDatabase& database, const std::string& label, const std::string& to) {
  if (auto valid = check_given_name(to); !valid) return valid;
  if (!has_label(database, label)) return fail("there is no model '{}'", label);
  if (has_label(database, to)) return fail("there is a model '{}' already: 'models merge' adds them up", to);
  const bool with_family = own_family(database, label);
  for (ProtocolModel& model : take_models(database, label)) {
    model.label = to;
    if (with_family && model.family == label) model.family = to;
    put_model(database, std::move(model));
  }
  return {};
}

Result<void> forget_models(ModelDatabase& database, const std::string& label, std::optional<Transport> transport) {
  const auto forgotten = std::erase_if(database.models, [&](const ProtocolModel& model) {
    return model.label == label && (!transport || model.transport == model_transport(*transport));
  });
  if (forgotten > 0) return {};
  if (transport) return fail("there is no model '{}' over {}", label, transport_name(*transport));
  return fail("there is no model '{}'", label);
}

Result<void> import_models(ModelDatabase& database, ModelDatabase other, Existing existing) {
  const bool was_empty = database.models.empty();
  if (was_empty) {
    database.snap = other.snap;
    database.rules = other.rules;
  }
  if (other.rules != database.rules)
    return fail("these models were measured with {} rules, those of the directory with {} ones",
                rules_name(other.rules), rules_name(database.rules));
  if (other.snap != database.snap)
    return fail("these models were measured with snap {}, those of the directory with {}", other.snap, database.snap);
  for (ProtocolModel& model : other.models) {
    if (auto valid = check_given_name(model.label); !valid) return valid;
    if (auto valid = check_given_name(model.family); !valid) return valid;
    const bool there = database.find(model.label, model.transport, model.view) != nullptr;
    if (there && existing == Existing::refuse)
      return fail("there is a model '{}' over {} already: --add adds the counts up, --replace takes its place",
                  model.label, transport_name(model.transport));
    if (there && existing == Existing::add) {
      const ProtocolModel& known = *database.find(model.label, model.transport, model.view);
      if (known.category != model.category)
        return fail("'{}' is {} here and {} in the file: --category says which", model.label,
                    category_name(known.category), category_name(model.category));
      database.find_or_add(model.label, model.transport, model.category, model.family, model.view).merge(model);
    } else {
      put_model(database, std::move(model));
    }
    if (database.models.size() > kMaxModels) return fail("more than {} models", kMaxModels);
  }
  if (other.thresholds_for && (was_empty || *other.thresholds_for == background_hash(database)))
    database.thresholds_for = other.thresholds_for;
  return {};
}

}  // namespace spidd
