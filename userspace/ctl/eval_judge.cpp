// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/eval_judge.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "userspace/ctl/strict_analysis.h"
#include "userspace/spid/meter_functions.h"
#include "userspace/spid/randomness.h"
#include "userspace/spid/trainer.h"

namespace spidd {

std::string moment_name(unsigned moment) {
  return moment == kFinal ? "final verdict" : fmt::format("{} payload packets", moment);
}

std::vector<unsigned> VerdictsOfFlow::steps(unsigned payload_packets) {
  std::vector<unsigned> steps;
  for (const unsigned checkpoint : kCheckpoints)
    if (checkpoint <= payload_packets) steps.push_back(checkpoint);
  for (const unsigned moment : kMoments)
    if (moment != kFinal) steps.push_back(std::min(moment, payload_packets));
  steps.push_back(payload_packets);
  std::ranges::sort(steps);
  const auto twice = std::ranges::unique(steps);
  steps.erase(twice.begin(), twice.end());
  return steps;
}

unsigned VerdictsOfFlow::step(const Measured& measured, Timestamp now) {
  const auto count = static_cast<unsigned>(measured.packets.size());
  unsigned decided = 0;
  for (std::size_t i = 0; i < kMoments.size(); ++i) {
    Flow& flow = flows_[i];
    if (kMoments[i] != kFinal) {
      if (count != std::min(kMoments[i], packets_)) continue;
      judge_flow(flow, {judging_.models, judging_.rules, asked_}, measured, Progress::ended, now);
    } else {
      if (flow.verdict.final) continue;
      if (is_checkpoint(count)) judge_flow(flow, judging_, measured, Progress::more_to_come, now);
      if (!flow.verdict.final && count == packets_) judge_flow(flow, judging_, measured, Progress::ended, now);
      if (!flow.verdict.final) continue;
    }
    decided |= 1U << i;
  }
  return decided;
}

// A flow on its way through the checkpoints.
struct CaptureJudge::Course {
  bool is_other = false;  // judged for what it tells of its hosts only
  std::vector<PayloadPacket> shown;
  std::vector<PayloadTail> tails;  // of the first ones
  bool answered = false;
  VerdictsOfFlow verdicts;
  JudgedFlow judged;
  std::vector<VerdictsOfFlow> ablated;  // by meter; empty unless asked for
};

// A checkpoint of a course. Of several at the same time the first course's is first.
struct CaptureJudge::Step {
  Timestamp time;
  std::size_t course = 0;
  unsigned count = 0;

