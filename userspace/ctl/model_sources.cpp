// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/model_sources.h"

#include "userspace/daemon/config.h"
#include "userspace/learning/learner_state.h"
#include "userspace/learning/site_learning.h"

namespace spidd {
namespace {

void warn(std::string_view command, const std::string& warning) {
  fmt::print(stderr, "spidctl {}: {}\n", command, warning);
}

Result<ModelDatabase> site_models_of(const std::string& directory, MeterRules rules, std::string_view command) {
  std::vector<std::string> warnings;
  SiteSettings settings;
  settings.directory = directory;
  settings.read_only = true;
  auto site = SiteLearning::open(std::move(settings), rules, warnings);
  for (const std::string& warning : warnings) warn(command, warning);
  if (!site) return tl::unexpected<Error>(site.error());
  return site->models();
}

}  // namespace

void add_model_options(CommandLine& line) {
  line.value("models", "DIR", "directory of model files; default: the installed ones");
  line.value("site", "DIR", "use what was learned of the site, too: see 'spidctl site learn'");
  line.value("state", "DIR",
             "use what a spidd with this state directory has learned, too: of its site (unless --site "
             "says otherwise) and of unknown protocols");
}

std::string models_directory(const CommandLine& line) {
  return line.has("models") ? line.text("models") : default_models_directory();
}

Result<ModelDatabase> load_model_sources(const CommandLine& line, std::string_view command) {
  auto database = load_models(models_directory(line));
  if (!database) return database;
  ModelDatabase learned;
  learned.rules = database->rules;
  learned.snap = database->snap;
  if (line.has("state")) {
    auto protocols = read_learned_models(line.text("state"));
    if (protocols)
      learned = std::move(*protocols);
    else
      warn(command, protocols.error().message);
  }
  if (line.has("site") || line.has("state")) {
    const std::string directory = line.has("site") ? line.text("site") : line.text("state") + "/site";
    auto site = site_models_of(directory, database->rules, command);
    if (!site) return site;
    // As the daemon does: a protocol that an operator has named keeps its model.
    if (auto added = learned.append(std::move(*site)); !added) return tl::unexpected<Error>(added.error());
  }
  if (auto added = add_learned_models(*database, std::move(learned)); !added)
    return tl::unexpected<Error>(added.error());
  return database;
}

}  // namespace spidd
