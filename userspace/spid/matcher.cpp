// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Matching: one table per transport and view, in blocks of up to 256 models; the sums of a block become scores while
// they are hot.
#include "userspace/spid/matcher.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

#include "userspace/spid/classic_table.h"
#include "userspace/spid/score_tables.h"

namespace spidd {
namespace {

constexpr unsigned kBlockColumns = kColumnGroup * kMaxColumnGroups;

struct Column {
  std::uint16_t model = kNoModel;
  std::uint16_t family = 0;
  bool is_tunnel = false;
  bool provisional = false;
  bool is_sum = false;  // a family added up
  MeterMask meters = 0;
};

// The models a flow is compared with: of its transport and of the directions it was seen in.
struct Table {
  std::vector<Column> columns;     // families added up, then the others
  std::vector<ScoreBlock> blocks;  // block b has columns 256 b to 256 b + 255
};

constexpr unsigned kViews = 3;
constexpr unsigned kTables = 3 * kViews;

// kTables if flows of the transport are not matched.
unsigned table_index(Transport transport, View view) {
  switch (model_transport(transport)) {
    case Transport::icmp:
      return static_cast<unsigned>(view);
    case Transport::tcp:
      return kViews + static_cast<unsigned>(view);
    case Transport::udp:
      return 2 * kViews + static_cast<unsigned>(view);
    default:
      return kTables;
  }
}

// Keeps the best of the models shown to it; of equals the one shown first.
struct Best {
  const Column* column = nullptr;
  float score = -std::numeric_limits<float>::infinity();

  bool offer(const Column& candidate, float candidate_score) {
    if (candidate_score <= score) return false;
    column = &candidate;
    score = candidate_score;
    return true;
  }
  bool has_family(const Column& other) const { return column != nullptr && column->family == other.family; }
  void store(std::uint16_t& model, float& value) const {
    if (column == nullptr) return;
    model = column->model;
    value = score;
  }
};

// The best model and the best of another family.
struct BestTwo {
  Best best;
  Best second;

  void offer(const Column& candidate, float score) {
    const Best before = best;
    if (best.offer(candidate, score)) {
      // What was best so far beats all others; it is the second unless the new best is its sibling.
      if (before.column != nullptr && before.column->family != candidate.family) second = before;
    } else if (best.column->family != candidate.family) {
      second.offer(candidate, score);
    }
  }
};

// The models of each family, category, transport and view added up, where there are at least two. What nobody has
// confirmed takes no part.
std::vector<ProtocolModel> add_up_families(std::span<const ProtocolModel> models) {
  std::map<std::tuple<std::string_view, Category, Transport, View>, std::vector<const ProtocolModel*>> members;
  for (const ProtocolModel& model : models) {
    if (!model.provisional) members[{model.family, model.category, model.transport, model.view}].push_back(&model);
  }
  std::vector<ProtocolModel> families;
  for (const auto& [key, labels] : members) {
    if (labels.size() < 2) continue;
    ProtocolModel& sum = families.emplace_back();
    sum.label = sum.family = std::get<std::string_view>(key);
    sum.category = std::get<Category>(key);
    sum.transport = std::get<Transport>(key);
    sum.view = std::get<View>(key);
    for (const ProtocolModel* label : labels) sum.merge(*label);
  }
  return families;
}

ModelSummary summary_of(const ProtocolModel& model) {
  ModelSummary summary;
  summary.label = model.label;
  summary.family = model.family;
  summary.category = model.category;
  summary.transport = model.transport;
  summary.flows = model.flows;
  summary.captures = model.captures;
  summary.payload_packets = model.payload_packets;
  summary.threshold = model.threshold;
  summary.view = model.view;
  summary.origin = model.origin;
  summary.provisional = model.provisional;
  summary.may_block = model.has_evidence() && !model.provisional;
  return summary;
}

}  // namespace

struct Matcher::Tables {
  std::vector<ModelSummary> models;
  std::vector<ClassicTable> classic;  // of each of the models
  std::size_t database_models = 0;
  Profile profile = Profile::background;
  MeterRules rules = MeterRules::corrected;
  std::array<Table, kTables> tables;
  Simd simd = best_simd();

  // Calls use(column, score) for every model of the table that shares a meter with the flow.
  template <class Use>
  void for_each_score(const Table& table, const Fingerprint& flow, Use use) const {
    const FlowWeights weights(flow, simd);
    const ScoreKernel kernel = score_kernel(simd);
    MeterMask meters = 0;
    unsigned shared = 0;  // of `meters` and the flow's; models mostly have the same
    std::array<std::int32_t, kBlockColumns> sums;
    for (std::size_t block = 0; block < table.blocks.size(); ++block) {
      kernel(table.blocks[block].table(), table.blocks[block].groups(), weights.rows(), sums.data());
      const std::size_t first = block * kBlockColumns;
      const std::size_t count = std::min<std::size_t>(kBlockColumns, table.columns.size() - first);
      for (std::size_t i = 0; i < count; ++i) {
        const Column& column = table.columns[first + i];
        if (column.meters != meters) {
          meters = column.meters;
          shared = static_cast<unsigned>(std::popcount(meters & weights.meters()));
        }
        if (shared != 0) use(column, to_score(sums[i], shared));
      }
    }
  }

