// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What SPADE's lines mean. An option that cannot be understood is an error, where the original took its default: a
// detector that watches something else than it was told to is worse than none.
#include "userspace/spade/snort_config.h"

#include <algorithm>

#include "userspace/base/whole_file.h"
#include "userspace/spade/snort_detector.h"
#include "userspace/spade/snort_differences.h"
#include "userspace/spade/snort_options.h"

namespace spidd {

namespace {

using Grammar = SnortOptions::Grammar;

constexpr std::size_t kMostErrors = 20;
constexpr std::size_t kMostDetectors = 256;
constexpr std::size_t kMostText = 1 << 20;
constexpr double kHighestScore = 1e6;
constexpr std::int64_t kMostCount = 1'000'000'000'000;

const Grammar kMainGrammar = {{"logfile", "statefile", "cpfreq", "dest", "adjdest", "Xdips", "Xdports", "Xsips",
                               "Xsports", "thresh", "probmode", "corrscore"},
                              {"corrscore"},
                              {"logfile", "statefile", "cpfreq", "dest", "adjdest"}};
// The main line before 2002 began with the threshold.
const Grammar kOldMainGrammar = {
    kMainGrammar.names, kMainGrammar.switches, {"thresh", "statefile", "logfile", "probmode", "cpfreq"}};
const Grammar kStatsGrammar = {{}, {"entropy", "uncondprob", "condprob"}, {}};

Result<SpadeDestination> parse_dest(std::string_view text) { return parse_destination(text); }
class Interpreter {
 public:
  Interpreter(SnortLines lines, SpadeProfile profile) : lines_(std::move(lines)) { settings_.profile = profile; }
  Result<SnortConfig> run();

 private:
  void take(const SnortLine& line);
  void take_main(const SnortLine& line);
  void take_home(const SnortLine& line);
  void take_detector(const SnortLine& line);
  void take_adapter(const SnortLine& line);
  void take_adviser(const SnortLine& line);
  void take_survey(const SnortLine& line);
  void take_statistics(const SnortLine& line);
  // Of an adapter, adviser or survey: the id it names, else that of the detector before.
  std::string detector_of(SnortOptions& options);
  void add_implicit_detector();
  void check_ids();
  void complain(const SnortLine& line, std::string message) {
    if (lines_.errors.size() < kMostSnortRemarks) lines_.errors.push_back({line.file, line.line, std::move(message)});
  }

  struct Reference {
    std::string id;
    const SnortLine* line = nullptr;
  };

