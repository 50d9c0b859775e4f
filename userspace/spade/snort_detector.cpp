// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Defaults depend on the detector's type and scope, so these are read first.
#include "userspace/spade/snort_detector.h"

#include <algorithm>

#include "userspace/spade/snort_options.h"

namespace spidd {

namespace {

constexpr double kHighestScore = 1e6;
constexpr double kHighestEntropy = 64;  // bits
constexpr std::int64_t kMostCount = 1'000'000'000'000;
constexpr std::int64_t kLongestWait = 3600;
constexpr std::int64_t kLongestInterval = 525600;  // minutes: a year

const SnortOptions::Grammar kGrammar = {
    {"type",   "id",      "to",         "from",        "proto",       "tcpflags",     "icmptype",
     "thresh", "minobs",  "maxentropy", "probmode",    "wait",        "Xdips",        "Xdports",
     "Xsips",  "Xsports", "scalefreq",  "scalefactor", "scalecutoff", "scalehalflife"},
    {"relscore", "corrscore", "revwaitrpt"},
    {}};

Result<Transport> parse_proto(std::string_view text) {
  if (text == "tcp") return Transport::tcp;
  if (text == "udp") return Transport::udp;
  if (text == "icmp") return Transport::icmp;
  return fail("'{}' is none of tcp, udp, icmp", printable(text));
}

Result<DetectorType> parse_type(std::string_view text) {
  // Biles' paper prints underscores, and one type without its hyphen (D24).
  std::string name(text);
  std::ranges::replace(name, '_', '-');
  if (name == "oddtypecode") name = "odd-typecode";
  return parse_detector_type(name);
}

Result<NetworkSide> parse_network_side(std::string_view text) { return parse_side(text); }

void read_scope(SnortOptions& options, DetectorSettings& detector, std::optional<IcmpScope>& icmp) {
  const std::string type(detector_type_name(detector.type));
  const bool is_odd = detector.type == DetectorType::odd_dport || detector.type == DetectorType::odd_port_dest;
  detector.transport = options.word("proto", parse_proto).value_or(Transport::tcp);
  if (detector.type == DetectorType::odd_typecode) {
    if (options.has("proto") && detector.transport != Transport::icmp)
      options.warn("proto has no effect: odd-typecode is about ICMP");
  } else if (detector.transport == Transport::icmp && detector.type != DetectorType::dead_dest) {
    options.complain(fmt::format("{} has no proto=icmp", type));
  }
  detector.tcp_flags = options.word("tcpflags", parse_tcp_scope).value_or(TcpScope::synonly);
  if (options.has("tcpflags") && (is_odd || detector.type == DetectorType::odd_typecode))
    options.warn(fmt::format("tcpflags has no effect on {}", type));
  if (detector.type == DetectorType::closed_dport && detector.tcp_flags == TcpScope::setup)
    options.complain("closed-dport has no tcpflags=setup");
  icmp = options.word("icmptype", parse_icmp_scope);
  if (icmp && options.text("icmptype") == "all")
    options.warn("icmptype=all is written 'any': Spade 030125 warned, and took the default of the detector's type");
  if (icmp && detector.type != DetectorType::odd_typecode && detector.type != DetectorType::dead_dest)
    options.warn(fmt::format("icmptype has no effect on {}", type));

  const std::string_view side = is_odd ? "from" : "to";
  for (const std::string_view name : {"to", "from"}) {
    const auto value = options.word(name, parse_network_side);
    if (!value) continue;
    if (detector.type == DetectorType::dead_dest && *value != NetworkSide::home)
      options.warn("dead-dest is always about the home network");
    else if (name != side && detector.type != DetectorType::dead_dest)
      options.warn(fmt::format("{} has no effect on {}", name, type));
    else if (detector.type != DetectorType::dead_dest)
      detector.side = *value;
  }
}

void read_scores(SnortOptions& options, DetectorSettings& detector) {
  const bool closed = detector.type == DetectorType::closed_dport;
  for (const std::string_view name : {"relscore", "corrscore", "probmode"})
    if (!closed && options.has(name))
      options.warn(fmt::format("{} has no effect on {}", name, detector_type_name(detector.type)));
  if (closed) {
    detector.probability_mode = static_cast<unsigned>(options.integer("probmode", 0, 3).value_or(3));
    detector.relative_score = options.boolean("relscore").value_or(detector.probability_mode != 0);
    if (detector.probability_mode == 0 && detector.relative_score) {
      options.warn("probmode=0 has no relative score: relscore is off");
      detector.relative_score = false;
    }
    detector.corrected_score = options.boolean("corrscore").value_or(true);
    if (!detector.relative_score) {
      detector.threshold = -1;
      detector.min_observations = 0;
    }
  }
  if (detector.type == DetectorType::dead_dest) {
    if (options.has("thresh")) options.warn("thresh has no effect on dead-dest, whose score is always 1");
  } else {
    detector.threshold = options.number("thresh", -kHighestScore, kHighestScore).value_or(detector.threshold);
  }
  if (const auto least = options.integer("minobs", -kMostCount, kMostCount))
    detector.min_observations = static_cast<double>(std::max<std::int64_t>(*least, 0));
}

void read_decay(SnortOptions& options, DetectorSettings& detector) {
  Decay& decay = detector.decay;
  if (const auto interval = options.integer("scalefreq", -kLongestInterval, kLongestInterval))
    decay.interval_minutes = static_cast<std::uint32_t>(std::max<std::int64_t>(*interval, 0));
  decay.factor = options.number("scalefactor", 0, 1).value_or(decay.factor);
  decay.cutoff = options.number("scalecutoff", 0, 1e9).value_or(decay.cutoff);
  const auto hours = options.number("scalehalflife", 0, 1e6);
  if (!hours) return;
  decay.factor = Decay::factor_of_half_life(*hours, decay.interval_minutes);
  if (options.has("scalefactor")) options.warn("scalehalflife decides, not scalefactor");
  if (*hours > 24 * 366) options.warn("scalehalflife is in hours, and this is more than a year");
}

void read_waiting(SnortOptions& options, DetectorSettings& detector) {
  const unsigned forced = detector.type == DetectorType::closed_dport ? detector.wait_seconds : 0;
  if (const auto wait = options.integer("wait", 0, kLongestWait)) {
    detector.wait_seconds = static_cast<unsigned>(*wait);
    if (*wait == 0 && forced > 0) {
      detector.wait_seconds = forced;
      options.warn(fmt::format("wait=0 is taken as {}: only a reset confirms such a packet", forced));
    }
  }
  detector.report_on_opposite = options.boolean("revwaitrpt").value_or(false);
  if (detector.report_on_opposite && detector.wait_seconds == 0) options.warn("revwaitrpt has no effect without wait");
}

}  // namespace

DetectorSettings read_snort_detector(const SnortLine& line, SnortLines& remarks, SpadeProfile profile) {
  SnortOptions options(line, kGrammar, remarks);
  DetectorSettings scope;
  if (const auto type = options.word("type", parse_type)) {
    scope.type = *type;
    if (const auto text = options.text("type"); !parse_detector_type(*text))
      options.warn(fmt::format("type={} is written {}: Spade 030125 knew no other form", printable(*text),
                               detector_type_name(scope.type)));
  }
  std::optional<IcmpScope> icmp;
  read_scope(options, scope, icmp);
  const double max_entropy = options.number("maxentropy", 0, kHighestEntropy).value_or(2.5);
  if (options.has("maxentropy") && scope.type != DetectorType::odd_port_dest)
    options.warn(fmt::format("maxentropy has no effect on {}", detector_type_name(scope.type)));

  // What has no effect keeps its default.
  if (scope.type == DetectorType::odd_typecode) scope.transport = Transport::icmp;
  const bool has_flags = scope.type == DetectorType::closed_dport || scope.type == DetectorType::dead_dest;
  if (has_flags && scope.transport != Transport::tcp && options.has("tcpflags"))
    options.warn(fmt::format("tcpflags has no effect on {}", transport_name(scope.transport)));
  if (!has_flags || scope.transport != Transport::tcp) scope.tcp_flags = TcpScope::synonly;
  const bool rejected = profile == SpadeProfile::v030125 && options.text("icmptype") == "all";  // D14
  if (scope.transport != Transport::icmp || rejected) icmp.reset();
  DetectorSettings detector = default_detector(scope.type, scope.transport, scope.tcp_flags, icmp,
                                               scope.type == DetectorType::odd_port_dest ? max_entropy : 2.5);
  detector.side = scope.side;
  detector.line = {line.line};
  detector.id = options.text("id").value_or("");
  if (!detector.id.empty() && !is_detector_id(detector.id))
    options.complain(
        fmt::format("id '{}': a letter, then letters, digits, - and _, at most 50", printable(detector.id)));
  read_scores(options, detector);
  read_decay(options, detector);
  read_waiting(options, detector);
  detector.exclusions = options.exclusions();
  return detector;
}

}  // namespace spidd
