// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl analyze: the engine on capture files, with no privilege. Exit code 1 if a file could not be read to its end.
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "userspace/base/staged_files.h"
#include "userspace/capture/pcap_source.h"
#include "userspace/ctl/analysis_writer.h"
#include "userspace/ctl/command.h"
#include "userspace/ctl/model_sources.h"
#include "userspace/ctl/models_change.h"
#include "userspace/ctl/session_options.h"
#include "userspace/ctl/spade_config.h"
#include "userspace/ctl/spade_run.h"
#include "userspace/ctl/strict_analysis.h"
#include "userspace/report/events.h"
#include "userspace/report/table.h"

namespace spidd {

namespace {

// Reading and parsing keeps one core busy while the engines use the others; beyond this the reader is the bottleneck.
constexpr unsigned kMostWorkers = 3;

struct CounterField {
  const char* name;
  std::uint64_t PcapCounters::*field;
};
constexpr CounterField kCaptureCounters[] = {
    {"packets", &PcapCounters::seen_packets},
    {"bytes", &PcapCounters::seen_bytes},
    {"not_ip", &PcapCounters::not_ip},
    {"truncated", &PcapCounters::truncated},
    {"too_deep", &PcapCounters::too_deep},
    {"fragment", &PcapCounters::fragment},
    {"other_protocol", &PcapCounters::other_protocol},
    {"icmp_other", &PcapCounters::icmp_other},
    {"icmp_error", &PcapCounters::icmp_error},
    {"without_flow", &PcapCounters::without_flow},
    {"retransmissions", &PcapCounters::retransmissions},
    {"flows_created", &PcapCounters::flows_created},
    {"flows_restarted", &PcapCounters::flows_restarted},
    {"flows_idle", &PcapCounters::flows_idle},
    {"flows_evicted", &PcapCounters::flows_evicted},
    {"records_sent", &PcapCounters::records_sent},
    {"ends_sent", &PcapCounters::ends_sent},
};

struct FileSums {
  PcapCounters counters;
  EngineCounters engine;
  Timestamp first;
  Timestamp last;
  bool any = false;
};

// Percent read, on standard error if that is a terminal and the file is long enough to wait for.
class Progress {
 public:
  explicit Progress(const std::string& path) : path_(path), shown_(::isatty(STDERR_FILENO) == 1) {}
  ~Progress() {
    if (printed_) fmt::print(stderr, "\r\033[K");
  }
  void update(const PcapSource& source) {
    const auto now = std::chrono::steady_clock::now();
    if (!shown_ || now < next_) return;
    next_ = now + std::chrono::milliseconds(500);
    printed_ = true;
    const auto size = source.size();
    const double read = static_cast<double>(source.position());
    if (size && *size > 0)
      fmt::print(stderr, "\r{}: {:.0f} %, {} packets\033[K", path_, 100.0 * read / static_cast<double>(*size),
                 source.counters().seen_packets);
    else
      fmt::print(stderr, "\r{}: {} packets\033[K", path_, source.counters().seen_packets);
  }

