// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl explain: why a flow has its name, or none, and what every meter adds to the scores that decide. Of a live
// flow the daemon says it, by the models it has; of captures, and by other models, it is worked out here.
#include <algorithm>

#include "userspace/ctl/client.h"
#include "userspace/ctl/command.h"
#include "userspace/ctl/explain_input.h"
#include "userspace/ctl/explanation.h"
#include "userspace/ctl/model_sources.h"
#include "userspace/ctl/models_change.h"
#include "userspace/ctl/session_options.h"
#include "userspace/ctl/strict_analysis.h"
#include "userspace/ctl/text.h"
#include "userspace/daemon/explain_answer.h"

namespace spidd {
namespace {

using nlohmann::ordered_json;

constexpr const char* kOwnModels[] = {"models", "site", "state", "profile", "policy"};

Result<std::uint64_t> flow_id(const std::string& text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos || text.size() > 16)
    return fail("'{}' is no flow_id: 'spidctl flows --json' shows them; flows of captures need --capture", text);
  return std::stoull(text);
}

Result<ordered_json> explained_by_daemon(const CommandLine& line, const std::string& socket_path) {
  const auto id = flow_id(line.positionals()[0]);
  if (!id) return tl::unexpected<Error>(id.error());
  ordered_json request = {{"id", *id}};
  if (line.has("against")) request["against"] = line.text("against");
  return ask_daemon(socket_path, "explain", std::move(request));
}

Result<MeasuredFlow> flow_of_daemon(const CommandLine& line, const std::string& socket_path) {
  const auto id = flow_id(line.positionals()[0]);
  if (!id) return tl::unexpected<Error>(id.error());
  const auto answer = ask_daemon(socket_path, "settled_flow", {{"id", *id}});
  if (!answer) return tl::unexpected<Error>(answer.error());
  return parse_settled_flow(*answer);
}

bool is_strict(const CommandLine& line) { return line.has("strict") || line.has("strict-sessions"); }

Result<ordered_json> explained_strictly(const CaptureQuestion& question, const Matcher& matcher,
                                        const StrictSessions::Limits& limits, const std::string& against,
                                        std::string& damage) {
  const auto flow = settled_session_of_capture(question, matcher, limits, damage);
  if (!flow) return tl::unexpected<Error>(flow.error());
  const MeasuredFlow measured = measured_flow(*flow, matcher.rules());
  const ClassificationRules rules = classification_rules(matcher.profile());
  if (!is_classic(matcher.profile())) return answer_explain(matcher, rules, measured, verdict_json(*flow), against);
  const Comparison comparison = compare_any_transport(matcher, flow->fingerprint);
  return answer_explain(matcher, rules, measured, verdict_json(*flow), against, &comparison);
}

// By the models that the options name. `damage`: see settled_flow_of_capture().
Result<ordered_json> explained_here(const CommandLine& line, Profile profile, const std::string& socket_path,
                                    std::string& damage) {
  auto policy = line.has("policy") ? load_policy(line.text("policy")) : Result<Policy>(Policy());
  if (!policy) return tl::unexpected<Error>(policy.error());
  const auto database = load_model_sources(line, "explain");
  if (!database) return tl::unexpected<Error>(database.error());
  if (line.has("strict"))
    if (const auto same = require_rules(*database, MeterRules::strict, models_directory(line)); !same)
      return tl::unexpected<Error>(same.error());
  auto built = Matcher::build(*database, profile);
  if (!built) return tl::unexpected<Error>(built.error());
  const auto matcher = std::make_shared<const Matcher>(std::move(*built));
  const ClassificationRules rules = classification_rules(profile, policy->label_threshold);
  if (!line.has("capture")) {
    const auto flow = flow_of_daemon(line, socket_path);
    if (!flow) return tl::unexpected<Error>(flow.error());
    return answer_explain(*matcher, rules, *flow, nullptr, line.text("against"));
  }
  const CaptureQuestion question{line.text("capture"), line.text("filter"), line.positionals(),
                                 std::make_shared<const Policy>(std::move(*policy))};
  if (is_strict(line)) {
    const auto limits = session_limits(line);
    if (!limits) return tl::unexpected<Error>(limits.error());
    return explained_strictly(question, *matcher, *limits, line.text("against"), damage);
  }
  const auto flow = settled_flow_of_capture(question, matcher, damage);
  if (!flow) return tl::unexpected<Error>(flow.error());
  return answer_explain(*matcher, rules, measured_flow(*flow, matcher->rules()), verdict_json(*flow),
                        line.text("against"));
}

}  // namespace

int command_explain(const CommandArguments& arguments) {
  CommandLine line(
      "spidctl explain", "FLOW_ID | --capture FILE FLOW_ID | --capture FILE PROTO CLIENT SERVER",
      "Says why a flow got its name, or none: the model it is named after or that came nearest, what its\n"
      "score and its lead had to be, and what each attribute meter adds to it and to the model that stands\n"
      "against it. Without --capture the daemon says it, by the models it has in use, unless an option\n"
      "names others.");
  line.value("capture", "FILE", "the flow is in this capture; otherwise the daemon is asked for it");
  line.value("filter", "EXPRESSION", "with --capture: as analyze was given, for the same flow_id");
  add_model_options(line);
  line.value("policy", "FILE", "policy whose label_threshold holds");
  line.value("profile", "NAME", profile_names() + "; default: bg");
  line.flag("strict", "with --capture: sessions and measurements as analyze --strict has them");
  line.flag("strict-sessions", "with --capture: sessions as analyze --strict-sessions has them");
  add_session_options(line);
  line.value("against", "LABEL", "compare with this model");
  line.flag("json", "print JSON");
  line.positional("flow", 1, 3);
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  const auto profile = line.has("profile") ? parse_profile(line.text("profile")) : Profile::background;
  if (!profile) return line.usage_error(profile.error().message);
  if (!line.has("capture") && line.positionals().size() != 1) return line.usage_error("a five-tuple needs --capture");

  if (!line.has("capture") && is_strict(line)) return line.usage_error("--strict and --strict-sessions need --capture");

  std::string damage;
  const bool here =
      line.has("capture") || std::ranges::any_of(kOwnModels, [&line](const char* option) { return line.has(option); });
  const auto explanation = here ? explained_here(line, *profile, arguments.socket_path, damage)
                                : explained_by_daemon(line, arguments.socket_path);
  if (!explanation) return report_failure("explain", explanation.error());
  if (line.has("json"))
    print_json(*explanation);
  else
    fmt::print("{}", explanation_text(*explanation));
  if (!damage.empty()) return report_failure("explain", Error{damage});
  return kExitDone;
}

}  // namespace spidd
