// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/daemon/anomaly_files.h"

#include <algorithm>

#include "userspace/spade/adviser.h"
#include "userspace/spade/score_log.h"
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
  std::string text = detector_log(spade.statistics());
  for (const ThresholdAdviser* adviser : spade.advisers()) text += "\n" + adviser->text();
  const StatisticsSettings& wanted = settings.statistics;
  if (wanted.entropy || wanted.unconditional || wanted.conditional)
    for (const Spade::TableView& view : spade.tables()) text += table_log(view, wanted, settings.profile, kMostLines);
  writer_.replace(path_of(settings.log_file), std::move(text));
}

}  // namespace spidd
