// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/learning/site_store.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "userspace/base/staged_files.h"
#include "userspace/base/whole_file.h"
#include "userspace/learning/site_recorder.h"

namespace spidd {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".site";
constexpr std::string_view kRecording = "recording.site";
constexpr std::string_view kRefused = ".refused";
// What the settings allow in memory is more on the disk by nothing.
constexpr std::size_t kMostBytes = kMostSiteBytes + (kMostSiteBytes >> 2U);
constexpr std::size_t kMostFiles = 2 * kMostSiteServices;  // decisions, and what is recorded

// "192.0.2.10_443.tcp.https.site"; labels begin with a letter or digit, so that no two keys share a name.
std::string file_name(const SiteKey& key) {
  std::string name = to_string(key);
  std::ranges::replace(name, '/', '.');
  std::ranges::replace(name, ':', '_');
  std::erase_if(name, [](char c) { return c == '[' || c == ']'; });
  return name + std::string(kSuffix);
}

Result<> check_name(const SiteFile& file, const fs::path& path) {
  if (path.filename() == kRecording) {
    for (const SiteRecord& record : file.records)
      if (record.state != SiteState::recorded) return fail("{}: holds decisions among what is recorded", path.string());
    return {};
  }
  if (file.records.size() != 1 || file.records.front().state == SiteState::recorded)
    return fail("{}: is not one decision", path.string());
  if (const std::string expected = file_name(file.records.front().service.key); path.filename() != expected)
    return fail("{}: what is in it belongs in a file named {}", path.string(), expected);
  return {};
}

}  // namespace

Result<SiteStore::Contents> SiteStore::load(MeterRules rules) const {
  Contents contents;
  std::error_code code;
  if (!fs::exists(directory_, code)) return contents;
  std::vector<fs::path> paths;
  for (fs::directory_iterator entry(directory_, code), end; !code && entry != end; entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    if (!name.ends_with(kSuffix) || name.starts_with('.')) continue;
    std::error_code unknown;
    if (name == kRecording || entry->is_regular_file(unknown) || unknown) paths.push_back(entry->path());
    if (paths.size() > kMostFiles) return fail("{}: more than {} files", directory_, kMostFiles);
  }
  if (code) return fail_errno(code.value(), "{}: read the directory of the site", directory_);
  std::ranges::sort(paths);
  for (const fs::path& path : paths) {
    std::string bytes;
    if (auto read = read_whole_file(path.string(), kMostBytes, bytes); !read) {
      if (!read_only_) return error_of(read);
      contents.warnings.push_back(read.error().message);
      continue;
    }
    auto file = parse_site_file(bytes, path.string());
    if (auto good = file ? check_name(*file, path) : Result<>(tl::unexpected<Error>(file.error())); !good) {
      contents.warnings.push_back(refuse(path.string(), good.error().message));
      continue;
    }
    // A good file, only not for these models: it is not put aside.
    if (file->rules != rules)
      return fail("{}: measured by other rules than the models: record the site again", path.string());
    if (path.filename() == kRecording)
      contents.recording = std::move(*file);
    else
      contents.decided.push_back(std::move(file->records.front()));
  }
  return contents;
}

std::string SiteStore::refuse(const std::string& path, const std::string& reason) const {
  if (read_only_) return reason + "; it is left out";
  const auto aside = set_aside(path, std::string(kRefused), true);
  return aside ? fmt::format("{}; kept aside as {}", reason, *aside) : reason;
}

Result<> SiteStore::make_directory() const {
  if (read_only_) return fail("{}: it was opened to be read only", directory_);
  std::error_code code;
  fs::create_directories(directory_, code);
  if (code) return fail_errno(code.value(), "{}: make the directory of the site", directory_);
  return {};
}

Result<> SiteStore::save(std::span<const SiteRecord> records, MeterRules rules) const {
  if (auto made = make_directory(); !made) return made;
  StagedFiles files;
  for (const SiteRecord& record : records) {
    SiteFile file;
    file.rules = rules;
    file.records.push_back(record);
    const fs::path path = fs::path(directory_) / file_name(record.service.key);
    if (auto staged = files.write(path.string(), format_site_file(file)); !staged) return staged;
  }
  return files.commit();
}

Result<> SiteStore::remove(std::span<const SiteKey> keys) const {
  StagedFiles files;
  for (const SiteKey& key : keys) files.remove((fs::path(directory_) / file_name(key)).string());
  return files.commit();
}

Result<> SiteStore::save_recording(const SiteFile& file) const {
  if (auto made = make_directory(); !made) return made;
  StagedFiles files;
  const fs::path path = fs::path(directory_) / kRecording;
  const std::string bytes = format_site_file(file);
  if (bytes.size() > kMostBytes)
    return fail("{}: {} bytes are more than could be read again: it stays as it was", path.string(), bytes.size());
  if (auto staged = files.write(path.string(), bytes); !staged) return staged;
  return files.commit();
}

}  // namespace spidd
