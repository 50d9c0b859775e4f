// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Matching: one table per transport, in blocks of up to 64 models; the sums of a block become scores while they are
// hot.
#include "userspace/spid/matcher.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <map>
#include <utility>

#include "userspace/spid/score_tables.h"

namespace spidd {
namespace {

constexpr unsigned kBlockColumns = kColumnGroup * kMaxColumnGroups;

struct Column {
  std::uint16_t model = kNoModel;
  std::uint16_t family = 0;
  bool is_tunnel = false;
  MeterMask meters = 0;
};

struct TransportTable {
  Transport transport = Transport::tcp;
  std::vector<Column> columns;     // in the order of models()
  std::vector<ScoreBlock> blocks;  // block b has columns 64 b to 64 b + 63
};

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

// The models of each tunnel family and transport added up, where there are at least two.
std::vector<ProtocolModel> tunnel_families(std::span<const ProtocolModel> models) {
  std::map<std::pair<std::string_view, Transport>, std::vector<const ProtocolModel*>> members;
  for (const ProtocolModel& model : models) {
    if (model.category == Category::tunnel) members[{model.family, model.transport}].push_back(&model);
  }
  std::vector<ProtocolModel> families;
  for (const auto& [key, labels] : members) {
    if (labels.size() < 2) continue;
    ProtocolModel& sum = families.emplace_back();
    sum.label = sum.family = key.first;
    sum.category = Category::tunnel;
    sum.transport = key.second;
    for (const ProtocolModel* label : labels) sum.merge(*label);
  }
  return families;
}

}  // namespace

struct Matcher::Tables {
  std::vector<ModelSummary> models;
  std::size_t database_models = 0;
  std::array<TransportTable, 3> transports = {{{.transport = Transport::icmp, .columns = {}, .blocks = {}},
                                               {.transport = Transport::tcp, .columns = {}, .blocks = {}},
                                               {.transport = Transport::udp, .columns = {}, .blocks = {}}}};
  ScoreKernel kernel = best_score_kernel();

  TransportTable* find(Transport transport) {
    const auto found = std::find_if(transports.begin(), transports.end(), [&](const TransportTable& table) {
      return table.transport == model_transport(transport);
    });
    return found == transports.end() ? nullptr : &*found;
  }

  // Calls use(column, score) for every model of the transport that shares a meter with the flow.
  template <class Use>
  void for_each_score(Transport transport, const Fingerprint& flow, Use use) {
    const TransportTable* table = find(transport);
    if (table == nullptr || flow.rows.empty()) return;
    const FlowWeights weights(flow);
    std::array<std::int32_t, kBlockColumns> sums;
    for (std::size_t block = 0; block < table->blocks.size(); ++block) {
      kernel(table->blocks[block].table(), table->blocks[block].groups(), weights.rows(), sums.data());
      const std::size_t first = block * kBlockColumns;
      const std::size_t count = std::min<std::size_t>(kBlockColumns, table->columns.size() - first);
      for (std::size_t i = 0; i < count; ++i) {
        const Column& column = table->columns[first + i];
        const auto shared = static_cast<unsigned>(std::popcount(column.meters & weights.meters()));
        if (shared != 0) use(column, to_score(sums[i], shared));
      }
    }
  }
};

Matcher::Matcher(std::unique_ptr<Tables> tables) : tables_(std::move(tables)) {}
Matcher::~Matcher() = default;
Matcher::Matcher(Matcher&&) noexcept = default;
Matcher& Matcher::operator=(Matcher&&) noexcept = default;

Result<Matcher> Matcher::build(const ModelDatabase& database) {
  if (database.models.size() > kMaxModels) {
    return fail("{} models are more than {}", database.models.size(), kMaxModels);
  }
  auto tables = std::make_unique<Tables>();
  std::map<std::string_view, std::uint16_t> families;
  std::array<std::vector<const ProtocolModel*>, 3> members;
  const auto add = [&](const ProtocolModel& model) -> Result<void> {
    TransportTable* table = tables->find(model.transport);
    if (table == nullptr) return fail("model {} has a transport that is not matched", model.label);
    const auto index = static_cast<std::uint16_t>(tables->models.size());
    const auto family = families.try_emplace(model.family, static_cast<std::uint16_t>(families.size())).first->second;
    tables->models.push_back({model.label, model.family, model.category, model.transport, model.flows, model.captures,
                              model.payload_packets, model.threshold});
    table->columns.push_back({index, family, model.category == Category::tunnel, measured_meters(model)});
    members[static_cast<std::size_t>(table - tables->transports.data())].push_back(&model);
    return {};
  };
  for (const ProtocolModel& model : database.models) {
    if (auto added = add(model); !added) return tl::unexpected(added.error());
  }
  tables->database_models = tables->models.size();
  const std::vector<ProtocolModel> pooled = tunnel_families(database.models);
  for (const ProtocolModel& family : pooled) {
    if (auto added = add(family); !added) return tl::unexpected(added.error());
  }

  const Background background(database.models);
  for (std::size_t i = 0; i < members.size(); ++i) {
    std::span<const ProtocolModel* const> rest = members[i];
    while (!rest.empty()) {
      const std::size_t count = std::min<std::size_t>(rest.size(), kBlockColumns);
      tables->transports[i].blocks.emplace_back(rest.first(count), background);
      rest = rest.subspan(count);
    }
  }
  return Matcher(std::move(tables));
}

std::span<const ModelSummary> Matcher::models() const { return tables_->models; }

std::size_t Matcher::database_models() const { return tables_->database_models; }

void Matcher::score_all(Transport transport, const Fingerprint& flow, std::vector<Score>& out) const {
  out.clear();
  tables_->for_each_score(transport, flow, [&out](const Column& column, float score) {
    out.push_back({column.model, score});
  });
}

Match Matcher::match(Transport transport, const Fingerprint& flow) const {
  BestTwo all;
  BestTwo other;
  Best tunnel;
  tables_->for_each_score(transport, flow, [&](const Column& column, float score) {
    all.offer(column, score);
    if (column.is_tunnel) {
      tunnel.offer(column, score);
    } else {
      other.offer(column, score);
    }
  });
  Match match;
  all.best.store(match.best, match.best_score);
  all.second.store(match.second, match.second_score);
  tunnel.store(match.best_tunnel, match.tunnel_score);
  other.best.store(match.best_other, match.other_score);
  other.second.store(match.other_second, match.other_second_score);
  return match;
}

std::array<float, kMeterCount> Matcher::explain(std::uint16_t model, const Fingerprint& flow) const {
  std::array<float, kMeterCount> parts{};
  const TransportTable& table = *tables_->find(tables_->models[model].transport);
  const auto column = std::find_if(table.columns.begin(), table.columns.end(),
                                   [model](const Column& candidate) { return candidate.model == model; });
  const auto index = static_cast<unsigned>(column - table.columns.begin());
  const ScoreBlock& block = table.blocks[index / kBlockColumns];
  const FlowWeights weights(flow);
  std::array<std::int32_t, kMeterCount> sums{};
  for (const WeightedRow row : weights.rows()) {
    sums[row.row / kBinsPerMeter] += row.weight * block.value(row.row, index % kBlockColumns);
  }
  const auto shared = static_cast<unsigned>(std::popcount(column->meters & weights.meters()));
  for (unsigned meter = 0; shared != 0 && meter < kMeterCount; ++meter) parts[meter] = to_score(sums[meter], shared);
  return parts;
}

}  // namespace spidd
