// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What somebody knows about the flows of captures: a label file says which flow has which label, a taxonomy what the
// label means, a manifest which environment a capture comes from. All three are TSV with a header.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "userspace/spid/captured_flows.h"
#include "userspace/spid/protocol_model.h"

namespace spidd {

struct LabelMeaning {
  std::string family;
  std::optional<Category> category;  // none: by-product ("aux"), neither trained nor counted
};

// TSV with the columns label, family, category.
class Taxonomy {
 public:
  static Result<Taxonomy> load(const std::string& path);

  const LabelMeaning* find(const std::string& label) const;

 private:
  std::unordered_map<std::string, LabelMeaning> meanings_;
};

// One row of a label file. Columns that are read: pcap, proto, client_ip, client_port, server_ip, server_port, label
// (all required); start or t_first (seconds since the epoch); scenario and variant (together the group); category (only
// without a taxonomy).
struct LabelRow {
  FlowKey key;
  std::optional<Timestamp> start;
  std::string label;
  LabelMeaning meaning;  // with a category
  std::string group;     // the manifest's, else scenario and variant, else the capture
  std::string scenario;
  bool any_port = false;  // ICMP row of a label file that does not keep echo identifiers apart
  bool used = false;      // a flow was found for it
};

// Rows of a label file that gave no flow, and why.
struct LabelLosses {
  std::uint64_t by_product = 0;      // label of category aux
  std::uint64_t no_meaning = 0;      // label that the taxonomy does not know
  std::uint64_t other_protocol = 0;  // neither TCP, UDP nor ICMP
  std::uint64_t no_payload = 0;      // not found in the capture, or no payload packet in it
};

struct LabelTables {
  std::string labels;
  std::string taxonomy;                 // "": family = label, category from the label file
  std::string manifest;                 // columns file and source_env (the group); may be ""
  Category category = Category::plain;  // of rows without a taxonomy whose file has no category
};

using RowsOfCaptures = std::map<std::string, std::vector<LabelRow>>;

// The rows that can be used, by capture. The others are counted, all but those without payload.
Result<RowsOfCaptures> load_label_rows(const LabelTables& tables, LabelLosses& losses);

// The row that means this flow: same five-tuple, nearest start within the tolerance. A row names one flow, unless it
// leaves the port open. Null if there is none.
LabelRow* find_row(std::vector<LabelRow>& rows, const CapturedFlow& flow, Duration tolerance);

}  // namespace spidd