  auto operator<=>(const Step&) const = default;
};

CaptureJudge::CaptureJudge(const EvalInput& input, const Matcher& matcher, std::optional<View> one_way)
    : input_(input),
      matcher_(matcher),
      one_way_(one_way),
      any_transport_(matcher.rules() == MeterRules::strict && is_classic(matcher.profile())),
      rules_(classification_rules(matcher.profile())),
      meters_(matcher.rules()) {}

Outcome CaptureJudge::truth_of(std::size_t index, View view) const {
  const LabelledFlow& flow = input_.set.flows[index];
  Outcome outcome;
  outcome.label = input_.truths[index].label;
  outcome.trained_as = flow.label;
  outcome.family = flow.family;
  outcome.is_tunnel = input_.truths[index].is_tunnel;
  outcome.group = flow.group;
  outcome.capture = flow.capture;
  const auto models = matcher_.models().first(matcher_.database_models());
  outcome.known = std::ranges::any_of(models, [&](const ModelSummary& model) {
    return model.label == flow.label && model.transport == flow.transport && model.view == view;
  });
  return outcome;
}

// scores_ are those that the verdict rests on.
void CaptureJudge::name(const Verdict& verdict, Outcome& outcome) const {
  outcome.lead = verdict.tunnel_margin;
  std::string_view family;
  if (verdict.state == IdentificationState::identified) {
    const ModelSummary& model = matcher_.models()[verdict.model];
    family = outcome.named = model.family;
    outcome.alert = model.category == Category::tunnel && kAlertRule.holds(verdict);
    outcome.block = outcome.alert && kBlockRule.holds(verdict);
    if (verdict.model < matcher_.database_models()) outcome.named_label = model.label;
  }
  float nearest = -std::numeric_limits<float>::infinity();
  float nearest_of_family = nearest;
  for (const Matcher::Score& score : scores_) {
    if (score.model >= matcher_.database_models()) continue;
    const ModelSummary& model = matcher_.models()[score.model];
    if (score.score > nearest) {
      nearest = score.score;
      outcome.nearest = model.label;
    }
    // A family added up has no label of its own: its nearest member stands for it.
    if (verdict.model >= matcher_.database_models() && model.family == family && score.score > nearest_of_family) {
      nearest_of_family = score.score;
      outcome.named_label = model.label;
    }
  }
}

bool CaptureJudge::is_shown(const PayloadPacket& packet) const {
  return !one_way_ || (packet.direction == Direction::to_server) == (*one_way_ == View::to_server);
}

std::vector<PayloadPacket> CaptureJudge::show(const LabelledFlow& flow) const {
  std::vector<PayloadPacket> shown;
  std::ranges::copy_if(flow.packets, std::back_inserter(shown),
                       [this](const PayloadPacket& packet) { return is_shown(packet); });
  return shown;
}

std::vector<PayloadTail> CaptureJudge::show_tails(const LabelledFlow& flow) const {
  std::vector<PayloadTail> shown;
  for (std::size_t i = 0; i < flow.tails.size(); ++i)
    if (is_shown(flow.packets[i])) shown.push_back(flow.tails[i]);
  return shown;
}

// Whether a rule on FTP could matter to the flow: it is random or in TLS.
bool CaptureJudge::may_be_ftp_data(const LabelledFlow& flow) const {
  if (flow.transport != Transport::tcp) return false;
  const auto shown = show(flow);
  if (!shown.empty() && starts_tls_record(payload_of(shown.front()))) return true;
  return std::ranges::any_of(VerdictsOfFlow::steps(static_cast<unsigned>(shown.size())),
                             [&](unsigned count) { return is_fully_encrypted(std::span(shown).first(count)); });
}

void CaptureJudge::add_course(std::size_t index, bool is_other, bool ablate, FtpHosts& hosts, AskedFtpHosts& asked,
                              std::vector<Course>& courses) const {
  const LabelledFlow& flow = input_.set.flows[index];
  auto shown = show(flow);
  if (shown.empty()) return;
  Flow same;
  same.key = flow.key;
  same.client_is_low = flow.client_is_low;
  same.start_seen = flow.start_seen;
  const Judging judging{matcher_.models(), rules_, &hosts};
  const auto packets = static_cast<unsigned>(shown.size());
  const bool answered = flow.answered && !one_way_;
  const View view = view_of(shown, answered);
  Course& course = courses.emplace_back(is_other, std::move(shown), show_tails(flow), answered,
                                        VerdictsOfFlow(judging, &asked, same, packets));
  course.judged.flow = index;
  course.judged.outcomes.fill(truth_of(index, view));
  const Judging asking{matcher_.models(), rules_, &asked};
  if (!ablate) return;
  course.ablated.reserve(kMeterCount);
  while (course.ablated.size() < kMeterCount) course.ablated.emplace_back(asking, &asked, same, packets);
}

void CaptureJudge::judge(std::span<const std::size_t> flows, std::span<const std::size_t> others,
                         std::vector<JudgedFlow>& judged, std::vector<AblatedFlow>* ablated) {
  FtpHosts hosts;
  AskedFtpHosts asked(hosts);
  std::vector<Course> courses;
  courses.reserve(flows.size() + others.size());
  const auto& set = input_.set.flows;
  for (const std::size_t flow : flows) add_course(flow, false, ablated != nullptr, hosts, asked, courses);
  if (!others.empty() && std::ranges::any_of(flows, [&](std::size_t i) { return may_be_ftp_data(set[i]); })) {
    for (const std::size_t flow : others)
      if (set[flow].transport == Transport::tcp) add_course(flow, true, false, hosts, asked, courses);
  }
  std::vector<Step> steps;
  for (std::size_t i = 0; i < courses.size(); ++i) {
    Timestamp time = Timestamp::min();  // the clock of a capture may jump back
    for (const unsigned count : VerdictsOfFlow::steps(static_cast<unsigned>(courses[i].shown.size()))) {
      time = std::max(time, courses[i].shown[count - 1].time);
      steps.push_back({time, i, count});
    }
  }
  std::ranges::sort(steps);
  for (const Step& step : steps) take(step, courses[step.course]);
  for (Course& course : courses) {
    if (course.is_other) continue;
    if (ablated != nullptr) ablated->push_back(brief(course));
    judged.push_back(std::move(course.judged));
  }
}

// Judges a flow by its first packets, as they are there at the time of the last of them.
void CaptureJudge::take(const Step& step, Course& course) {
  const LabelledFlow& flow = input_.set.flows[course.judged.flow];
  const auto packets = std::span(course.shown).first(step.count);
  meters_.measure(packets, fingerprint_, course.tails);
  const View view = view_of(packets, course.answered);
  const Match match =
      any_transport_ ? match_any_transport(matcher_, fingerprint_) : matcher_.match(flow.transport, fingerprint_, view);
  const unsigned decided = course.verdicts.step({match, packets, view}, step.time);
  if (course.is_other) return;
  if (decided != 0) {
    matcher_.score_all(flow.transport, fingerprint_, scores_, view);
    for (std::size_t i = 0; i < kMoments.size(); ++i)
      if (decided >> i & 1U) name(course.verdicts.at(i), course.judged.outcomes[i]);
    if (step.count == course.shown.size()) note_scores(flow, course.judged);
  }
  if (course.ablated.empty()) return;
  matcher_.sum_by_meter(flow.transport, fingerprint_, view, sums_);
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    if ((scored_meters(matcher_.profile()) >> meter & 1) == 0) continue;
    const Match without = matcher_.match_without(meter, sums_);
    course.ablated[meter].step({without, packets, view}, step.time);
  }
}

// scores_ are those of the whole flow.
void CaptureJudge::note_scores(const LabelledFlow& flow, JudgedFlow& judged) const {
  for (const Matcher::Score& score : scores_) {
    const ModelSummary& model = matcher_.models()[score.model];
    std::optional<float>* best = nullptr;
    if (model.label == flow.label && score.model < matcher_.database_models()) best = &judged.own_score;
    if (model.family != flow.family) best = &judged.rival_score;
    if (best != nullptr && (!*best || score.score > **best)) *best = score.score;
  }
}

AblatedFlow CaptureJudge::brief(const Course& course) const {
  AblatedFlow ablated;
  ablated.flow = course.judged.flow;
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    for (std::size_t i = 0; i < kMoments.size(); ++i) {
      const Verdict& verdict = course.ablated[meter].at(i);
      AblatedFlow::Brief& said = ablated.briefs[meter][i];
      if (verdict.state != IdentificationState::identified) continue;
      const ModelSummary& model = matcher_.models()[verdict.model];
      said.named = model.family;
      said.alert = model.category == Category::tunnel && kAlertRule.holds(verdict);
      said.block = said.alert && kBlockRule.holds(verdict);
    }
  }
  return ablated;
}

}  // namespace spidd
