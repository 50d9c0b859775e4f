// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The site's services on disk: each one that was accepted or rejected in a file of its own, and one file of what is
// being recorded. Files are replaced whole, so that a crash leaves the old one or the new one.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "userspace/learning/site_file.h"

namespace spidd {

class SiteStore {
 public:
  // `directory` is made when something is written.
  // For a reader nothing is moved.
  SiteStore(std::string directory, bool read_only) : directory_(std::move(directory)), read_only_(read_only) {}

  struct Contents {
    SiteFile recording;  // empty if there is none
    std::vector<SiteRecord> decided;
    std::vector<std::string> warnings;  // one for each file that was refused
  };
  // Files that cannot be used (damaged, hostile) are refused, and kept aside as "NAME.refused" unless this is for a
  // reader. An error: something cannot be read, which may not be overwritten then (a reader does without it); or it was
  // measured by other rules.
  Result<Contents> load(MeterRules rules) const;

  // All or, short of losing power, none: a decision on many services is made at once.
  Result<> save(std::span<const SiteRecord> records, MeterRules rules) const;
  Result<> remove(std::span<const SiteKey> keys) const;
  Result<> save_recording(const SiteFile& file) const;

  const std::string& directory() const { return directory_; }

 private:
  Result<> make_directory() const;
  std::string refuse(const std::string& path, const std::string& reason) const;

  std::string directory_;
  bool read_only_;
};

}  // namespace spidd
