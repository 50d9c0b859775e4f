// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A detector as it follows from its settings: which packets it scores and which it learns from, which counts make the
// score, what it waits for and how it says so. Immutable; everything that changes is in Spade. Source: spade.md 2.1, 3,
// 5.3, 6.1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "userspace/base/result.h"
#include "userspace/spade/alert.h"
#include "userspace/spade/compatibility.h"
#include "userspace/spade/conditions.h"
#include "userspace/spade/probability_table.h"
#include "userspace/spade/threshold_observer.h"

namespace spidd {

// A table that a detector reads: the packets recorded in it, and at least these features.
struct TableNeed {
  Conditions recorded = 0;
  std::vector<Feature> features;
  Decay decay;
  std::size_t entropy_depth = 0;  // the prefix whose entropy is asked for; 0: none
};

// Packets that answer what a detector reported: all of `all`, and one of `any`.
struct ResponseScope {
  Conditions all = 0;
  Conditions any = 0;

  bool matches(Conditions conditions) const { return (conditions & any) != 0 && (conditions & all) == all; }
};

// What becomes of a waiting report.
struct Resolution {
  bool report = false;
  PortStatus status = PortStatus::unknown;
};

// Whether answers change anything for such a detector.
bool waits_for_answers(const DetectorSettings& settings);

class Detector {
 public:
  enum class Waiting : std::uint8_t {
    none,
    for_absence,   // a response means open: without one the report is made
    for_presence,  // a response means closed: it makes the report
  };

  // A small baseline leans on what all sources do, as if it had this many observations of that (spade.md 12.7.9).
  static constexpr double kPriorWeight = 10;
  // So much of its own is needed then.
  static constexpr double kPriorMinimum = 20;

  // Counts of the detector's tables; the second table is of probmode 0 and of a prior only, else null. odd-typecode has
  // two tables, one for each version of ICMP: that of the packet is the first.
  struct Counts {
    const ProbabilityTable::Counts* first = nullptr;
    const ProbabilityTable::Counts* second = nullptr;
  };

  // `asset_prior`: P = (c + m q) / (C + m) for odd-dport and odd-port-dest, q being the share among all sources. An
  // error names what the type cannot do.
  static Result<Detector> create(const DetectorSettings& settings, const Compatibility& compatibility,
                                 bool asset_prior = false);

  const DetectorSettings& settings() const { return settings_; }
  Conditions scope() const { return scope_; }
  const std::vector<TableNeed>& tables() const { return needs_; }
  // One of its tables() is for ICMPv6, the other for everything else.
  bool counts_versions_apart() const { return settings_.type == DetectorType::odd_typecode; }
  // The packet's own record changes what the next equal packet is scored by.
  bool learns_from_scored() const { return learns_from_scored_; }
  // Level of the counts that minobs is about: 0 the whole table.
  std::size_t gate_level() const { return gate_level_; }
  // Prefix that maxentropy is about; 0: no such gate.
  std::size_t entropy_depth() const { return entropy_depth_; }

  // What its scores are: a threshold among scores of one kind says nothing among those of another.
  std::string score_kind() const;
  // Before the packet is recorded, after `added` equal packets were. Nothing: undefined, no alert (3.3).
  struct Score {
    ScoreValue value;
    double base = 0;
  };
  std::optional<Score> score(const Counts& counts, double added = 0) const;

  Waiting waiting() const { return waiting_; }
  const ResponseScope& responses() const { return responses_; }
  // For D2: classes of TCP packets that the scope, and what is waited for, make the original look at.
  Conditions examined() const;
  void forget_responses(Conditions classes) { responses_.any &= ~classes; }
  PortStatus first_status() const;
  // Of a response with `conditions` to packets that went to `destination`; nothing: it changes nothing.
  std::optional<Resolution> answered(const IpAddress& destination, const Observation& response,
                                     Conditions conditions) const;
  Resolution timed_out() const;

  unsigned sid() const;
  // `waited`: the report comes out of waiting.
  const std::string& activity(bool waited) const { return waited ? activity_waited_ : activity_at_once_; }
  const std::string& scope_text() const { return scope_text_; }

 private:
  Detector(const DetectorSettings& settings, const Compatibility& compatibility)
      : settings_(settings), compatibility_(compatibility) {}

  Result<> plan();
  Result<> plan_closed_dport();
  Result<> plan_dead_dest();
  Result<> plan_odd(std::vector<Feature> features);
  void lean_on_group();
  void plan_odd_typecode();
  void plan_texts();
  std::optional<Score> bayes_score(const Counts& counts, double added) const;
  Score scored(double probability, double relative, double base) const;

  DetectorSettings settings_;
  Compatibility compatibility_;
  Conditions scope_ = 0;
  std::vector<TableNeed> needs_;
  bool learns_from_scored_ = true;
  std::size_t base_level_ = 0;
  std::size_t target_level_ = 0;
  std::size_t gate_level_ = 0;
  std::size_t entropy_depth_ = 0;
  bool asset_prior_ = false;
  Waiting waiting_ = Waiting::none;
  ResponseScope responses_;
  std::string activity_at_once_;
  std::string activity_waited_;
  std::string scope_text_;
};

}  // namespace spidd
