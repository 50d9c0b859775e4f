// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The commands of spidctl. Each lives in its own file command_NAME.cpp and stands in the table of main.cpp.
//
// A command declares its options with CommandLine("spidctl NAME", ...), parses arguments.words and returns kExitDone,
// kExitFailed or kExitUsage. What it was asked for goes to standard output; errors go to standard error through
// report_failure().
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/command_line.h"
#include "userspace/base/result.h"

namespace spidd {

struct CommandArguments {
  std::string socket_path;         // --socket, else the default
  std::vector<std::string> words;  // what follows the command's name
};

using CommandFunction = int (*)(const CommandArguments& arguments);

int command_alerts(const CommandArguments& arguments);
int command_analyze(const CommandArguments& arguments);
int command_block(const CommandArguments& arguments);
int command_drops(const CommandArguments& arguments);
int command_eval(const CommandArguments& arguments);
int command_explain(const CommandArguments& arguments);
int command_flows(const CommandArguments& arguments);
int command_learn(const CommandArguments& arguments);
int command_metrics(const CommandArguments& arguments);
int command_models(const CommandArguments& arguments);
int command_policy(const CommandArguments& arguments);
int command_ports(const CommandArguments& arguments);
int command_site(const CommandArguments& arguments);
int command_spade(const CommandArguments& arguments);
int command_status(const CommandArguments& arguments);
int command_train(const CommandArguments& arguments);
int command_unblock(const CommandArguments& arguments);
int command_version(const CommandArguments& arguments);

// Prints "spidctl COMMAND: MESSAGE" to standard error; returns kExitFailed.
int report_failure(std::string_view command, const Error& error);

}  // namespace spidd
