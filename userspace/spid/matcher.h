// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Scores a fingerprint against every model of its transport (SPID with a background: profiles bg, bg34, bg43), and
// the divergence of the original for comparison (classic34, classic15).
//
//   score_m = 1/|A| * sum over meters a in A of 1/n_a * sum over bins i of c_ai * R_mai
//   R_mai   = log2((C_mai + alpha * B_ai) / (N_ma + alpha)) - log2 B_ai,  alpha = 64
//
// A: scored meters with measurements in the flow and in the model; B: background, the mean of the distributions of all
// models of the view that have the meter, of any transport, mixed with 10 % uniform; provisional models are no part of
// it. Unit: bits per measurement above the background; 0 = no better than average traffic.
//
// Labels of a family resemble one another more than anything else: tunnel tools in the same carrier, services in TLS.
// So the models of each family with at least two labels of a transport are also matched added up, as a model whose
// label is the family: "tls-tunnel" is a tunnel in TLS, whatever the tool; "tls" is what a service in TLS looks like,
// whoever wrote the programs.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "userspace/spid/profile.h"
#include "userspace/spid/protocol_model.h"

namespace spidd {

inline constexpr std::uint16_t kNoModel = 0xffff;

// What the engine needs to know of a model without its counters.
struct ModelSummary {
  std::string label;
  std::string family;
  Category category = Category::plain;
  Transport transport = Transport::tcp;
  std::uint32_t flows = 0;
  std::uint32_t captures = 0;
  std::uint64_t payload_packets = 0;
  float threshold = 0;  // score below which the label is not given
  View view = View::both;
  Origin origin = Origin::shipped;
  bool provisional = false;
  bool may_block = false;    // it has the evidence, and is not provisional
  bool family_only = false;  // a family added up, and no model has its name: says what kind, not which program
};

// Result of matching one fingerprint. Scores in bits per measurement; under a classic profile they are classic_score():
// more is nearer, and what the original accepts is above 0, there, too.
struct Match {
  std::uint16_t best = kNoModel;              // index into Matcher::models(); kNoModel if nothing could be compared
  std::uint16_t second = kNoModel;            // best model of another family
  std::uint16_t best_tunnel = kNoModel;       // best model of category tunnel
  std::uint16_t best_other = kNoModel;        // best model of any other category
  std::uint16_t other_second = kNoModel;      // best model of any other category and another family than best_other
  std::uint16_t other_member = kNoModel;      // if best_other is a family added up: the best of its labels
  std::uint16_t best_provisional = kNoModel;  // best model that nobody confirmed; never one of those above
  float best_score = 0;
  float second_score = 0;
  float tunnel_score = 0;
  float other_score = 0;
  float other_second_score = 0;
  float other_member_score = 0;
  float provisional_score = 0;

  // Between the best tunnel and the best other model: > 0 says tunnel. Only meaningful if both exist.
  float tunnel_margin() const { return tunnel_score - other_score; }
};

// Immutable once built; any number of threads may match at the same time. Scoring is fixed-point and gives the same
// bits on every CPU and on every code path.
class Matcher {
 public:
  // Requires: `simd` is one of available_simd().
  static Result<Matcher> build(const ModelDatabase& database, Profile profile = Profile::background,
                               Simd simd = best_simd());
  ~Matcher();
  Matcher(Matcher&&) noexcept;
  Matcher& operator=(Matcher&&) noexcept;

  // The models of the database in its order, then the families added up.
  std::span<const ModelSummary> models() const;
  std::size_t database_models() const;  // how many of them are models of the database
  Profile profile() const;
  MeterRules rules() const;  // that the models, and so the flows, are measured with

  // Score of every model of the transport and view, in no particular order; others get no entry.
  struct Score {
    std::uint16_t model;
    float score;
  };
  void score_all(Transport transport, const Fingerprint& flow, std::vector<Score>& out, View view = View::both) const;

  // Does not allocate. `view`: the directions in which the flow had payload.
  Match match(Transport transport, const Fingerprint& flow, View view = View::both) const;

  // What each meter adds to the score of every model of a flow: to match it with a meter left out, with nothing built
  // anew. For measuring what meters are good for. Requires: no classic profile.
  struct MeterSums {
    unsigned table = 0;
    std::uint64_t meters = 0;            // bit per meter that has measurements in the flow
    std::vector<std::int32_t> total;     // by column
    std::vector<std::int32_t> by_meter;  // meter by meter
  };
  void sum_by_meter(Transport transport, const Fingerprint& flow, View view, MeterSums& out) const;

  // As match() if no model had the meter. Requires: meter < kMeterCount; sums of this matcher.
  Match match_without(unsigned meter, const MeterSums& sums) const;

  // The original's divergence of the flow from a model, over the meters of the profile (classic_meters()), in bits.
  // Does not allocate. Requires: model < models().size().
  float divergence(std::uint16_t model, const Fingerprint& flow) const;

  // What each meter adds to the score of a model: the parts add up to the score. Requires: model < models().size(), and
  // the flow is of its transport and view.
  std::array<float, kMeterCount> explain(std::uint16_t model, const Fingerprint& flow) const;

 private:
  struct Tables;
  explicit Matcher(std::unique_ptr<Tables> tables);
  std::unique_ptr<Tables> tables_;
};

// Divergence of the original (Kullback-Leibler, observation || model, base 2, mean over the meters named), in bits.
// Specification: userspace/spid/README.md, "classic". `meters` holds meter numbers.
double classic_divergence(const Fingerprint& flow, const ProtocolModel& model, std::span<const unsigned> meters);

}  // namespace spidd
