// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/strict_analysis.h"

#include <algorithm>
#include <map>
#include <utility>

#include "userspace/engine/classification.h"
#include "userspace/engine/flow_facts.h"

namespace spidd {
namespace {

void offer(std::uint16_t& best, float& best_score, std::uint16_t model, float score) {
  if (best != kNoModel && score <= best_score) return;
  best = model;
  best_score = score;
}

class Analysis {
 public:
  Analysis(const StrictAnalysis& how, ReplayWriter& writer, const std::function<void(std::string_view)>& output)
      : how_(how), writer_(writer), output_(output), meters_(how.matcher->rules()) {}

  void judge(const StrictSession& session) {
    meters_.measure(session.packets, fingerprint_, session.tails);
    Flow flow = flow_of(session);
    flow.verdict = strict_verdict(*how_.matcher, session.key.transport, fingerprint_);
    const Decision decision = decide(facts_of(flow, how_.matcher->models()), *how_.policy);
    flow.verdict.action = decision.action;
    flow.verdict.rule = decision.rule;
    verdicts_[{session.key, session.start}] = flow.verdict;
    if (decision.action == Action::pass) return;
    writer_.decision(view_of(flow, session.last), decision, text_);
    flush();
  }

  void ended(const StrictSession& session) {
    Flow flow = flow_of(session);
    const auto verdict = verdicts_.find({session.key, session.start});
    if (verdict != verdicts_.end()) {
      flow.verdict = verdict->second;
      verdicts_.erase(verdict);
    }
    FlowTotals totals;
    totals.counters = session.counters;
    totals.last = session.last;
    totals.closed = session.closed;
    writer_.flow_ended(view_of(flow, session.last), totals, session.closed ? EndReason::closed : EndReason::idle,
                       text_);
    flush();
  }

 private:
  static Flow flow_of(const StrictSession& session) {
    Flow flow;
    flow.key = session.key;
    flow.start = session.start;
    flow.last = session.last;
    flow.client_is_low = session.client_is_low;
    flow.start_seen = true;
    return flow;
  }
  FlowView view_of(const Flow& flow, Timestamp now) const {
    const bool identified = flow.verdict.state == IdentificationState::identified;
    return {flow, identified ? &how_.matcher->models()[flow.verdict.model] : nullptr, now};
  }
  void flush() {
    output_(text_);
    text_.clear();
  }

  const StrictAnalysis& how_;
  ReplayWriter& writer_;
  const std::function<void(std::string_view)>& output_;
  AttributeMeters meters_;
  Fingerprint fingerprint_;
  std::map<std::pair<FlowKey, Timestamp>, Verdict> verdicts_;  // of the sessions that have not ended
  std::string text_;
};

}  // namespace

Match match_any_transport(const Matcher& matcher, const Fingerprint& flow) {
  Match match;
  const auto models = matcher.models();
  if (flow.rows.empty()) return match;
  std::vector<float> scores(models.size());
  for (std::size_t i = 0; i < models.size(); ++i) {
    if (models[i].view != View::both) continue;
    const auto model = static_cast<std::uint16_t>(i);
    const float score = scores[i] = classic_score(matcher.profile(), matcher.divergence(model, flow));
    offer(match.best, match.best_score, model, score);
    if (models[i].category == Category::tunnel)
      offer(match.best_tunnel, match.tunnel_score, model, score);
    else
      offer(match.best_other, match.other_score, model, score);
  }
  for (std::size_t i = 0; i < models.size(); ++i) {
    if (models[i].view != View::both) continue;
    const auto model = static_cast<std::uint16_t>(i);
    if (models[i].family != models[match.best].family) offer(match.second, match.second_score, model, scores[i]);
    if (match.best_other != kNoModel && models[i].category != Category::tunnel &&
        models[i].family != models[match.best_other].family)
      offer(match.other_second, match.other_second_score, model, scores[i]);
  }
  return match;
}

Comparison compare_any_transport(const Matcher& matcher, const Fingerprint& flow) {
  Comparison comparison;
  comparison.match = match_any_transport(matcher, flow);
  const auto models = matcher.models();
  for (std::size_t i = 0; i < models.size(); ++i) {
    if (models[i].view != View::both) continue;
    const auto model = static_cast<std::uint16_t>(i);
    comparison.scores.push_back({model, classic_score(matcher.profile(), matcher.divergence(model, flow))});
  }
  return comparison;
}

Verdict strict_verdict(const Matcher& matcher, Transport transport, const Fingerprint& flow) {
  const Match match =
      !is_classic(matcher.profile()) ? matcher.match(transport, flow, View::both) : match_any_transport(matcher, flow);
  Verdict verdict = classify(match, matcher.models(), flow.payload_packets, Progress::ended, {},
                             classification_rules(matcher.profile()));
  if (verdict.model != kNoModel) verdict.divergence = matcher.divergence(verdict.model, flow);
  return verdict;
}

Result<> analyze_strictly(const std::string& path, const StrictAnalysis& how, ReplayWriter& writer,
                          const std::function<void(std::string_view)>& output, StrictSums& sums) {
  Analysis analysis(how, writer, output);
  StrictSessions sessions(
      how.limits, [&](const StrictSession& session) { analysis.judge(session); },
      [&](const StrictSession& session) {
        ++sums.sessions;
        analysis.ended(session);
      });
  const auto add = [&](const CapturedPacket& packet) {
    if (sums.packets == 0) sums.first = packet.time();
    sums.last = std::max(sums.last, packet.time());
    ++sums.packets;
    sums.bytes += packet.bytes;
    sessions.add(packet);
  };
  auto read = read_packets(path, how.filter, add, sums.not_ip);
  sessions.finish();
  sums.without_session += sessions.counters().without_session;
  sums.never_established += sessions.counters().never_established;
  return read;
}

}  // namespace spidd
