// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Labelled flows for training and for measuring: captures joined with what somebody knows about their flows.
//
// Two forms. A label file names capture, five-tuple, start and label of every flow (label_file.h). Or a tree, where the
// folder says the label: DIR/<label>/*.pcap.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/spid/label_file.h"

namespace spidd {

struct LabelledFlow {
  std::string label;
  std::string family;
  Category category = Category::plain;
  Transport transport = Transport::tcp;  // icmp6 as icmp
  std::uint32_t capture = 0;             // index into TrainingSet::captures
  std::uint32_t group = 0;               // index into TrainingSet::groups
  FlowKey key;
  bool client_is_low = true;
  Timestamp start;
  bool start_seen = false;
  bool answered = true;                // packets of both directions were seen, with payload or without
  std::vector<PayloadPacket> packets;  // at most kRecordLimit, at least one
  std::vector<PayloadTail> tails;      // of the first packets of an original session, else none
};

struct TrainingSet {
  std::vector<std::string> captures;
  // Of each capture, capture_hash() of its file: copies of one capture are one. Shorter than `captures` where unknown.
  std::vector<std::uint64_t> capture_hashes;
  std::vector<std::string> groups;  // flows of one group err together: scenario variant, source environment, or capture
  std::vector<std::string> scenarios;  // of each group that is a scenario variant, else ""
  std::vector<LabelledFlow> flows;     // in the order of captures

  LabelLosses losses;  // rows of the label file that gave no flow
  // "capture: reason", also of captures that cannot be opened; what stands before the damage is used
  std::vector<std::string> damaged;

  // What tells the capture of a flow from others: the hash of its content, or its index if that is unknown (or 0).
  std::uint64_t capture_identity(const LabelledFlow& flow) const;
  bool hash_known(std::uint32_t capture) const {
    return capture < capture_hashes.size() && capture_hashes[capture] != 0;
  }

  // Adds the flows of another set; groups and captures of the same name are the same.
  void merge(TrainingSet other);

  // Flows labelled `label` become flows of the label `into`, with its family and category: two names of one protocol.
  void merge_label(const std::string& label, const std::string& into);

  // Makes each capture a group of its own where all flows of a scenario are of one variant: without it nothing of the
  // scenario could be known to a test on other groups.
  void split_single_variants();
};

struct LabelledCaptures {
  std::string directory;
  LabelTables tables;
  Duration start_tolerance = std::chrono::seconds(2);  // between the row's start and the flow's
  FlowRules rules = FlowRules::engine;
};

// An error if no row gives a flow.
Result<TrainingSet> load_labelled_captures(const LabelledCaptures& sources);

// DIR/<label>/*.pcap, *.pcapng, *.cap: every flow of a file has the label of its folder; the group is the file.
// `taxonomy` may be null: then family = label and category = `category`.
Result<TrainingSet> load_capture_tree(const std::string& directory, const Taxonomy* taxonomy, Category category,
                                      FlowRules rules = FlowRules::engine);

// Every flow of these captures, packets that do not match the filter (pcap-filter(7), "" = all) left out, is of the
// label; the group is the file. An error if none of them can be opened.
Result<TrainingSet> load_filtered_captures(const std::vector<std::string>& captures, const std::string& filter,
                                           const std::string& label, const LabelMeaning& meaning,
                                           FlowRules rules = FlowRules::engine);

}  // namespace spidd