  template <class Use>
  void for_each_divergence(const Table& table, const Fingerprint& flow, Use use) const {
    const std::span<const unsigned> meters = classic_meters(profile);
    for (const Column& column : table.columns)
      use(column, classic_score(profile, static_cast<float>(classic[column.model].divergence(flow, meters))));
  }

  // More is nearer, whatever the profile.
  template <class Use>
  void for_each(Transport transport, View view, const Fingerprint& flow, Use use) const {
    const unsigned index = table_index(transport, view);
    if (index == kTables || flow.rows.empty()) return;
    if (is_classic(profile))
      for_each_divergence(tables[index], flow, use);
    else
      for_each_score(tables[index], flow, use);
  }

  // The match among what for_each_model(offer) shows by offer(column, score).
  template <class ForEach>
  static Match best_of(ForEach for_each_model);
};

Matcher::Matcher(std::unique_ptr<Tables> tables) : tables_(std::move(tables)) {}
Matcher::~Matcher() = default;
Matcher::Matcher(Matcher&&) noexcept = default;
Matcher& Matcher::operator=(Matcher&&) noexcept = default;

Result<Matcher> Matcher::build(const ModelDatabase& database, Profile profile, Simd simd) {
  if (database.models.size() > kMaxModels) {
    return fail("{} models are more than {}", database.models.size(), kMaxModels);
  }
  auto tables = std::make_unique<Tables>();
  tables->profile = profile;
  tables->simd = simd;
  tables->rules = database.rules;
  const MeterMask scored = scored_meters(profile);
  std::map<std::string_view, std::uint16_t> families;
  std::array<std::vector<const ProtocolModel*>, kTables> members;
  const auto add_column = [&](const ProtocolModel& model, std::size_t number, bool is_sum) -> Result<void> {
    const unsigned index = table_index(model.transport, model.view);
    if (index == kTables) return fail("model {} has a transport that is not matched", model.label);
    const auto family = families.try_emplace(model.family, static_cast<std::uint16_t>(families.size())).first->second;
    tables->tables[index].columns.push_back({static_cast<std::uint16_t>(number), family,
                                             model.category == Category::tunnel, model.provisional, is_sum,
                                             measured_meters(model) & scored});
    members[index].push_back(&model);
    return {};
  };
  std::vector<ProtocolModel> sums;
  if (!is_classic(profile)) sums = add_up_families(database.models);
  tables->database_models = database.models.size();
  for (std::size_t i = 0; i < sums.size(); ++i)
    if (auto added = add_column(sums[i], database.models.size() + i, true); !added)
      return tl::unexpected(added.error());
  for (std::size_t i = 0; i < database.models.size(); ++i)
    if (auto added = add_column(database.models[i], i, false); !added) return tl::unexpected(added.error());
  for (const auto& models : {std::span(database.models), std::span<const ProtocolModel>(sums)}) {
    for (const ProtocolModel& model : models) {
      tables->models.push_back(summary_of(model));
      tables->classic.emplace_back(model);
    }
  }
  for (ModelSummary& sum : std::span(tables->models).subspan(tables->database_models))
    sum.family_only = std::ranges::find(database.models, sum.family, &ProtocolModel::label) == database.models.end();

  const std::array<Background, kViews> backgrounds = {Background(database.models, View::both),
                                                      Background(database.models, View::to_server),
                                                      Background(database.models, View::to_client)};
  for (std::size_t i = 0; !is_classic(profile) && i < members.size(); ++i) {
    std::span<const ProtocolModel* const> rest = members[i];
    while (!rest.empty()) {
      const std::size_t count = std::min<std::size_t>(rest.size(), kBlockColumns);
      tables->tables[i].blocks.emplace_back(rest.first(count), backgrounds[i % kViews], scored);
      rest = rest.subspan(count);
    }
  }
  return Matcher(std::move(tables));
}

std::span<const ModelSummary> Matcher::models() const { return tables_->models; }

std::size_t Matcher::database_models() const { return tables_->database_models; }

Profile Matcher::profile() const { return tables_->profile; }

MeterRules Matcher::rules() const { return tables_->rules; }

void Matcher::score_all(Transport transport, const Fingerprint& flow, std::vector<Score>& out, View view) const {
  out.clear();
  tables_->for_each(transport, view, flow, [&out](const Column& column, float score) {
    out.push_back({column.model, score});
  });
}

template <class ForEach>
Match Matcher::Tables::best_of(ForEach for_each_model) {
  BestTwo all;
  BestTwo other;
  Best other_sum;  // shown before any of its members
  Best other_member;
  Best tunnel;
  Best provisional;
  for_each_model([&](const Column& column, float score) {
    // What strangers taught it must not outdo, or come between, what is known for sure.
    if (column.provisional) {
      provisional.offer(column, score);
      return;
    }
    // Most are behind the second best of all and of their kind, and can only be the best of the labels of a family.
    const float kind_score = column.is_tunnel ? tunnel.score : other.second.score;
    if (score <= all.second.score && score <= kind_score && !column.is_sum && !other_sum.has_family(column)) return;
    all.offer(column, score);
    if (column.is_tunnel) {
      tunnel.offer(column, score);
      return;
    }
    other.offer(column, score);
    if (column.is_sum)
      other_sum.offer(column, score);
    else if (other_sum.has_family(column))
      other_member.offer(column, score);
  });
  Match match;
  all.best.store(match.best, match.best_score);
  all.second.store(match.second, match.second_score);
  tunnel.store(match.best_tunnel, match.tunnel_score);
  other.best.store(match.best_other, match.other_score);
  other.second.store(match.other_second, match.other_second_score);
  if (other.best.column != nullptr && other.best.column->is_sum)
    other_member.store(match.other_member, match.other_member_score);
  provisional.store(match.best_provisional, match.provisional_score);
  return match;
}

Match Matcher::match(Transport transport, const Fingerprint& flow, View view) const {
  return Tables::best_of([&](auto offer) { tables_->for_each(transport, view, flow, offer); });
}

void Matcher::sum_by_meter(Transport transport, const Fingerprint& flow, View view, MeterSums& out) const {
  out.table = table_index(transport, view);
  out.total.clear();
  out.by_meter.clear();
  if (out.table == kTables || flow.rows.empty()) return;
  const Table& table = tables_->tables[out.table];
  const std::size_t columns = table.columns.size();
  out.total.resize(columns);
  out.by_meter.resize(kMeterCount * columns);
  const FlowWeights weights(flow, tables_->simd);
  out.meters = weights.meters();
  const ScoreKernel kernel = score_kernel(tables_->simd);
  const WeightedRows all = weights.rows();
  std::array<std::int32_t, kBlockColumns> sums;
  alignas(64) std::array<std::uint16_t, kBinsPerMeter + 2> rows_of_meter;
  alignas(64) std::array<std::int16_t, kBinsPerMeter + 2> weights_of_meter;
  for (std::size_t next = 0; next < all.rows.size();) {
    const unsigned meter = all.rows[next] / kBinsPerMeter;
    std::size_t count = 0;
    for (; next < all.rows.size() && all.rows[next] / kBinsPerMeter == meter; ++next) {
      if (all.weights[next] == 0) continue;
      rows_of_meter[count] = all.rows[next];
      weights_of_meter[count++] = all.weights[next];
    }
    if (count % 2 == 1) {
      rows_of_meter[count] = rows_of_meter[count - 1];
      weights_of_meter[count++] = 0;
    }
    const WeightedRows rows{std::span(rows_of_meter).first(count), std::span(weights_of_meter).first(count)};
    for (std::size_t block = 0; block < table.blocks.size(); ++block) {
      kernel(table.blocks[block].table(), table.blocks[block].groups(), rows, sums.data());
      const std::size_t first = block * kBlockColumns;
      for (std::size_t i = first; i < std::min<std::size_t>(first + kBlockColumns, columns); ++i) {
        out.by_meter[meter * columns + i] += sums[i - first];  // a row that fills up the list may follow
        out.total[i] += sums[i - first];
      }
    }
  }
}

Match Matcher::match_without(unsigned meter, const MeterSums& sums) const {
  return Tables::best_of([&](auto offer) {
    if (sums.total.empty()) return;
    const std::vector<Column>& columns = tables_->tables[sums.table].columns;
    const MeterMask left = sums.meters & ~(MeterMask{1} << meter);
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const auto shared = static_cast<unsigned>(std::popcount(columns[i].meters & left));
      const std::int32_t sum = sums.total[i] - sums.by_meter[meter * columns.size() + i];
      if (shared != 0) offer(columns[i], to_score(sum, shared));
    }
  });
}

