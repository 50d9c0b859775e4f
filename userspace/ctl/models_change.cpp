// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/models_change.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>

#include "userspace/base/staged_files.h"
#include "userspace/base/whole_file.h"
#include "userspace/ctl/command.h"
#include "userspace/spid/database_header.h"
#include "userspace/spid/model_edit.h"
#include "userspace/spid/model_exchange.h"

namespace spidd {
namespace {

constexpr const char* kCommand = "models";

// Loads, changes a copy, writes what differs.
int change(const std::string& directory, const std::function<Result<void>(ModelDatabase&)>& edit, bool may_be_new) {
  DirectoryLock lock;
  std::error_code ignored;
  if (may_be_new || std::filesystem::is_directory(directory, ignored)) {
    auto taken = lock_models(directory);
    if (!taken) return report_failure(kCommand, taken.error());
    lock = std::move(*taken);
  }
  const auto before = may_be_new ? load_models_if_any(directory) : load_models(directory);
  if (!before) return report_failure(kCommand, before.error());
  ModelDatabase after = *before;
  after.creator = models_creator();
  if (const auto edited = edit(after); !edited) return report_failure(kCommand, edited.error());
  if (after.models.empty())
    return report_failure(kCommand, Error{"these are all models there are: remove the directory instead"});
  if (const auto saved = save_changes(*before, after, directory); !saved)
    return report_failure(kCommand, saved.error());
  return kExitDone;
}

Result<std::optional<Transport>> transport_of(const CommandLine& line) {
  if (!line.has("transport")) return std::optional<Transport>();
  const auto transport = parse_transport(line.text("transport"));
  if (!transport) return tl::unexpected(transport.error());
  return std::optional(*transport);
}

Result<ModelDefaults> defaults_of(const CommandLine& line) {
  ModelDefaults defaults;
  defaults.family = line.text("family");
  if (!defaults.family.empty() && !is_valid_label(defaults.family)) return fail("--family: not a family");
  const auto transport = transport_of(line);
  if (!transport) return tl::unexpected(transport.error());
  defaults.transport = *transport;
  if (line.has("category")) {
    const auto category = parse_category(line.text("category"));
    if (!category) return tl::unexpected(category.error());
    defaults.category = *category;
  }
  return defaults;
}

Result<std::map<std::string, std::string>> renames_of(const CommandLine& line) {
  std::map<std::string, std::string> renames;
  for (const std::string& rename : line.texts("rename")) {
    const std::size_t equals = rename.find('=');
    if (equals == std::string::npos) return fail("--rename {}: not LABEL=NEW", rename);
    renames[rename.substr(0, equals)] = rename.substr(equals + 1);
  }
  return renames;
}

// Keeps the labels asked for, under the names asked for.
Result<void> choose(const CommandLine& line, ModelDatabase& models) {
  const auto wanted = line.texts("only");
  for (const std::string& label : wanted)
    if (std::ranges::find(models.models, label, &ProtocolModel::label) == models.models.end())
      return fail("there is no model '{}' in the file", label);
  if (!wanted.empty())
    std::erase_if(models.models,
                  [&](const ProtocolModel& model) { return std::ranges::find(wanted, model.label) == wanted.end(); });
  const auto renames = renames_of(line);
  if (!renames) return tl::unexpected(renames.error());
  for (const auto& [from, to] : *renames)
    if (const auto renamed = rename_models(models, from, to); !renamed) return renamed;
  return {};
}

Result<ReadModels> read_exchange(const CommandLine& line, const std::string& path) {
  const std::string format = line.text("format");
  if (format != "auto" && format != "json" && format != "xml") return fail("--format: json, xml or auto");
  const auto defaults = defaults_of(line);
  if (!defaults) return tl::unexpected(defaults.error());
  std::string text;
  if (const auto read = read_whole_file(path, kMaxExchangeSize, text); !read) return tl::unexpected(read.error());
  if (format == "xml" || (format == "auto" && looks_like_xml(text))) return parse_models_xml(text, path, *defaults);
  return parse_models_json(text, path);
}

std::string count_text(const ModelDatabase& models) {
  return fmt::format("{} model{}", models.models.size(), models.models.size() == 1 ? "" : "s");
}

}  // namespace

Result<DirectoryLock> lock_models(const std::string& directory) {
  return DirectoryLock::take(directory, std::chrono::minutes(1));
}

std::string models_creator() { return fmt::format("spidd {}", SPIDD_VERSION); }

Result<void> require_rules(const ModelDatabase& database, MeterRules rules, const std::string& directory) {
  if (database.rules == rules && rules == MeterRules::strict && database.snap != kStrictSnap)
    return fail("{}: its models know {} bytes of a payload, the original all: make some with 'spidctl train --strict'",
                directory, database.snap);
  if (database.rules == rules) return {};
  if (rules == MeterRules::strict)
    return fail("{}: its models are not strict: make some with 'spidctl train --strict'", directory);
  return fail("{}: its models are strict, measured as SPID 0.4.6 does: say --strict", directory);
}

Result<ModelDatabase> load_models_if_any(const std::string& directory) {
  std::error_code ignored;  // a directory that cannot be read gets its message when it is written to
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored))
    if (entry.path().extension() == ".json" && entry.path().filename() != kHeaderFile) return load_models(directory);
  return ModelDatabase{};
}

