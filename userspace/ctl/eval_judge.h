// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Runs the labelled flows of a capture through the engine's checkpoints and says what the engine would have said of
// them.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "userspace/ctl/eval_input.h"
#include "userspace/engine/flow_verdict.h"
#include "userspace/spid/evaluation.h"

namespace spidd {

// When a flow is asked for: after so many payload packets as if no more came, or the engine's last word.
inline constexpr unsigned kFinal = 0;
inline constexpr std::array<unsigned, 4> kMoments = {4, 8, 20, kFinal};
std::string moment_name(unsigned moment);  // "8 payload packets", "final verdict"

// Which hosts speak FTP, of one capture. Of servers it knows nothing: names by endpoint are not measured.
class FtpHosts final : public EndpointMemory {
 public:
  EndpointRecord recall(const ServerKey&, const IpAddress&, Timestamp) override { return {}; }
  void observe(const EndpointObservation&) override {}
  bool speak_ftp(const HostPair& hosts, Timestamp now) override { return pairs_.has(hosts, now); }
  void note_ftp(const HostPair& hosts, Timestamp now) override { pairs_.add(hosts, now); }

 private:
  HostPairTable pairs_{EndpointLimits{}.ftp_pairs, EndpointLimits{}.lifetime};
};

// The same, asked by who is not to tell: a flow judged as if it had ended here, or as if a meter did not exist.
class AskedFtpHosts final : public EndpointMemory {
 public:
  explicit AskedFtpHosts(EndpointMemory& hosts) : hosts_(hosts) {}

  EndpointRecord recall(const ServerKey&, const IpAddress&, Timestamp) override { return {}; }
  void observe(const EndpointObservation&) override {}
  bool speak_ftp(const HostPair& hosts, Timestamp now) override { return hosts_.speak_ftp(hosts, now); }
  void note_ftp(const HostPair&, Timestamp) override {}

 private:
  EndpointMemory& hosts_;
};

// The verdicts on one flow at all moments.
class VerdictsOfFlow {
 public:
  // `flow`: key and client. The final verdict is that of an engine that judges so; the other moments ask `asked` for
  // FTP hosts. `rules` and the memories (may be null) must outlive this.
  VerdictsOfFlow(const Judging& judging, EndpointMemory* asked, const Flow& flow, unsigned payload_packets)
      : judging_(judging), asked_(asked), packets_(payload_packets) {
    flows_.fill(flow);
  }

  // Payload packets after which the flow has to be matched: rising, the last is all of them.
  static std::vector<unsigned> steps(unsigned payload_packets);

  // Takes what was measured after each of steps(), in that order. Returns the moments (bit per index into kMoments)
  // that now have their verdict.
  unsigned step(const Measured& measured, Timestamp now);

  const Verdict& at(std::size_t moment) const { return flows_[moment].verdict; }

 private:
  Judging judging_;
  EndpointMemory* asked_;
  unsigned packets_;
  std::array<Flow, kMoments.size()> flows_;  // the same one
};

// What became of one flow at each moment.
struct JudgedFlow {
  std::size_t flow = 0;  // index into the set
  std::array<Outcome, kMoments.size()> outcomes;
  std::optional<float> own_score;    // of the model of its label, all packets seen
  std::optional<float> rival_score;  // best of another family
};

// What a flow would be called if a meter did not exist.
struct AblatedFlow {
  struct Brief {
    std::string named;
    bool alert = false;
    bool block = false;
  };

  std::size_t flow = 0;
  std::array<std::array<Brief, kMoments.size()>, kMeterCount> briefs;  // of meters that are scored
};

// One per thread.
class CaptureJudge {
 public:
  // All must outlive this. `one_way`: of each flow only this direction is shown.
  CaptureJudge(const EvalInput& input, const Matcher& matcher, std::optional<View> one_way);

  // Judges flows of one capture in the order of their packets, so that FTP data is known by its control connection.
  // `others`: the capture's other flows; they are only looked at where one of them may be such a control connection.
  // A flow that has no packet in the direction shown is left out. `ablated`: the same with each meter left out in turn;
  // null: not asked for. Requires for it: the background profile.
  void judge(std::span<const std::size_t> flows, std::span<const std::size_t> others, std::vector<JudgedFlow>& judged,
             std::vector<AblatedFlow>* ablated);

 private:
  struct Course;
  struct Step;

  bool is_shown(const PayloadPacket& packet) const;
  std::vector<PayloadPacket> show(const LabelledFlow& flow) const;
  std::vector<PayloadTail> show_tails(const LabelledFlow& flow) const;
  bool may_be_ftp_data(const LabelledFlow& flow) const;
  void add_course(std::size_t flow, bool is_other, bool ablate, FtpHosts& hosts, AskedFtpHosts& asked,
                  std::vector<Course>& courses) const;
  void take(const Step& step, Course& course);
  void note_scores(const LabelledFlow& flow, JudgedFlow& judged) const;
  AblatedFlow brief(const Course& course) const;
  Outcome truth_of(std::size_t flow, View view) const;
  void name(const Verdict& verdict, Outcome& outcome) const;

  const EvalInput& input_;
  const Matcher& matcher_;
  std::optional<View> one_way_;
  bool any_transport_;  // as the original compares
  ClassificationRules rules_;
  AttributeMeters meters_;
  Fingerprint fingerprint_;
  std::vector<Matcher::Score> scores_;
  Matcher::MeterSums sums_;
};

}  // namespace spidd