float Matcher::divergence(std::uint16_t model, const Fingerprint& flow) const {
  return static_cast<float>(tables_->classic[model].divergence(flow, classic_meters(tables_->profile)));
}

std::array<float, kMeterCount> Matcher::explain(std::uint16_t model, const Fingerprint& flow) const {
  std::array<float, kMeterCount> parts{};
  const ModelSummary& summary = tables_->models[model];
  const Table& table = tables_->tables[table_index(summary.transport, summary.view)];
  const auto column = std::find_if(table.columns.begin(), table.columns.end(),
                                   [model](const Column& candidate) { return candidate.model == model; });
  const auto index = static_cast<unsigned>(column - table.columns.begin());
  const ScoreBlock& block = table.blocks[index / kBlockColumns];
  const FlowWeights weights(flow);
  std::array<std::int32_t, kMeterCount> sums{};
  const WeightedRows rows = weights.rows();
  for (std::size_t i = 0; i < rows.rows.size(); ++i) {
    const unsigned row = rows.rows[i];
    sums[row / kBinsPerMeter] += rows.weights[i] * block.value(row, index % kBlockColumns);
  }
  const auto shared = static_cast<unsigned>(std::popcount(column->meters & weights.meters()));
  for (unsigned meter = 0; shared != 0 && meter < kMeterCount; ++meter) parts[meter] = to_score(sums[meter], shared);
  return parts;
}

}  // namespace spidd