int models_merge(const CommandLine& line, const std::string& directory) {
  if (!line.has("into")) return line.usage_error("--into is missing: which label has the sum?");
  const std::vector<std::string> labels(line.positionals().begin() + 1, line.positionals().end());
  return change(
      directory,
      [&](ModelDatabase& models) {
        return merge_models(models, labels, line.text("into"), line.text("family"), line.has("keep"));
      },
      false);
}

int models_rename(const CommandLine& line, const std::string& directory) {
  const auto& words = line.positionals();
  return change(
      directory, [&](ModelDatabase& models) { return rename_models(models, words[1], words[2]); }, false);
}

int models_forget(const CommandLine& line, const std::string& directory) {
  const auto transport = transport_of(line);
  if (!transport) return line.usage_error(transport.error().message);
  return change(
      directory, [&](ModelDatabase& models) { return forget_models(models, line.positionals()[1], *transport); },
      false);
}

int models_export(const CommandLine& line, const std::string& directory) {
  const std::string& label = line.positionals()[1];
  const std::string& path = line.positionals()[2];
  std::string format = line.text("format");
  if (format == "auto") format = path.ends_with(".xml") ? "xml" : "json";
  if (format != "json" && format != "xml") return line.usage_error("--format: json or xml");
  auto models = load_models(directory);
  if (!models) return report_failure(kCommand, models.error());
  if (label != "all") std::erase_if(models->models, [&](const ProtocolModel& model) { return model.label != label; });
  if (models->models.empty()) return report_failure(kCommand, Error{fmt::format("there is no model '{}'", label)});
  const std::size_t one_way = line.has("one-way") ? 0 : std::erase_if(models->models, [](const ProtocolModel& model) {
    return model.view != View::both;
  });
  if (one_way > 0)
    fmt::print(stderr, "spidctl models: {} models of single directions are left out: --one-way takes them along\n",
               one_way);
  if (models->models.empty()) return report_failure(kCommand, Error{"nothing is left to write"});
  if (line.has("all-meters") && format != "xml") return line.usage_error("--all-meters is of XML: JSON has all meters");
  const XmlMeters meters = line.has("all-meters") ? XmlMeters::all : XmlMeters::original;
  if (format == "xml" && meters == XmlMeters::original)
    fmt::print(stderr,
               "spidctl models: the {} meters that SPID 0.4.6 has not are left out: --all-meters takes them along\n",
               kMeterCount - kOriginalMeterCount);
  const std::string text = format == "xml" ? format_models_xml(*models, meters) : format_models_json(*models);
  if (path == "-") return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? kExitDone : kExitFailed;
  if (const auto written = write_whole_file(path, text); !written) return report_failure(kCommand, written.error());
  fmt::print("{} written to {}\n", count_text(*models), path);
  return kExitDone;
}

int models_import(const CommandLine& line, const std::string& directory) {
  if (line.has("add") && line.has("replace")) return line.usage_error("--add or --replace, not both");
  auto read = read_exchange(line, line.positionals()[1]);
  if (!read) return report_failure(kCommand, read.error());
  if (const auto chosen = choose(line, read->models); !chosen) return report_failure(kCommand, chosen.error());
  const std::string imported = count_text(read->models);
  const Existing existing = line.has("add")       ? Existing::add
                            : line.has("replace") ? Existing::replace
                                                  : Existing::refuse;
  const int code = change(
      directory, [&](ModelDatabase& models) { return import_models(models, std::move(read->models), existing); }, true);
  if (code != kExitDone) return code;
  for (const std::string& note : read->notes) fmt::print(stderr, "spidctl models: {}\n", note);
  fmt::print("{} taken into {}\n", imported, directory);
  return kExitDone;
}

}  // namespace spidd
