// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/eval_pictures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

namespace spidd {
namespace {

constexpr float kLeastScore = -4;  // left edge of the first bin
constexpr float kBinWidth = 0.5F;
constexpr int kCell = 9;
constexpr int kMargin = 130;  // for the names beside the matrix

std::array<double, kScoreBins> shares_of(const std::vector<float>& scores) {
  std::array<double, kScoreBins> shares{};
  for (const float score : scores) shares[score_bin(score)] += 1 / static_cast<double>(scores.size());
  return shares;
}

}  // namespace

std::string html_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
  }
  return escaped;
}

std::size_t score_bin(float score) {
  const float bin = std::floor((score - kLeastScore) / kBinWidth);
  return static_cast<std::size_t>(std::clamp(bin, 0.0F, static_cast<float>(kScoreBins - 1)));
}

std::string confusion_picture(const std::vector<ConfusionCell>& cells) {
  std::map<std::string, std::uint64_t> flows_of;
  std::set<std::string> names;
  for (const ConfusionCell& cell : cells) {
    flows_of[cell.truth] += cell.flows;
    names.insert(cell.truth);
    if (!cell.named.empty()) names.insert(cell.named);
  }
  std::map<std::string, int> column_of;
  std::map<std::string, int> row_of;
  for (const std::string& name : names) column_of.emplace(name, static_cast<int>(column_of.size()));
  for (const auto& [name, flows] : flows_of) row_of.emplace(name, static_cast<int>(row_of.size()));
  const int none = static_cast<int>(column_of.size());
  const int width = kMargin + (none + 2) * kCell;
  const int height = kMargin + static_cast<int>(row_of.size() + 1) * kCell;
  std::string svg = fmt::format(
      "<svg class=\"matrix\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" "
      "aria-label=\"confusion matrix\">\n",
      width, height);
  const auto column_text = [&](std::string_view name, int column) {
    const int x = kMargin + column * kCell + kCell - 2;
    svg +=
        fmt::format("<text transform=\"translate({},{}) rotate(-90)\">{}</text>\n", x, kMargin - 4, html_escaped(name));
  };
  for (const auto& [name, column] : column_of) column_text(name, column);
  column_text("no name", none + 1);
  for (const auto& [name, row] : row_of)
    svg += fmt::format(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n<line x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>\n",
        kMargin - 4, kMargin + row * kCell + kCell - 2, html_escaped(name), kMargin, width, kMargin + row * kCell,
        kMargin + row * kCell);
  for (const ConfusionCell& cell : cells) {
    const double share = static_cast<double>(cell.flows) / static_cast<double>(flows_of[cell.truth]);
    const int column = cell.named.empty() ? none + 1 : column_of[cell.named];
    svg += fmt::format(
        "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill-opacity=\"{:.2f}\"><title>{} named {}: "
        "{} of "
        "{} flows, {:.1f} %</title></rect>\n",
        cell.right() ? "right" : "wrong", kMargin + column * kCell, kMargin + row_of[cell.truth] * kCell, kCell - 1,
        kCell - 1, 0.15 + 0.85 * share, html_escaped(cell.truth),
        cell.named.empty() ? "nothing" : html_escaped(cell.named), cell.flows, flows_of[cell.truth], 100 * share);
  }
  return svg + "</svg>\n";
}

std::string score_picture(const ScoreReport& scores) {
  constexpr int kBar = 9;
  constexpr int kHeight = 60;
  constexpr int kWidth = static_cast<int>(kScoreBins) * kBar;
  const auto own = shares_of(scores.own);
  const auto rival = shares_of(scores.rival);
  const double most = std::max({std::ranges::max(own), std::ranges::max(rival), 1e-9});
  std::string svg = fmt::format(
      "<svg class=\"scores\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\" aria-label=\"scores of "
      "{2}\">\n",
      kWidth, kHeight + 14, html_escaped(scores.label));
  const auto bars = [&](const char* kind, const std::array<double, kScoreBins>& shares, int offset) {
    for (std::size_t bin = 0; bin < kScoreBins; ++bin) {
      if (shares[bin] == 0) continue;
      const double height = kHeight * shares[bin] / most;
      svg += fmt::format(
          "<rect class=\"{}\" x=\"{}\" y=\"{:.1f}\" width=\"{}\" height=\"{:.1f}\"><title>{} {:.1f} to {:.1f} bits: "
          "{:.1f} "
          "%</title></rect>\n",
          kind, static_cast<int>(bin) * kBar + offset, kHeight - height, kBar / 2, height, kind,
          kLeastScore + static_cast<float>(bin) * kBinWidth, kLeastScore + static_cast<float>(bin + 1) * kBinWidth,
          100 * shares[bin]);
    }
  };
  bars("own", own, 0);
  bars("rival", rival, kBar / 2);
  svg += fmt::format("<line x1=\"0\" x2=\"{0}\" y1=\"{1}\" y2=\"{1}\"/>\n", kWidth, kHeight);
  for (int bits = -4; bits <= 8; bits += 2) {
    const int x = std::min(kWidth - 8, static_cast<int>((static_cast<float>(bits) - kLeastScore) / kBinWidth) * kBar);
    svg += fmt::format("<text x=\"{}\" y=\"{}\">{}</text>\n", x, kHeight + 11, bits);
  }
  return svg + "</svg>\n";
}

}  // namespace spidd
