// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What administrators do with models: put them together, rename, forget, take in those of others. Changes of a database
// in memory; save_changes() brings them to disk. An error leaves the database in no useful state: work on a copy.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "userspace/spid/protocol_model.h"

namespace spidd {

// A name that an administrator may give to a label or a family: valid, and none that spidd says where it has no label:
// unknown, tunnel, fully-encrypted, undecided, or the learner's own unknown-....
Result<void> check_given_name(std::string_view name);

// Puts a model where it belongs; replaces one of the same label, transport and view.
void put_model(ModelDatabase& database, ProtocolModel model);

// Adds the counts of the models of `labels` up into models of the label `into`, by transport and view; what `into` has
// already counts as well. The labels go, unless `keep` or they are `into`. Their categories must be one, and so must
// their families unless `family` says which; "" = the family of `into` if it exists, else of the labels, but the new
// label where a family was named like its only label.
Result<void> merge_models(ModelDatabase& database, std::span<const std::string> labels, const std::string& into,
                          const std::string& family, bool keep);

// The family follows if it has the label's name and no other label.
Result<void> rename_models(ModelDatabase& database, const std::string& label, const std::string& to);

// Of every view; of every transport unless one is named.
Result<void> forget_models(ModelDatabase& database, const std::string& label, std::optional<Transport> transport);

// What to do with a model that is there already.
enum class Existing { refuse, add, replace };

// Takes in models of another database, which must be measured with the same snap and rules; an empty database takes
// them over. So it does with thresholds_for, which also is taken if it fits the models that there are then.
Result<void> import_models(ModelDatabase& database, ModelDatabase other, Existing existing);

}  // namespace spidd
