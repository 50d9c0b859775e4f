// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl explain: what every meter adds to the scores of the best and the second best model of a flow.
#include "userspace/ctl/client.h"
#include "userspace/ctl/command.h"
#include "userspace/ctl/explain_input.h"
#include "userspace/ctl/explanation.h"
#include "userspace/ctl/text.h"
#include "userspace/daemon/config.h"

namespace spidd {
namespace {

Result<MeasuredFlow> ask_for_flow(const std::string& socket_path, const std::string& id_text) {
  const auto answer = [&]() -> Result<nlohmann::ordered_json> {
    if (id_text.empty() || id_text.find_first_not_of("0123456789") != std::string::npos || id_text.size() > 16)
      return fail("'{}' is no flow_id: 'spidctl flows --json' shows them; flows of captures need --capture", id_text);
    return ask_daemon(socket_path, "settled_flow", {{"id", std::stoull(id_text)}});
  }();
  if (!answer) return tl::unexpected(answer.error());
  return parse_settled_flow(*answer);
}

}  // namespace

int command_explain(const CommandArguments& arguments) {
  CommandLine line(
      "spidctl explain", "FLOW_ID | --capture FILE FLOW_ID | --capture FILE PROTO CLIENT SERVER",
      "Says why a flow got its name: what each attribute meter adds to the score of the best model, and of "
      "the best model of another family.");
  line.value("capture", "FILE", "the flow is in this capture; otherwise the daemon is asked for it");
  line.value("filter", "EXPRESSION", "with --capture: as analyze was given, for the same flow_id");
  line.value("models", "DIR", "directory of model files; default: the installed ones");
  line.value("profile", "NAME", profile_names(), "bg");
  line.value("against", "LABEL", "compare the best model with this one");
  line.flag("json", "print JSON");
  line.positional("flow", 1, 3);
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  const auto profile = parse_profile(line.text("profile"));
  if (!profile) return line.usage_error(profile.error().message);
  if (!line.has("capture") && line.positionals().size() != 1) return line.usage_error("a five-tuple needs --capture");

  const auto database = load_models(line.has("models") ? line.text("models") : default_models_directory());
  if (!database) return report_failure("explain", database.error());
  auto built = Matcher::build(*database, *profile);
  if (!built) return report_failure("explain", built.error());
  const auto matcher = std::make_shared<const Matcher>(std::move(*built));
  std::string damage;
  const CaptureQuestion question{line.text("capture"), line.text("filter"), line.positionals()};
  const auto flow = line.has("capture") ? measure_flow_of_capture(question, matcher, damage)
                                        : ask_for_flow(arguments.socket_path, line.positionals()[0]);
  if (!flow) return report_failure("explain", flow.error());
  const auto explanation = explain_flow(*matcher, *database, *flow, line.text("against"));
  if (!explanation) return report_failure("explain", explanation.error());
  if (line.has("json"))
    print_json(explanation_json(*explanation, *matcher, *flow));
  else
    fmt::print("{}", explanation_text(*explanation, *matcher, *flow));
  if (!damage.empty()) return report_failure("explain", Error{damage});
  return kExitDone;
}

}  // namespace spidd
