// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// From scores to a verdict: when enough of a flow has been seen, and whether the best model is good enough to be named.
// Pure functions; the measured reasons for the numbers are in userspace/spid/README.md.
#pragma once

#include <array>
#include <string_view>

#include "userspace/flow/flow.h"
#include "userspace/spid/matcher.h"

namespace spidd {

// Payload packets after which a flow is scored.
inline constexpr std::array<unsigned, 6> kCheckpoints = {3, 4, 6, 8, 12, 20};
constexpr bool is_checkpoint(unsigned payload_packets) {
  for (const unsigned checkpoint : kCheckpoints)
    if (checkpoint == payload_packets) return true;
  return false;
}

// Families of tunnels that look like plain traffic of their carrier: programs without a model are easily taken for
// them.
inline constexpr std::array<std::string_view, 3> kCamouflagedFamilies = {"tls-tunnel", "http-tunnel", "obfuscated"};
bool is_camouflaged(const ModelSummary& tunnel);

// A flow is named after the best tunnel if that beats the best other model by tunnel_margin, else after the best other
// model if that beats the next family. A camouflaged tunnel must lead by more; between the two margins a flow has no
// name. Scores and margins in bits per measurement.
struct ClassificationRules {
  float label_threshold = 0.0F;  // score below which no label is given ...
  bool model_thresholds = true;  // ... and a model may ask for more
  float tunnel_margin = 0.1F;
  float camouflage_margin = 0.17F;  // of camouflaged tunnels
  float member_slack = 0.1F;        // a label may score so much less than its family added up and still be named
  float other_margin = 0.03F;
  unsigned scarce_packets = 2;  // up to so many, the next two hold besides
  float scarce_score = 0.2F;
  float scarce_margin = 0.2F;
  float early_score = 0.6F;              // before settle_packets a verdict counts only with this score ...
  float early_margin = 0.3F;             // ... and this distance to the best model of another family
  unsigned settle_packets = 8;           // the main verdict
  float certain_score = 0.5F;            // same answer at two checkpoints this far above the threshold: final
  unsigned last_packets = kRecordLimit;  // the last verdict is final whatever it is
};

// What the rules of policy/gateway.toml and measurements of accuracy ask of the verdict on a tunnel.
struct TunnelRule {
  float score;
  float margin;

  bool holds(const Verdict& verdict) const { return verdict.tunnel_score >= score && verdict.tunnel_margin >= margin; }
};
inline constexpr TunnelRule kAlertRule{0.0F, 0.1F};
inline constexpr TunnelRule kBlockRule{0.4F, 0.2F};

// What a profile asks for. The classic ones: the nearest model below the threshold, as the original has it.
ClassificationRules classification_rules(Profile profile);
// The same with the label threshold of a policy, which is in bits above average traffic: no matter to classic profiles.
ClassificationRules classification_rules(Profile profile, double label_threshold);

// Tunnels that a flow is none of, whatever its scores.
struct RuledOut {
  bool random = false;       // whose every byte is random: its bytes have structure (spid/randomness.h)
  bool camouflaged = false;  // of kCamouflagedFamilies: TCP whose beginning, which they dress up, was not seen
};

// The model a flow is named after by its scores or, unless it holds, the one that came nearest to it. Margins over no
// model are 16.
struct Candidate {
  std::uint16_t model = kNoModel;  // kNoModel: nothing could be compared
  float score = 0;
  float margin = 0;                 // over `rival`
  float threshold = 0;              // that the score has to reach
  bool holds = false;               // the flow is named after it
  std::uint16_t rival = kNoModel;   // the nearest model of another family
  std::uint16_t beaten = kNoModel;  // the model it has to be ahead of ...
  float lead = 0;                   // ... by how much it is ...
  float needed_lead = 0;            // ... and has to be
};
Candidate choose_candidate(const Match& match, std::span<const ModelSummary> models, unsigned payload_packets,
                           const ClassificationRules& rules);

// How much of the flow the verdict may rely on.
enum class Progress {
  more_to_come,  // at a checkpoint
  paused,        // no packet for some time: say what is known, nothing is final
  ended,         // no packet will come
};

// The verdict on a flow whose first `payload_packets` packets gave `match`. `previous` is the verdict of the checkpoint
// before; action and rule are taken over from it. state is undecided until the verdict may be acted on. An identified
// verdict is of category tunnel exactly if its tunnel score and margin hold; score and margin are those of the label.
// Its class is tunnel if the tool is not clear. Models that nobody confirmed name only what would be unknown without
// them.
Verdict classify(const Match& match, std::span<const ModelSummary> models, unsigned payload_packets, Progress progress,
                 const Verdict& previous, const ClassificationRules& rules);

}  // namespace spidd
