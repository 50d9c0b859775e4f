// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The models that flows of captures are compared with: those of a directory, and what was learned beside them.
#pragma once

#include <string>

#include "userspace/base/command_line.h"
#include "userspace/spid/protocol_model.h"

namespace spidd {

// Declares --models, --site and --state.
void add_model_options(CommandLine& line);

// The directory of --models, else the installed one.
std::string models_directory(const CommandLine& line);

// Loads what they name. Changes no file; what is damaged of what was learned is left out, and said on standard error.
Result<ModelDatabase> load_model_sources(const CommandLine& line, std::string_view command);

}  // namespace spidd