  SnortLines lines_;
  SpadeSettings settings_;
  bool main_seen_ = false;  // or said to be missing
  bool settings_from_main_ = false;
  bool home_seen_ = false;
  std::optional<DetectorSettings> implicit_;  // of deprecated options of the main line
  std::vector<Reference> references_;         // to be checked when all detectors are known
};

constexpr std::string_view kImplicitId = "default";

void Interpreter::take(const SnortLine& line) {
  const std::string_view keyword = line.keyword;
  if (keyword != "spade" && !main_seen_) {
    complain(line, fmt::format("{} before any 'preprocessor spade:' line", printable(keyword)));
    main_seen_ = true;  // once is enough
  }
  if (keyword == "spade")
    take_main(line);
  else if (keyword == "spade-homenet")
    take_home(line);
  else if (keyword == "spade-detect")
    take_detector(line);
  else if (keyword == "spade-adapt" || keyword == "spade-adapt2" || keyword == "spade-adapt3")
    take_adapter(line);
  else if (keyword == "spade-threshadvise" || keyword == "spade-threshlearn")
    take_adviser(line);
  else if (keyword == "spade-survey")
    take_survey(line);
  else if (keyword == "spade-stats")
    take_statistics(line);
  else if (keyword == "spade-correlate")
    lines_.warnings.push_back({line.file, line.line, "spade-correlate is ignored: spidd groups alerts to incidents"});
  else
    complain(line, fmt::format("there is no preprocessor '{}'", printable(keyword)));
}

void Interpreter::take_main(const SnortLine& line) {
  if (settings_from_main_) {
    lines_.warnings.push_back({line.file, line.line, "a second 'preprocessor spade:' line: the last counts"});
    settings_.checkpoint_updates = SpadeSettings().checkpoint_updates;
    implicit_.reset();
  }
  main_seen_ = settings_from_main_ = true;
  const auto positional =
      std::ranges::find_if(line.arguments, [](const std::string& word) { return word.find('=') == std::string::npos; });
  const bool old = positional != line.arguments.end() && parse_number(*positional);
  SnortOptions options(line, old ? kOldMainGrammar : kMainGrammar, lines_);
  if (old) options.warn("values in the order before 2002: thresh statefile logfile probmode cpfreq");

  const auto is_nothing = [](const std::string& name) { return name == "0" || name == "/dev/null"; };
  settings_.log_file = options.text("logfile").value_or("-");
  if (settings_.log_file == "-" || is_nothing(settings_.log_file)) settings_.log_file.clear();
  // Never that of the original, whose form is another: spidd would take it for a damaged one of its own.
  settings_.state_file =
      is_nothing(options.text("statefile").value_or("")) ? std::string() : distributed_settings().state_file;
  settings_.checkpoint_updates = static_cast<std::uint64_t>(
      options.integer("cpfreq", 1, kMostCount).value_or(static_cast<std::int64_t>(settings_.checkpoint_updates)));
  settings_.destination = options.word("dest", parse_dest).value_or(SpadeDestination::alert);
  if (settings_.destination == SpadeDestination::none) options.complain("dest is alert, log or both");
  settings_.adjustments = options.word("adjdest", parse_dest).value_or(settings_.destination);
  settings_.exclusions = options.exclusions();

  DetectorSettings detector = default_detector(DetectorType::closed_dport);
  detector.id = kImplicitId;
  detector.line = {line.line};
  detector.relative_score = false;
  detector.threshold = options.number("thresh", -kHighestScore, kHighestScore).value_or(-1);
  detector.probability_mode = static_cast<unsigned>(options.integer("probmode", 0, 3).value_or(3));
  detector.corrected_score = options.boolean("corrscore").value_or(false);
  detector.min_observations = 0;
  if (detector.threshold != -1 || detector.probability_mode != 3 || detector.corrected_score) {
    options.warn("thresh, probmode and corrscore of this line are deprecated: they make a detector 'default'");
    implicit_ = detector;
  }
}

void Interpreter::take_home(const SnortLine& line) {
  if (home_seen_) lines_.warnings.push_back({line.file, line.line, "a second spade-homenet: the last counts"});
  home_seen_ = true;
  settings_.home.clear();
  bool any = false;
  bool empty = true;
  for (const std::string& argument : line.arguments) {
    for (std::string_view left = argument; !left.empty();) {
      const std::size_t end = std::min(left.find_first_of("[],"), left.size());
      const std::string_view word = left.substr(0, end);
      left.remove_prefix(std::min(end + 1, left.size()));
      if (word.empty()) continue;
      empty = false;
      if (word == "any") {
        any = true;
      } else if (const auto network = parse_snort_network(word)) {
        settings_.home.push_back(*network);
      } else {
        complain(line, network.error().message);
      }
    }
  }
  if (any) settings_.home.clear();
  if (empty) complain(line, "spade-homenet names no network");
}

void Interpreter::take_detector(const SnortLine& line) {
  if (settings_.detectors.size() >= kMostDetectors) {
    complain(line, fmt::format("more than {} detectors", kMostDetectors));
    return;
  }
  DetectorSettings detector = read_snort_detector(line, lines_, settings_.profile);
  if (detector.id.empty()) detector.id = fmt::to_string(settings_.detectors.size() + 1);
  const auto twin = std::ranges::find(settings_.detectors, detector.id, &DetectorSettings::id);
  if (twin != settings_.detectors.end())
    complain(line,
             fmt::format("id '{}' is taken by the detector of line {}", printable(detector.id), twin->line.number));
  if (implicit_ && detector.id == kImplicitId)
    complain(line, fmt::format("the id '{}' is that of the detector of line {}", kImplicitId, implicit_->line.number));
  settings_.detectors.push_back(std::move(detector));
}

// Where values have places, an id comes first if the first value cannot be what it is before 2002.
Grammar with_id(Grammar grammar, const SnortLine& line, bool first_is_id) {
  grammar.names.insert(grammar.names.end(), grammar.places.begin(), grammar.places.end());
  grammar.names.push_back("id");
  const auto positional =
      std::ranges::find_if(line.arguments, [](const std::string& word) { return word.find('=') == std::string::npos; });
  if (first_is_id && positional != line.arguments.end() && !parse_number(*positional))
    grammar.places.insert(grammar.places.begin(), "id");
  return grammar;
}

std::string Interpreter::detector_of(SnortOptions& options) {
  if (const auto id = options.text("id")) return *id;
  const std::string id = !settings_.detectors.empty() ? settings_.detectors.back().id : std::string(kImplicitId);
  options.warn(fmt::format("no id: taken as that of the detector before, '{}'", printable(id)));
  return id;
}

void Interpreter::take_adapter(const SnortLine& line) {
  constexpr double kMostPeriods = 525600;
  const bool weighted = line.keyword == "spade-adapt";
  const bool layered = line.keyword == "spade-adapt2";
  Grammar grammar;
  if (weighted)
    grammar = {{}, {"bycount"}, {"target", "obsper", "newweight", "bycount"}};
  else if (layered)
    grammar = {{}, {}, {"target", "obsper", "NS", "NM", "NL"}};
  else
    grammar = {{}, {}, {"target", "obsper", "numper"}};
  grammar = with_id(std::move(grammar), line, true);
  SnortOptions options(line, grammar, lines_);
  const auto count = [&](std::string_view name, unsigned otherwise) {
    return static_cast<unsigned>(options.integer(name, 1, 10000).value_or(otherwise));
  };
  AdapterSettings adapter;
  const std::string id = detector_of(options);
  if (weighted) {
    WeightedAdapter made{.id = id};
    made.target = static_cast<unsigned>(options.integer("target", 1, 1'000'000).value_or(made.target));
    made.period_hours = options.number("obsper", 1.0 / 3600, 8784).value_or(made.period_hours);
    made.new_weight = options.number("newweight", 0, 1).value_or(made.new_weight);
    made.by_count = options.boolean("bycount").value_or(made.by_count);
    adapter = made;
  } else if (layered) {
    LayeredAdapter made{.id = id};
    made.target = options.number("target", 0, 1e6).value_or(made.target);
    made.period_minutes = options.number("obsper", 1.0 / 60, kMostPeriods).value_or(made.period_minutes);
    made.short_windows = count("NS", made.short_windows);
    made.medium_windows = count("NM", made.medium_windows);
    made.long_windows = count("NL", made.long_windows);
    adapter = made;
  } else {
    MeanAdapter made{.id = id};
    made.target = options.number("target", 0, 1e6).value_or(made.target);
    made.period_minutes = options.number("obsper", 1.0 / 60, kMostPeriods).value_or(made.period_minutes);
    made.windows = count("numper", made.windows);
    adapter = made;
  }
  const auto id_of = [](const AdapterSettings& one) {
    return std::visit([](const auto& kind) { return kind.id; }, one);
  };
  if (const auto before = std::ranges::find(settings_.adapters, id, id_of); before != settings_.adapters.end()) {
    options.warn(fmt::format("a second adapter for '{}': the last counts", printable(id)));
    settings_.adapters.erase(before);
  }
  references_.push_back({id, &line});
  settings_.adapters.push_back(std::move(adapter));
}

void Interpreter::take_adviser(const SnortLine& line) {
  const Grammar grammar = with_id({{}, {}, {"target", "obsper"}}, line, true);
  SnortOptions options(line, grammar, lines_);
  if (line.keyword == "spade-threshlearn") options.warn("spade-threshlearn is spade-threshadvise now");
  AdviserSettings adviser;
  adviser.id = detector_of(options);
  adviser.target = static_cast<unsigned>(options.integer("target", 1, 1'000'000).value_or(adviser.target));
  adviser.hours = static_cast<unsigned>(options.integer("obsper", 1, 8784).value_or(adviser.hours));
  references_.push_back({adviser.id, &line});
  settings_.advisers.push_back(std::move(adviser));
}

void Interpreter::take_survey(const SnortLine& line) {
  const auto values = std::ranges::count_if(
      line.arguments, [](const std::string& word) { return word.find('=') == std::string::npos; });
  const Grammar grammar = with_id({{}, {}, {"surveyfile", "interval"}}, line, values > 2);
  SnortOptions options(line, grammar, lines_);
  SurveySettings survey;
  survey.id = detector_of(options);
  survey.file = options.text("surveyfile").value_or("-");
  if (survey.file == "-") survey.file.clear();
  survey.interval_minutes = options.number("interval", 1.0 / 60, 525600).value_or(survey.interval_minutes);
  references_.push_back({survey.id, &line});
  settings_.surveys.push_back(std::move(survey));
}

void Interpreter::take_statistics(const SnortLine& line) {
  SnortOptions options(line, kStatsGrammar, lines_);
  StatisticsSettings& statistics = settings_.statistics;
  statistics.entropy = options.boolean("entropy").value_or(statistics.entropy);
  statistics.unconditional = options.boolean("uncondprob").value_or(statistics.unconditional);
  statistics.conditional = options.boolean("condprob").value_or(statistics.conditional);
}

void Interpreter::add_implicit_detector() {
  if (!implicit_ && !settings_.detectors.empty()) return;
  if (!implicit_) {
    DetectorSettings silent = default_detector(DetectorType::closed_dport);
    silent.id = kImplicitId;
    silent.relative_score = false;
    silent.corrected_score = false;
    silent.threshold = -1;
    silent.min_observations = 0;
    implicit_ = silent;
  }
  settings_.detectors.insert(settings_.detectors.begin(), *implicit_);
}

void Interpreter::check_ids() {
  std::vector<std::string_view> ids;
  for (const DetectorSettings& detector : settings_.detectors) ids.push_back(detector.id);
  const bool original = settings_.profile == SpadeProfile::v030125;
  for (const Reference& reference : references_) {
    if (std::ranges::find(ids, std::string_view(reference.id)) != ids.end()) continue;
    const SnortLine& line = *reference.line;
    const std::string text = fmt::format("no detector has the id '{}'", printable(reference.id));
    if (original)
      lines_.warnings.push_back({line.file, line.line, text + ": as in Spade 030125, a closed-dport one is made"});
    else
      complain(line, text);
  }
}

Result<SnortConfig> Interpreter::run() {
  const std::vector<SnortLine> lines = lines_.lines;
  for (const SnortLine& line : lines) take(line);
  if (lines.empty() && lines_.errors.empty()) return fail("no 'preprocessor spade' line");
  add_implicit_detector();
  check_ids();
  if (!lines_.errors.empty()) {
    std::string text;
    for (std::size_t i = 0; i < std::min(lines_.errors.size(), kMostErrors); ++i)
      text += fmt::format("{}{}", i == 0 ? "" : "\n", lines_.errors[i].text());
    if (lines_.errors.size() > kMostErrors)
      text += fmt::format("\n{} more mistakes", lines_.errors.size() - kMostErrors);
    return fail("{}", text);
  }
  SnortConfig config{std::move(settings_), {}};
  for (const SnortRemark& remark : lines_.warnings) config.notes.push_back(remark.text());
  if (config.settings.profile != SpadeProfile::documented) return config;
  for (std::string& difference : differences_from_original(config.settings))
    config.notes.push_back(std::move(difference));
  return config;
}

}  // namespace

bool is_snort_config(std::string_view text) {
  const SnortLines lines = read_snort_lines(text, "", {});
  return !lines.lines.empty() || !lines.warnings.empty();  // of includes that were not followed
}

Result<SnortConfig> parse_snort_config(std::string_view text, const std::string& path, const SnortInclude& include,
                                       SpadeProfile profile) {
  auto config = Interpreter(read_snort_lines(text, path, include), profile).run();
  if (!config && config.error().message == "no 'preprocessor spade' line")
    return fail("{}: {}", printable_path(path), config.error().message);
  return config;
}

Result<SnortConfig> load_snort_config(const std::string& path, SpadeProfile profile) {
  const auto read = [](const std::string& name) -> Result<std::string> {
    std::string text;
    if (const auto done = read_whole_file(name, kMostText, text); !done)
      return fail("{}", printable_path(done.error().message));
    return text;
  };
  const auto text = read(path);
  if (!text) return tl::unexpected(text.error());
  return parse_snort_config(*text, path, read, profile);
}

}  // namespace spidd
