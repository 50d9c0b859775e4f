// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/engine/flow_verdict.h"

#include <algorithm>

#include "userspace/engine/flow_facts.h"
#include "userspace/spid/randomness.h"

namespace spidd {

namespace {

constexpr std::uint16_t kFtpPort = 21;

// Notes hosts that speak FTP. Random bytes between them are a file on its way, not an obfuscated tunnel.
void link_ftp(Flow& flow, std::span<const ModelSummary> models, View view, EndpointMemory& ftp, Timestamp now) {
  Verdict& verdict = flow.verdict;
  const bool identified = verdict.state == IdentificationState::identified;
  const HostPair hosts(flow.key.low, flow.key.high);
  const bool is_control = identified ? models[verdict.model].label == "ftp" || models[verdict.model].label == "ftps"
                                     : !verdict.fully_encrypted && flow.server().port == kFtpPort;
  if (is_control) ftp.note_ftp(hosts, now);
  if (!verdict.fully_encrypted || !ftp.speak_ftp(hosts, now)) return;
  ftp.note_ftp(hosts, now);  // the control connection may be silent for as long as files go
  verdict.fully_encrypted = false;
  if (verdict.state == IdentificationState::undecided || (identified && models[verdict.model].family != "obfuscated"))
    return;
  verdict.basis = LabelBasis::ftp_control;
  verdict.model = find_model(models, "ftp-data", Transport::tcp, view);
  if (verdict.model == kNoModel) verdict.model = find_model(models, "ftp-data", Transport::tcp, View::both);
  const bool has_name = verdict.model != kNoModel;
  verdict.state = has_name ? IdentificationState::identified : IdentificationState::unknown;
  verdict.verdict_class = has_name ? VerdictClass::label : VerdictClass::unknown;
  verdict.score = verdict.margin = 0;
  verdict.tunnel_margin = std::min(verdict.tunnel_margin, 0.0F);
}

}  // namespace

void judge_flow(Flow& flow, const Judging& judging, const Measured& measured, Progress progress, Timestamp now) {
  Verdict previous = flow.verdict;
  if (previous.basis != LabelBasis::scores) previous.state = IdentificationState::undecided;
  Verdict& verdict = flow.verdict;
  const auto packets = static_cast<unsigned>(measured.packets.size());
  verdict = classify(measured.match, judging.models, packets, progress, previous, judging.rules);
  verdict.one_way = measured.view != View::both;
  const Transport transport = flow.key.transport;
  if (transport != Transport::tcp && transport != Transport::udp) return;
  verdict.fully_encrypted = is_fully_encrypted(measured.packets);
  if (transport == Transport::tcp && judging.ftp != nullptr)
    link_ftp(flow, judging.models, measured.view, *judging.ftp, now);
  if (verdict.fully_encrypted && verdict.verdict_class == VerdictClass::unknown)
    verdict.verdict_class = VerdictClass::fully_encrypted;
}

}  // namespace spidd
