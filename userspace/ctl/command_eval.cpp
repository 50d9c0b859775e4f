// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl eval: how right names and tunnel alerts would be, from labelled captures.
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>

#include "userspace/base/staged_files.h"
#include "userspace/ctl/command.h"
#include "userspace/ctl/eval_report.h"
#include "userspace/ctl/models_change.h"
#include "userspace/ctl/session_options.h"

namespace spidd {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

CommandLine eval_command_line() {
  CommandLine line("spidctl eval", "[DIR...]",
                   "Cross-validates: trains on some of the captures, lets the engine judge the others, and says how "
                   "right it was. Captures are given as to 'spidctl train'.");
  declare_eval_input(line);
  line.value("folds", "N", "parts that the captures are split into; groups stay together", "10");
  line.value("hold-out", "NAME", "judge this set by models of the others, in place of folds");
  line.value("models", "DIR", "judge by the models of this directory; nothing is trained");
  line.value("one-way", "DIRECTION", "show the judge one direction only: to-server or to-client");
  line.value("local", "NAME",
             "learn half of this set's captures as a site does, and judge the others with and without");
  line.value("local-share", "SHARE", "share of captures to learn so, 0 to 1; without --local of every set");
  line.flag("ablation", "leave each meter out in turn: what is it good for?");
  line.flag("strangers", "hold each label out in turn: what is an unknown protocol taken for?");
  line.value("profile", "NAME", profile_names(), "bg");
  line.flag("strict", "sessions and measurements as of SPID 0.4.6, to the bit");
  add_session_options(line);
  line.value("flows-per-group", "N", "flows of one label taken from one environment, lab variant or capture",
             fmt::to_string(TrainingRules{}.flows_per_group));
  line.value("min-flows", "N", "flows a label needs to take part", fmt::to_string(TrainingRules{}.min_flows));
  line.value("flows-per-day", "N", "flows that false blocks a day are of", "1000000");
  line.value("threads", "N", "threads that work; default: one a processor");
  line.flag("json", "print one JSON object");
  line.value("html", "FILE", "write a page with tables and pictures, too");
  line.value("verdicts", "FILE", "write a table (TSV) of every flow that was judged, too");
  line.flag("details", "a row for every family, label, tunnel and threshold");
  line.positional("directory", 0, 1000);
  return line;
}

Result<double> share_option(const CommandLine& line, const char* name) {
  const std::string text = line.text(name);
  double share = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), share);
  if (error != std::errc() || end != text.data() + text.size() || !(share > 0 && share < 1))
    return fail("--{} {}: not a share between 0 and 1", name, text);
  return share;
}

Result<EvalSettings> settings_of(const CommandLine& line) {
  EvalSettings settings;
  struct Number {
    const char* option;
    unsigned& value;
    std::uint64_t least;
  };
  for (const Number& number :
       {Number{"folds", settings.folds, 2}, Number{"flows-per-group", settings.training.flows_per_group, 1},
        Number{"min-flows", settings.training.min_flows, 1}}) {
    const auto value = line.number(number.option, number.least, 1'000'000);
    if (!value) return tl::unexpected(value.error());
    number.value = static_cast<unsigned>(*value);
  }
  settings.training.flows_per_capture =
      std::max(settings.training.flows_per_capture, settings.training.flows_per_group);
  settings.threads = std::max(1U, std::thread::hardware_concurrency());
  if (line.has("threads")) {
    const auto threads = line.number("threads", 1, 1024);
    if (!threads) return tl::unexpected(threads.error());
    settings.threads = static_cast<unsigned>(*threads);
  }
  settings.held_out = line.text("hold-out");
  settings.local_part = line.text("local");
  if (line.has("local")) settings.local_share = 0.5;
  if (line.has("local-share")) {
    const auto share = share_option(line, "local-share");
    if (!share) return tl::unexpected(share.error());
    settings.local_share = *share;
  }
  if (line.has("one-way")) {
    const auto view = parse_view(line.text("one-way"));
    if (!view || *view == View::both) return fail("--one-way {}: it is to-server or to-client", line.text("one-way"));
    settings.one_way = *view;
  }
  const auto profile = parse_profile(line.text("profile"));
  if (!profile) return tl::unexpected(profile.error());
  settings.profile = *profile;
  if (line.has("strict")) settings.rules = MeterRules::strict;
  if (const auto limits = session_limits(line, kRecordLimit); !limits) return error_of(limits);
  settings.strangers = line.has("strangers");
  settings.ablation = line.has("ablation");
  if (settings.ablation && is_classic(settings.profile)) return fail("--ablation does not go with a classic profile");
  if (line.has("models") && line.has("hold-out")) return fail("--models trains nothing: there is nothing to hold out");
  return settings;
}

