// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The parts of `spidctl models` that change a directory of models, or hand models on. Each returns the exit code, and
// changes nothing if it fails.
#pragma once

#include <string>

#include "userspace/base/command_line.h"
#include "userspace/base/directory_lock.h"
#include "userspace/spid/protocol_model.h"

namespace spidd {

int models_merge(const CommandLine& line, const std::string& directory);
int models_rename(const CommandLine& line, const std::string& directory);
int models_forget(const CommandLine& line, const std::string& directory);
int models_export(const CommandLine& line, const std::string& directory);
int models_import(const CommandLine& line, const std::string& directory);

// "spidd 1.2.3": who writes database.json.
std::string models_creator();

// An error that says what to do if the models of the directory are not measured so.
Result<void> require_rules(const ModelDatabase& database, MeterRules rules, const std::string& directory);

// To be held from loading the models of a directory to saving them. Waits for others.
Result<DirectoryLock> lock_models(const std::string& directory);

// What is in the directory; an empty database if there are no models in it yet.
Result<ModelDatabase> load_models_if_any(const std::string& directory);

}  // namespace spidd