 private:
  std::string path_;
  bool shown_;
  bool printed_ = false;
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now() + std::chrono::seconds(1);
};

struct Analysis {
  std::shared_ptr<const Matcher> matcher;
  std::shared_ptr<const Policy> policy;
  AnalysisForm form = AnalysisForm::rows;
  unsigned workers = 1;
  PcapSource::Settings source;
  StrictSessions::Limits sessions{};  // with strict sessions
  AnalysisSummary summary;
  std::unique_ptr<SpadeRun> spade;  // may be nullptr
  Replay* replay = nullptr;         // under way: what SPADE says goes between what the engines say
  FileSums sums;
  bool damaged = false;
};

void add_counters(PcapCounters& sum, const PcapCounters& part) {
  for (const CounterField& counter : kCaptureCounters) sum.*counter.field += part.*counter.field;
}

Result<> analyze_file(const std::string& path, Analysis& analysis) {
  PcapSource::Settings how = analysis.source;
  how.all_sizes = analysis.policy->looks_twice();
  auto source = PcapSource::open(path, how);
  if (!source) return tl::unexpected(source.error());
  Replay::Settings settings;
  settings.workers = analysis.workers;
  settings.engine.flows.flows = analysis.source.max_flows;
  settings.engine.second_looks = analysis.source.max_flows;  // never full, or the number of workers would matter
  // The source ends idle flows, with their totals; the engine must not be quicker.
  settings.engine.tcp_idle = settings.engine.udp_idle = Duration::max();
  bool broken_pipe = false;
  Replay replay(
      settings, analysis.matcher, analysis.policy,
      [&] { return make_analysis_writer(analysis.form, analysis.policy, analysis.summary); },
      [&](std::string_view lines) {
        broken_pipe = broken_pipe || std::fwrite(lines.data(), 1, lines.size(), stdout) != lines.size();
      });
  analysis.replay = &replay;
  Progress progress(path);
  PacketRecord record;
  for (bool more = true; more && !broken_pipe;) {
    switch (source->next(record)) {
      case PcapSource::Next::record:
        if (!analysis.sums.any || record.flow_start < analysis.sums.first) analysis.sums.first = record.flow_start;
        if (!analysis.sums.any || record.time > analysis.sums.last) analysis.sums.last = record.time;
        analysis.sums.any = true;
        replay.feed(record);
        break;
      case PcapSource::Next::tick:
        replay.pass_time(source->clock());
        progress.update(*source);
        break;
      case PcapSource::Next::damaged:
        analysis.damaged = true;
        [[fallthrough]];
      case PcapSource::Next::end:
        more = false;
    }
  }
  replay.finish();
  analysis.replay = nullptr;
  analysis.sums.engine += replay.counters();
  add_counters(analysis.sums.counters, source->counters());
  if (broken_pipe) return fail_errno(errno, "write to standard output");
  if (!source->damage().empty()) fmt::print(stderr, "spidctl analyze: {}\n", source->damage());
  return {};
}

// The same by the session rules of the original; counters that it has not stay zero.
Result<> analyze_file_strictly(const std::string& path, Analysis& analysis) {
  const StrictAnalysis how{analysis.matcher, analysis.policy, analysis.source.filter, analysis.sessions};
  StrictSums sums;
  bool broken_pipe = false;
  const auto writer = make_analysis_writer(analysis.form, analysis.policy, analysis.summary);
  const auto done = analyze_strictly(
      path, how, *writer,
      [&](std::string_view lines) {
        broken_pipe = broken_pipe || std::fwrite(lines.data(), 1, lines.size(), stdout) != lines.size();
      },
      sums);
  FileSums& all = analysis.sums;
  if (sums.packets > 0) {
    all.first = all.any ? std::min(all.first, sums.first) : sums.first;
    all.last = all.any ? std::max(all.last, sums.last) : sums.last;
    all.any = true;
  }
  all.counters.seen_packets += sums.packets + sums.not_ip;
  all.counters.not_ip += sums.not_ip;
  all.counters.seen_bytes += sums.bytes;
  all.counters.without_flow += sums.without_session;
  all.counters.flows_created += sums.sessions + sums.never_established;
  all.engine.flows += sums.sessions;
  all.engine.matches += sums.sessions;
  if (broken_pipe) return fail_errno(errno, "write to standard output");
  return done;
}

void print_stats(const Analysis& analysis, std::FILE* to) {
  const FileSums& sums = analysis.sums;
  StatsEvent stats;
  stats.time = sums.last;
  stats.uptime = sums.last - sums.first;
  StatsSection capture{"capture", {}};
  for (const CounterField& counter : kCaptureCounters)
    capture.values.emplace_back(counter.name, sums.counters.*counter.field);
  const AnalysisSummary::Sum total = analysis.summary.total();
  stats.sections = {std::move(capture),
                    {"engine",
                     {{"flows", sums.engine.flows},
                      {"flows_evicted", sums.engine.flows_evicted},
                      {"records", sums.engine.records},
                      {"records_late", sums.engine.records_late},
                      {"records_out_of_order", sums.engine.records_out_of_order},
                      {"proofs_forgotten", sums.engine.proofs_forgotten},
                      {"second_looks", sums.engine.second_looks},
                      {"second_looks_found", sums.engine.second_looks_found},
                      {"second_looks_forgotten", sums.engine.second_looks_forgotten},
                      {"second_looks_not_learned", sums.engine.second_looks_not_learned},
                      {"packets_not_stored", sums.engine.packets_not_stored},
                      {"matches", sums.engine.matches},
                      {"alerts", total.alerts},
                      {"drops", total.drops}}}};
  StatsSection labels{"labels", {}};
  for (const auto& [label, sum] : analysis.summary.by_label) labels.values.emplace_back(label, sum.flows);
  stats.sections.push_back(std::move(labels));
  if (analysis.spade) {
    stats.sections.push_back(analysis.spade->counters());
    if (StatsSection incidents = analysis.spade->incident_counters(); !incidents.values.empty())
      stats.sections.push_back(std::move(incidents));
  }
  std::string line;
  append_json(line, stats);
  fmt::print(to, "{}\n", line);
}

void print_summary(const Analysis& analysis, std::FILE* to) {
  Table table({{"LABEL"},
               {"CATEGORY"},
               {"FLOWS", Align::right},
               {"PACKETS", Align::right},
               {"BYTES", Align::right},
               {"ALERTS", Align::right},
               {"DROPS", Align::right}});
  const auto row = [&](const std::string& label, const AnalysisSummary::Sum& sum) {
    table.add({label, sum.category, fmt::to_string(sum.flows), fmt::to_string(sum.packets), fmt::to_string(sum.bytes),
               fmt::to_string(sum.alerts), fmt::to_string(sum.drops)});
  };
  for (const auto& [label, sum] : analysis.summary.by_label) row(label, sum);
  AnalysisSummary::Sum total = analysis.summary.total();
  total.category.clear();
  row("all flows", total);
  const PcapCounters& counters = analysis.sums.counters;
  fmt::print(to, "\n{}{} packets, of which {} not IP, {} cut or malformed, {} fragments, {} of other IP protocols\n",
             table.text(), counters.seen_packets, counters.not_ip, counters.truncated + counters.too_deep,
             counters.fragment, counters.other_protocol);
  if (analysis.spade) fmt::print(to, "\n{}", analysis.spade->summary());
}

// Alert on every tunnel; the original has no margins.
Policy policy_for(Profile profile) {
  Policy policy = builtin_policy();
  if (is_classic(profile))
    for (Rule& rule : policy.rules) rule.match.min_margin = 0;
  return policy;
}

Result<> prepare(const CommandLine& line, Profile profile, Analysis& analysis) {
  auto policy = line.has("policy") ? load_policy(line.text("policy")) : Result<Policy>(policy_for(profile));
  if (!policy) return tl::unexpected(policy.error());
  analysis.policy = std::make_shared<const Policy>(std::move(*policy));
  auto database = load_model_sources(line, "analyze");
  if (!database) return tl::unexpected(database.error());
  if (line.has("strict"))
    if (auto same = require_rules(*database, MeterRules::strict, models_directory(line)); !same) return same;
  auto matcher = Matcher::build(*database, profile);
  if (!matcher) return tl::unexpected(matcher.error());
  analysis.matcher = std::make_shared<const Matcher>(std::move(*matcher));
  return {};
}

bool wants_spade(const CommandLine& line) {
  return line.has("spade") || line.has("spade-config") || line.has("spade-profile") || line.has("spade-state") ||
         line.has("spade-log") || line.has("alert-format");
}

// Requires: prepare() was done.
Result<> prepare_spade(const CommandLine& line, Analysis& analysis) {
  SnortConfig config{analysis.policy->spade, {}};
  auto profile = SpadeProfile::documented;
  if (line.has("spade-profile")) {
    const auto named = parse_spade_profile(line.text("spade-profile"));
    if (!named) return tl::unexpected(named.error());
    profile = *named;
  }
  if (line.has("spade-config")) {
    auto loaded = load_spade_config(line.text("spade-config"), profile);
    if (!loaded) return tl::unexpected(loaded.error());
    config = std::move(*loaded);
    print_notes(config);
  }
  if (line.has("spade-profile")) config.settings.profile = profile;
  if (!line.has("spade-log"))
    for (const std::string& note : files_not_written(config.settings)) fmt::print(stderr, "{}\n", note);
  auto format = Result<AlertFormat>(analysis.form == AnalysisForm::json ? AlertFormat::eve : AlertFormat::fast);
  if (line.has("alert-format")) format = parse_alert_format(line.text("alert-format"));
  if (!format) return tl::unexpected(format.error());
  // Who names a format of Snort's wants the file that Snort writes.
  if (line.has("alert-format") && *format != AlertFormat::eve) analysis.form = AnalysisForm::sums;
  auto run =
      SpadeRun::create(std::move(config.settings), *format, analysis.policy, [&analysis](std::string_view lines) {
        if (analysis.replay != nullptr)
          analysis.replay->say(lines);
        else
          std::fwrite(lines.data(), 1, lines.size(), stdout);  // a failure shows when the program ends
      });
  if (!run) return tl::unexpected(run.error());
  analysis.spade = std::move(*run);
  if (line.has("spade-state")) {
    const auto problems = analysis.spade->load_state(line.text("spade-state"));
    if (!problems) return tl::unexpected(problems.error());
    for (const std::string& problem : *problems) fmt::print(stderr, "spidctl analyze: {}\n", problem);
  }
  analysis.source.observe = [spade = analysis.spade.get()](const Observation& observation) {
    spade->observe(observation);
  };
  return {};
}

// What SPADE still has to say, and the files it was asked for.
Result<> finish_spade(const CommandLine& line, SpadeRun& spade) {
  spade.finish();
  if (line.has("spade-log")) {
    if (auto written = write_whole_file(line.text("spade-log"), spade.log()); !written) return written;
  }
  return line.has("spade-state") ? spade.save_state(line.text("spade-state")) : Result<>{};
}

}  // namespace

int command_analyze(const CommandArguments& arguments) {
  CommandLine line("spidctl analyze", "FILE...",
                   "Names the protocol of every flow in capture files (pcap, pcapng; '-' is standard input).");
  line.flag("json", "print JSON lines whose names follow Suricata's EVE");
  line.value("policy", "FILE", "policy to judge the flows by; default: alert on every tunnel");
  add_model_options(line);
  line.value(
      "profile", "NAME",
      "how flows are compared with models: against average traffic with all meters that help (bg), the original's 34 "
      "(bg34), or these and nine more (bg43); or by the divergence of the original over all its meters "
      "(classic34) or the 15 it is shipped with (classic15)",
      "bg");
  line.flag("strict",
            "sessions and measurements as of SPID 0.4.6, to the bit: needs models made with 'spidctl train --strict'");
  line.flag("strict-sessions",
            "its sessions only, whatever the models: those that begin with a handshake or are answered, no reassembly, "
            "one verdict after 20 frames or at the end");
  add_session_options(line);
  line.flag("spade", "look for packets that are rare here, too: SPADE as the policy's [spade] says");
  line.value("spade-config", "FILE", "SPADE as FILE says: 'preprocessor spade' lines of a snort.conf, or TOML");
  line.value("spade-profile", "NAME", "SPADE as 'documented', or with the faults of its version '030125'");
  line.value(
      "alert-format", "NAME",
      "how SPADE's alerts are printed: eve, or as Snort does: fast, full, csv, syslog; default: eve with --json, "
      "else fast; with one of Snort's, standard output has nothing else, and the summary goes to standard error");
  line.value("spade-state", "FILE",
             "SPADE begins with what FILE knows, if it is there, and writes it at the end: train on one capture, judge "
             "the next");
  line.value("spade-log", "FILE", "SPADE's log: what every detector did, what advisers say, surveys, statistics");
  line.value("filter", "EXPRESSION", "only packets that match this pcap-filter(7) expression");
  line.value("threads", "N", "threads of the engine; default: what the machine has, at most 3");
  line.value("max-flows", "N", "flows followed at the same time", "131072");
  line.positional("file", 1, 100000);
  if (const auto exit_code = line.parse(arguments.words)) return *exit_code;
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const auto threads =
      line.has("threads") ? line.number("threads", 1, 64) : Result<std::uint64_t>(std::min(cores, kMostWorkers));
  if (!threads) return line.usage_error(threads.error().message);
  const auto max_flows = line.number("max-flows", 16, 100'000'000);
  if (!max_flows) return line.usage_error(max_flows.error().message);

  const auto profile = parse_profile(line.text("profile"));
  if (!profile) return line.usage_error(profile.error().message);

  const auto sessions = session_limits(line);
  if (!sessions) return line.usage_error(sessions.error().message);

  Analysis analysis;
  analysis.sessions = *sessions;
  analysis.form = line.has("json") ? AnalysisForm::json : AnalysisForm::rows;
  analysis.workers = static_cast<unsigned>(*threads);
  analysis.source.filter = line.text("filter");
  analysis.source.max_flows = static_cast<std::uint32_t>(*max_flows);
  if (const auto ready = prepare(line, *profile, analysis); !ready) return report_failure("analyze", ready.error());

  const bool strict_sessions = line.has("strict") || line.has("strict-sessions");
  if (wants_spade(line)) {
    if (strict_sessions) return line.usage_error("SPADE does not go with --strict and --strict-sessions");
    if (const auto ready = prepare_spade(line, analysis); !ready) return report_failure("analyze", ready.error());
  }

  if (analysis.form == AnalysisForm::rows) fmt::print("{}", analysis_header());
  bool failed = false;
  for (const std::string& path : line.positionals()) {
    const auto done = strict_sessions ? analyze_file_strictly(path, analysis) : analyze_file(path, analysis);
    if (done) continue;
    failed = true;
    report_failure("analyze", done.error());
  }
  if (analysis.spade) {
    if (const auto finished = finish_spade(line, *analysis.spade); !finished) {
      failed = true;
      report_failure("analyze", finished.error());
    }
  }
  std::FILE* const to = analysis.form == AnalysisForm::sums ? stderr : stdout;
  if (line.has("json"))
    print_stats(analysis, to);
  else
    print_summary(analysis, to);
  return failed || analysis.damaged ? kExitFailed : kExitDone;
}

}  // namespace spidd
