// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The files that SPADE keeps for people to read: its log, written whole, and surveys, a line an interval. Source:
// spade.md 7.7, 7.9. Made on the thread of the watch, written by another.
#pragma once

#include <set>
#include <string>

#include "userspace/daemon/file_writer.h"
#include "userspace/daemon/score_logs.h"
#include "userspace/spade/spade.h"

namespace spidd {

class AnomalyFiles {
 public:
  // Names without a slash are files in `directory`.
  explicit AnomalyFiles(std::string directory) : directory_(std::move(directory)) {}

  // The survey has `new_rows` more rows. Its header comes with the first since the start, of the survey or of spidd.
  void surveyed(const ScoreSurvey& survey, std::size_t new_rows);
  // An adviser is done: the log is due. Not written at once, for SPADE is at work.
  void advised() { log_due_ = true; }
  bool log_due() const { return log_due_; }

  // If the settings name a file: as soon as logs() has made it. At most kMostLines of every table's statistics.
  void write_log(const Spade& spade);
  ScoreLogs& logs() { return logs_; }

  FileWriter& writer() { return writer_; }
  const FileWriter& writer() const { return writer_; }

 private:
  static constexpr std::size_t kMostLines = 20000;

  std::string path_of(const std::string& file) const;

  std::string directory_;
  std::set<std::string> begun_;  // survey files that have a header
  bool log_due_ = false;
  FileWriter writer_;
  ScoreLogs logs_;  // writes with the one above
};

}  // namespace spidd
