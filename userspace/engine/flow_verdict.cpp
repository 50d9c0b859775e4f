// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/engine/flow_verdict.h"

#include <algorithm>

#include "userspace/engine/flow_facts.h"
#include "userspace/spid/randomness.h"

namespace spidd {

namespace {

constexpr std::uint16_t kFtpPort = 21;
constexpr std::uint16_t kLeastDataPort = 1024;  // of FTP: those below are taken by other services

// Notes hosts that speak FTP. Random bytes between them, or TLS to a port that a server may choose for a file, are a
// file on its way and not a tunnel.
void link_ftp(Flow& flow, std::span<const ModelSummary> models, View view, EndpointMemory& ftp, Timestamp now) {
  Verdict& verdict = flow.verdict;
  const bool identified = verdict.state == IdentificationState::identified;
  const HostPair hosts(flow.key.low, flow.key.high);
  const bool is_control = identified ? models[verdict.model].label == "ftp" || models[verdict.model].label == "ftps"
                                     : !verdict.fully_encrypted && flow.server().port == kFtpPort;
  if (is_control) ftp.note_ftp(hosts, now);
  const bool in_tls =
      identified && models[verdict.model].family == "tls-tunnel" && flow.server().port >= kLeastDataPort;
  if ((!verdict.fully_encrypted && !in_tls) || !ftp.speak_ftp(hosts, now)) return;
  ftp.note_ftp(hosts, now);  // the control connection may be silent for as long as files go
  verdict.fully_encrypted = false;
  if (verdict.state == IdentificationState::undecided ||
      (identified && !in_tls && models[verdict.model].family != "obfuscated"))
    return;
  verdict.basis = LabelBasis::ftp_control;
  const std::string_view label = in_tls ? "ftps-data" : "ftp-data";
  verdict.model = find_model(models, label, Transport::tcp, view);
  if (verdict.model == kNoModel) verdict.model = find_model(models, label, Transport::tcp, View::both);
  const bool has_name = verdict.model != kNoModel;
  verdict.state = has_name ? IdentificationState::identified : IdentificationState::unknown;
  verdict.verdict_class = has_name ? VerdictClass::label : VerdictClass::unknown;
  verdict.score = verdict.margin = 0;
  verdict.rival = kNoModel;
  verdict.tunnel_margin = std::min(verdict.tunnel_margin, 0.0F);
}

// Tools whose every byte is random, and their families.
constexpr std::array<std::string_view, 2> kRandomFamilies = {"obfuscated", "obfuscated-udp"};

// As if there were no models of tunnels.
Match without_tunnels(Match match) {
  match.best = match.best_other;
  match.best_score = match.other_score;
  match.second = match.other_second;
  match.second_score = match.other_second_score;
  match.best_tunnel = kNoModel;
  match.tunnel_score = 0;
  return match;
}

}  // namespace

bool is_of_random_family(std::uint16_t model, std::span<const ModelSummary> models) {
  return model != kNoModel && std::ranges::find(kRandomFamilies, models[model].family) != kRandomFamilies.end();
}

Match match_without(RuledOut ruled_out, const Match& match, std::span<const ModelSummary> models) {
  const std::uint16_t tunnel = match.best_tunnel;
  if (tunnel == kNoModel) return match;
  const bool is_ruled_out = (ruled_out.camouflaged && is_camouflaged(models[tunnel])) ||
                            (ruled_out.random && is_of_random_family(tunnel, models));
  return is_ruled_out ? without_tunnels(match) : match;
}

void judge_flow(Flow& flow, const Judging& judging, const Measured& measured, Progress progress, Timestamp now) {
  Verdict previous = flow.verdict;
  if (previous.basis != LabelBasis::scores) previous.state = IdentificationState::undecided;
  Verdict& verdict = flow.verdict;
  const auto packets = static_cast<unsigned>(measured.packets.size());
  const bool may_be_random = is_of_random_family(measured.match.best_tunnel, judging.models);
  const bool late = joined_late(flow);
  const RuledOut ruled_out{.random = may_be_random && has_structure(measured.packets), .camouflaged = late};
  const Match match = match_without(ruled_out, measured.match, judging.models);
  verdict = classify(match, judging.models, packets, progress, previous, judging.rules);
  verdict.one_way = measured.view != View::both;
  const Transport transport = flow.key.transport;
  if (transport != Transport::tcp && transport != Transport::udp) return;
  verdict.fully_encrypted = !late && is_fully_encrypted(measured.packets);
  if (transport == Transport::tcp && judging.ftp != nullptr)
    link_ftp(flow, judging.models, measured.view, *judging.ftp, now);
  if (verdict.fully_encrypted && verdict.verdict_class == VerdictClass::unknown)
    verdict.verdict_class = VerdictClass::fully_encrypted;
}

}  // namespace spidd
