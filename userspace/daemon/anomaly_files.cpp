// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/anomaly_files.h"

#include <algorithm>

#include "userspace/spade/survey.h"

namespace spidd {

std::string AnomalyFiles::path_of(const std::string& file) const {
  return file.find('/') == std::string::npos ? directory_ + "/" + file : file;
}

void AnomalyFiles::surveyed(const ScoreSurvey& survey, std::size_t new_rows) {
  if (survey.settings().file.empty()) return;
  const std::string path = path_of(survey.settings().file);
  const auto& rows = survey.rows();
  auto row = rows.end() - static_cast<std::ptrdiff_t>(std::min(new_rows, rows.size()));
  std::string text;
  if (begun_.insert(path).second || (row != rows.end() && row->interval == 1)) text = survey.header();
  for (; row != rows.end(); ++row) text += row->text();
  writer_.append(path, std::move(text));
}

void AnomalyFiles::write_log(const Spade& spade) {
  log_due_ = false;
  const SpadeSettings& settings = spade.settings();
  if (settings.log_file.empty()) return;
  // If too many wait, this one is among them, and has the numbers of when it is made.
  logs_.ask({kMostLines, false,
             [this, path = path_of(settings.log_file)](std::string text) { writer_.replace(path, std::move(text)); }});
}

}  // namespace spidd
