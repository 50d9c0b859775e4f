// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/explanation.h"

#include "userspace/base/result.h"
#include "userspace/ctl/text.h"
#include "userspace/report/table.h"

namespace spidd {
namespace {

using nlohmann::ordered_json;

std::string number(double value) { return fmt::format("{:.3f}", value); }

bool is_there(const ordered_json& object, const char* key) { return object.contains(key) && !object[key].is_null(); }

std::string verdict_text(const ordered_json& verdict) {
  const bool named = is_there(verdict, "label");
  std::string text = fmt::format("verdict: {}", text_at(verdict, named ? "/label" : "/state"));
  text += fmt::format(" (class {})", text_at(verdict, "/class"));
  const std::string basis = text_at(verdict, "/basis");
  if (basis == "endpoint") return text + ", as its server's other flows are: it is too short for a name of its own\n";
  if (basis == "ftp_control") return text + ", because its hosts speak FTP, whatever the scores\n";
  text += fmt::format(", after {} payload packets", number_at(verdict, "/payload_packets"));
  if (!verdict.value("final", true)) text += " and not final yet";
  if (named)
    text +=
        fmt::format(", score {}, margin {}", number(real_at(verdict, "/score")), number(real_at(verdict, "/margin")));
  return text + "\n";
}

std::string standing_text(const ordered_json& standing) {
  std::string text;
  if (is_there(standing, "label")) {
    text = fmt::format("nearest: {}, score {} of {} needed", text_at(standing, "/label"),
                       number(real_at(standing, "/score")), number(real_at(standing, "/threshold")));
    if (is_there(standing, "rival"))
      text += fmt::format(", margin {} over {}", number(real_at(standing, "/margin")), text_at(standing, "/rival"));
    if (is_there(standing, "ahead_of"))
      text += fmt::format(", lead {} of {} needed over {}", number(real_at(standing, "/lead")),
                          number(real_at(standing, "/needed_lead")), text_at(standing, "/ahead_of"));
    text += '\n';
  }
  return text + fmt::format("because: {}\n", text_at(standing, "/reason"));
}

}  // namespace

std::string explanation_text(const ordered_json& explanation) {
  const std::string best = text_at(explanation, "/best/label");
  const std::string second = text_at(explanation, "/second/label");
  std::string text = fmt::format("{} {} -> {}, {} payload packets, view {}, profile {}\n",
                                 text_at(explanation, "/proto"), text_at(explanation, "/client"),
                                 text_at(explanation, "/server"), number_at(explanation, "/payload_packets"),
                                 text_at(explanation, "/view"), text_at(explanation, "/profile"));
  if (is_there(explanation, "verdict")) text += verdict_text(explanation["verdict"]);
  if (is_there(explanation, "standing")) text += standing_text(explanation["standing"]);
  if (explanation.value("models_changed", false))
    text += "The models are others now than those that gave the verdict; what follows is by the present ones.\n";
  Table table({{"METER"},
               {"MEASUREMENTS", Align::right},
               {best, Align::right},
               {second, Align::right},
               {"DIFFERENCE", Align::right}});
  for (const ordered_json& meter : array_at(explanation, "/meters"))
    table.add({text_at(meter, "/meter"), fmt::to_string(number_at(meter, "/measurements")),
               number(real_at(meter, "/best")), number(real_at(meter, "/second")),
               number(real_at(meter, "/difference"))});
  const double best_score = real_at(explanation, "/best/score");
  const double second_score = real_at(explanation, "/second/score");
  table.add({"score", "", number(best_score), number(second_score), number(best_score - second_score)});
  table.add({"divergence", "", number(real_at(explanation, "/best/divergence")),
             number(real_at(explanation, "/second/divergence")), ""});
  return text + table.text();
}

}  // namespace spidd
