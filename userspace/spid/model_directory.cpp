// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Loading and saving a directory of model files.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <system_error>
#include <thread>
#include <tuple>

#include "userspace/base/staged_files.h"
#include "userspace/base/whole_file.h"
#include "userspace/spid/database_header.h"
#include "userspace/spid/model_file.h"

namespace spidd {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFileSize = 16U << 20;

bool is_model_file_name(std::string_view name) {
  return name.ends_with(".json") && !name.starts_with('.') && name != "provenance.json" && name != kHeaderFile;
}

// Sorted, so that errors and models come in the same order everywhere.
Result<std::vector<std::string>> list_model_files(const std::string& directory) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (!is_model_file_name(name)) continue;
    if (names.size() == kMaxModels) return fail("{}: more than {} model files", directory, kMaxModels);
    names.push_back(std::move(name));
  }
  if (error) return fail_errno(error.value(), "{}: read the directory of models", directory);
  if (names.empty()) return fail("{}: there are no model files (<label>.<transport>.json)", directory);
  std::sort(names.begin(), names.end());
  return names;
}

// `text` is scratch memory.
Result<ModelFile> load_file(const std::string& directory, const std::string& name, std::string& text) {
  const std::string path = (fs::path(directory) / name).string();
  if (const Result<void> read = read_whole_file(path, kMaxFileSize, text); !read)
    return tl::unexpected<Error>(read.error());
  Result<ModelFile> file = parse_model(text, path);
  if (!file) return file;
  const std::string expected = model_file_name(file->model);
  if (name != expected) return fail("{}: the model in it belongs in a file named {}", path, expected);
  return file;
}

// One result a name. A few threads share the work, which is almost all parsing.
std::vector<Result<ModelFile>> load_files(const std::string& directory, const std::vector<std::string>& names) {
  constexpr std::size_t kFilesPerThread = 16;
  constexpr std::size_t kMaxThreads = 8;
  const std::size_t threads = std::clamp<std::size_t>(
      names.size() / kFilesPerThread, 1, std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kMaxThreads));
  std::vector<Result<ModelFile>> files(names.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    std::string text;
    for (std::size_t i = next++; i < names.size(); i = next++) files[i] = load_file(directory, names[i], text);
  };
  std::vector<std::jthread> helpers;
  try {
    while (helpers.size() + 1 < threads) helpers.emplace_back(work);
  } catch (const std::system_error&) {
    // No more threads to be had: those there are do it.
  }
  work();
  helpers.clear();
  return files;
}

Result<void> check_saveable(const ProtocolModel& model) {
  if (!is_valid_label(model.label)) return fail("\"{}\" is not a label for a model", model.label);
  if (!is_valid_label(model.family)) return fail("\"{}\" is not a family for model {}", model.family, model.label);
  if (model.transport != model_transport(model.transport))
    return fail("{}: icmp6 shares the models of icmp", model.label);
  return {};
}

// A directory without one is of spidd 0.1 or made by hand; then the model files alone say what holds.
Result<bool> load_header(const std::string& directory, ModelDatabase& database) {
  const std::string path = (fs::path(directory) / kHeaderFile).string();
  std::error_code error;
  if (!fs::exists(path, error) && !error) return false;
  std::string text;
  if (Result<void> read = read_whole_file(path, kMaxFileSize, text); !read)
    return tl::unexpected(std::move(read).error());
  if (Result<void> parsed = parse_header(text, path, database); !parsed) return tl::unexpected(parsed.error());
  return true;
}

Result<void> stage_model(const ModelDatabase& database, const ProtocolModel& model, const std::string& directory,
                         StagedFiles& files) {
  if (Result<void> checked = check_saveable(model); !checked) return checked;
  return files.write((fs::path(directory) / model_file_name(model)).string(),
                     format_model(model, database.snap, database.rules));
}

Result<void> make_directory(const std::string& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return fail_errno(error.value(), "{}: make the directory of models", directory);
  return {};
}

Result<void> stage_header(const ModelDatabase& database, const std::string& directory, StagedFiles& files) {
  return files.write((fs::path(directory) / kHeaderFile).string(), format_header(database));
}

}  // namespace

Result<ModelDatabase> load_models(const std::string& directory, Origin origin) {
  const Result<std::vector<std::string>> names = list_model_files(directory);
  if (!names) return tl::unexpected<Error>(names.error());
  std::vector<Result<ModelFile>> files = load_files(directory, *names);

  ModelDatabase database;
  const Result<bool> header = load_header(directory, database);
  if (!header) return tl::unexpected<Error>(header.error());
  database.models.reserve(files.size());
  for (std::size_t i = 0; i < files.size(); ++i) {
    Result<ModelFile>& file = files[i];
    if (!file) return tl::unexpected<Error>(std::move(file).error());
    if (i == 0 && !*header) {
      database.snap = file->snap;
      database.rules = file->rules;
    } else if (file->snap != database.snap || file->rules != database.rules) {
      return fail("{}/{}: snap and rules differ from those of {}", directory, (*names)[i],
                  *header ? std::string(kHeaderFile) : names->front());
    }
    file->model.origin = origin;
    database.models.push_back(std::move(file->model));
  }
  std::ranges::sort(database.models, {}, [](const ProtocolModel& model) {
    return std::tuple(std::string_view(model.label), model.transport, model.view);
  });
  return database;
}

Result<void> save_models(const ModelDatabase& database, const std::string& directory) {
  if (Result<void> made = make_directory(directory); !made) return made;
  StagedFiles files;
  for (const ProtocolModel& model : database.models)
    if (Result<void> staged = stage_model(database, model, directory, files); !staged) return staged;
  if (Result<void> staged = stage_header(database, directory, files); !staged) return staged;
  return files.commit();
}

Result<void> save_changes(const ModelDatabase& before, const ModelDatabase& after, const std::string& directory) {
  if (Result<void> made = make_directory(directory); !made) return made;
  StagedFiles files;
  std::map<std::string, const ProtocolModel*> old;
  for (const ProtocolModel& model : before.models) old.emplace(model_file_name(model), &model);
  for (const ProtocolModel& model : after.models) {
    const auto same = old.find(model_file_name(model));
    const bool unchanged = same != old.end() && *same->second == model;
    if (same != old.end()) old.erase(same);
    if (unchanged) continue;
    if (Result<void> staged = stage_model(after, model, directory, files); !staged) return staged;
  }
  for (const auto& [name, model] : old) files.remove((fs::path(directory) / name).string());
  if (Result<void> staged = stage_header(after, directory, files); !staged) return staged;
  return files.commit();
}

}  // namespace spidd