// Trees of captures are labelled by their folders: whoever names the wrong one has labels that tell nothing apart.
Result<void> check_labels(const EvalInput& input) {
  const auto& flows = input.set.flows;
  const auto other = [&flows](const LabelledFlow& flow) { return flow.label != flows.front().label; };
  if (std::ranges::any_of(flows, other)) return {};
  if (flows.empty()) return fail("there is no flow with payload");
  return fail("all flows are of one label, '{}': put captures into a folder for each label, or give --labels",
              flows.front().label);
}

// On a terminal: what is being done, how much of it, and since when.
void tell(const char* stage, std::size_t done, std::size_t all, Clock::time_point begin) {
  fmt::print(stderr, "\r\x1b[K{}: {} of {}, {:.0f} s", stage, done, all, seconds_since(begin));
  std::fflush(stderr);
}

}  // namespace

int command_eval(const CommandArguments& arguments) {
  const Clock::time_point begin = Clock::now();
  CommandLine line = eval_command_line();
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  if (!line.has("set") && line.positionals().empty()) return line.usage_error("which captures? Give DIR or --set");
  if (line.has("labels") && line.texts("labels").size() != line.positionals().size())
    return line.usage_error("--labels is needed once for each directory");
  auto settings = settings_of(line);
  if (!settings) return line.usage_error(settings.error().message);
  const auto flows_per_day = line.number("flows-per-day", 1, 1'000'000'000'000);
  if (!flows_per_day) return line.usage_error(flows_per_day.error().message);
  const bool terminal = isatty(STDERR_FILENO) == 1;
  if (terminal) {
    settings->progress = [begin](const char* stage, std::size_t done, std::size_t all) {
      tell(stage, done, all, begin);
    };
    fmt::print(stderr, "reading captures");
  }

  const auto input = load_eval_input(line);
  if (terminal) fmt::print(stderr, "\r\x1b[K");
  if (!input) return report_failure("eval", input.error());
  print_damaged("eval", input->set);
  for (const std::string& name : {settings->held_out, settings->local_part}) {
    if (!name.empty() && input->part_named(name) == input->parts.size())
      return report_failure("eval", Error{fmt::format("there is no set named {}", name)});
  }
  if (!line.has("models"))
    if (const auto told_apart = check_labels(*input); !told_apart) return report_failure("eval", told_apart.error());
  if (line.has("models")) {
    auto models = load_models(line.text("models"));
    if (!models) return report_failure("eval", models.error());
    if (const auto same = require_rules(*models, settings->rules, line.text("models")); !same)
      return report_failure("eval", same.error());
    settings->models = std::move(*models);
  }
  auto run = run_evaluation(*input, *settings);
  if (terminal) fmt::print(stderr, "\r\x1b[K");
  if (!run) return report_failure("eval", run.error());
  EvalReport report = make_report(*input, *settings, *run, static_cast<double>(*flows_per_day));
  report.seconds = seconds_since(begin);
  if (line.has("json"))
    print_json_report(*input, report);
  else
    print_report(*input, report, line.has("details"));
  if (line.has("html")) {
    if (const auto written = write_whole_file(line.text("html"), html_report(*input, report)); !written)
      return report_failure("eval", written.error());
  }
  if (line.has("verdicts")) {
    if (const auto written = write_whole_file(line.text("verdicts"), verdict_table(*input, run->judged)); !written)
      return report_failure("eval", written.error());
  }
  return input->set.damaged.empty() ? kExitDone : kExitFailed;
}

}  // namespace spidd
