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
#include "userspace/spid/lanes.h"
#include "userspace/spid/score_tables.h"

namespace spidd {
namespace {

constexpr unsigned kBlockColumns = ScoreBlock::kMaxColumns;
constexpr std::size_t kMostColumns = kMaxModels + kMaxModels / 2;  // families added up have two models or more

struct Column {
  std::uint16_t model = kNoModel;
  std::uint16_t family = 0;
  bool is_tunnel = false;
  bool provisional = false;
  bool is_sum = false;  // a family added up
  MeterMask meters = 0;
};

// What decides which places of a match a column can take, four columns at a time.
using FourNumbers __attribute__((vector_size(16))) = std::int32_t;
using FourScores __attribute__((vector_size(16))) = float;
constexpr std::size_t kFour = 4;

struct FourColumns {
  FourNumbers family{};
  FourNumbers is_tunnel{};  // these three: all bits set or none
  FourNumbers is_sum{};
  FourNumbers provisional{};
};

// Columns of a block beside one another whose models have the same meters; most have.
struct Run {
  std::size_t first = 0;
  std::size_t size = 0;
  MeterMask meters = 0;
};

// The models a flow is compared with: of its transport and of the directions it was seen in.
struct Table {
  std::vector<Column> columns;  // families added up, then the others
  std::vector<FourColumns> fours;
  std::vector<ScoreBlock> blocks;  // block b has columns 256 b to 256 b + 255
  std::vector<Run> runs;           // of all columns

  void add(const Column& column) {
    const std::size_t lane = columns.size() % kFour;
    if (lane == 0) fours.emplace_back();
    FourColumns& four = fours.back();
    four.family[lane] = column.family;
    four.is_tunnel[lane] = column.is_tunnel ? -1 : 0;
    four.is_sum[lane] = column.is_sum ? -1 : 0;
    four.provisional[lane] = column.provisional ? -1 : 0;
    if (runs.empty() || runs.back().meters != column.meters || columns.size() % kBlockColumns == 0)
      runs.push_back({columns.size(), 0, column.meters});
    ++runs.back().size;
    columns.push_back(column);
  }
};

constexpr float kNoScore = -std::numeric_limits<float>::infinity();

// Scores of the columns of a table. kNoScore: nothing to compare.
class ColumnScores {
 public:
  // Requires: columns of the table are set in rising order.
  void set(std::size_t column, float score) { scores_[column] = score; }
  void end(std::size_t columns) { std::fill_n(scores_.begin() + columns, kFour, kNoScore); }
  FourScores four(std::size_t number) const { return load_lanes<FourScores>(&scores_[number * kFour]); }
  float operator[](std::size_t column) const { return scores_[column]; }

 private:
  std::array<float, kMostColumns + kFour> scores_;
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

struct Best {
  const Column* column = nullptr;
  float score = kNoScore;

  void store(std::uint16_t& model, float& value) const {
    if (column == nullptr) return;
    model = column->model;
    value = score;
  }
};

// The best of those for which eligible(four columns) is all ones; of equals the first. Without branches that depend on
// scores, which no processor could predict.
template <class Eligible>
Best best_of(const Table& table, const ColumnScores& scores, Eligible eligible) {
  FourScores best = FourScores{} + kNoScore;
  FourNumbers at{};
  for (std::size_t i = 0; i < table.fours.size(); ++i) {
    const FourScores four = scores.four(i);
    const FourNumbers better = (four > best) & eligible(table.fours[i]);
    best = better ? four : best;
    at = better ? FourNumbers{} + static_cast<std::int32_t>(i) : at;
  }
  Best found;
  std::size_t found_at = 0;
  for (std::size_t lane = 0; lane < kFour; ++lane) {
    const std::size_t column = static_cast<std::size_t>(at[lane]) * kFour + lane;
    if (best[lane] < found.score || best[lane] == kNoScore) continue;
    if (best[lane] == found.score && column > found_at) continue;
    found = {&table.columns[column], best[lane]};
    found_at = column;
  }
  return found;
}

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

  void score(const Table& table, const Fingerprint& flow, ColumnScores& scores) const {
    const FlowRows rows(flow, simd);
    auto run = table.runs.begin();
    std::array<std::int32_t, kBlockColumns> sums;
    for (std::size_t block = 0; block < table.blocks.size(); ++block) {
      table.blocks[block].add_up(rows, simd, sums.data());
      const std::size_t first = block * kBlockColumns;
      for (; run != table.runs.end() && run->first < first + kBlockColumns; ++run) {
        const auto shared = static_cast<unsigned>(std::popcount(run->meters & rows.meters()));
        const float unit = score_unit(std::max(1U, shared));
        for (std::size_t i = run->first; i < run->first + run->size; ++i)
          scores.set(i, shared == 0 ? kNoScore : to_score(sums[i - first], unit));
      }
    }
  }

  // More is nearer, whatever the profile. Null if the transport has no table.
  const Table* score(Transport transport, View view, const Fingerprint& flow, ColumnScores& scores) const {
    const unsigned index = table_index(transport, view);
    if (index == kTables || flow.rows.empty()) return nullptr;
    const Table& table = tables[index];
    if (is_classic(profile)) {
      for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const ClassicTable& model = classic[table.columns[i].model];
        const auto divergence = static_cast<float>(model.divergence(flow, classic_meters(profile)));
        scores.set(i, classic_score(profile, divergence));
      }
    } else {
      score(table, flow, scores);
    }
    scores.end(table.columns.size());
    return &table;
  }

  static Match match(const Table& table, const ColumnScores& scores);
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
    tables->tables[index].add({static_cast<std::uint16_t>(number), family, model.category == Category::tunnel,
                               model.provisional, is_sum, measured_meters(model) & scored});
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
  ColumnScores scores;
  const Table* table = tables_->score(transport, view, flow, scores);
  for (std::size_t i = 0; table != nullptr && i < table->columns.size(); ++i) {
    if (scores[i] != kNoScore) out.push_back({table->columns[i].model, scores[i]});
  }
}

Match Matcher::Tables::match(const Table& table, const ColumnScores& scores) {
  const auto family_of = [](const Best& best) {
    return best.column == nullptr ? -1 : std::int32_t{best.column->family};
  };
  // What strangers taught it must not outdo, or come between, what is known for sure.
  const Best all = best_of(table, scores, [](const FourColumns& four) { return ~four.provisional; });
  const Best second = best_of(table, scores, [family = family_of(all)](const FourColumns& four) {
    return ~four.provisional & (four.family != family);
  });
  const Best tunnel =
      best_of(table, scores, [](const FourColumns& four) { return ~four.provisional & four.is_tunnel; });
  const Best other =
      best_of(table, scores, [](const FourColumns& four) { return ~(four.provisional | four.is_tunnel); });
  const Best other_second = best_of(table, scores, [family = family_of(other)](const FourColumns& four) {
    return ~(four.provisional | four.is_tunnel) & (four.family != family);
  });
  const Best provisional = best_of(table, scores, [](const FourColumns& four) { return four.provisional; });
  Match match;
  all.store(match.best, match.best_score);
  second.store(match.second, match.second_score);
  tunnel.store(match.best_tunnel, match.tunnel_score);
  other.store(match.best_other, match.other_score);
  other_second.store(match.other_second, match.other_second_score);
  provisional.store(match.best_provisional, match.provisional_score);
  if (other.column != nullptr && other.column->is_sum) {
    const Best member = best_of(table, scores, [family = family_of(other)](const FourColumns& four) {
      return ~(four.provisional | four.is_tunnel | four.is_sum) & (four.family == family);
    });
    member.store(match.other_member, match.other_member_score);
  }
  return match;
}

Match Matcher::match(Transport transport, const Fingerprint& flow, View view) const {
  ColumnScores scores;
  const Table* table = tables_->score(transport, view, flow, scores);
  return table == nullptr ? Match{} : Tables::match(*table, scores);
}

void Matcher::sum_by_meter(Transport transport, const Fingerprint& flow, View view, MeterSums& out) const {
  out.table = table_index(transport, view);
  out.meters = 0;
  out.total.clear();
  out.by_meter.clear();
  if (out.table == kTables || flow.rows.empty()) return;
  const Table& table = tables_->tables[out.table];
  const std::size_t columns = table.columns.size();
  out.total.resize(columns);
  out.by_meter.resize(kMeterCount * columns);
  std::array<std::int32_t, kBlockColumns> sums;
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    const FlowRows rows(flow, meter, tables_->simd);
    if (rows.meters() == 0) continue;
    out.meters |= rows.meters();
    for (std::size_t block = 0; block < table.blocks.size(); ++block) {
      table.blocks[block].add_up(rows, tables_->simd, sums.data());
      const std::size_t first = block * kBlockColumns;
      for (std::size_t i = first; i < std::min<std::size_t>(first + kBlockColumns, columns); ++i) {
        out.by_meter[meter * columns + i] = sums[i - first];
        out.total[i] += sums[i - first];
      }
    }
  }
}

Match Matcher::match_without(unsigned meter, const MeterSums& sums) const {
  if (sums.total.empty()) return {};
  const Table& table = tables_->tables[sums.table];
  const MeterMask left = sums.meters & ~(MeterMask{1} << meter);
  ColumnScores scores;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const auto shared = static_cast<unsigned>(std::popcount(table.columns[i].meters & left));
    const std::int32_t sum = sums.total[i] - sums.by_meter[meter * table.columns.size() + i];
    scores.set(i, shared == 0 ? kNoScore : to_score(sum, score_unit(shared)));
  }
  scores.end(table.columns.size());
  return Tables::match(table, scores);
}

float Matcher::divergence(std::uint16_t model, const Fingerprint& flow) const {
  return static_cast<float>(tables_->classic[model].divergence(flow, classic_meters(tables_->profile)));
}

std::array<float, kMeterCount> Matcher::explain(std::uint16_t model, const Fingerprint& flow) const {
  std::array<float, kMeterCount> parts{};
  if (is_classic(tables_->profile)) {
    // The original takes the mean over all meters of the profile, measured or not.
    const auto meters = classic_meters(tables_->profile);
    for (const unsigned meter : meters) {
      const auto own = static_cast<float>(tables_->classic[model].divergence(flow, std::span(&meter, 1)));
      parts[meter] = classic_score(tables_->profile, own) / static_cast<float>(meters.size());
    }
    return parts;
  }
  const ModelSummary& summary = tables_->models[model];
  const Table& table = tables_->tables[table_index(summary.transport, summary.view)];
  const auto column = std::find_if(table.columns.begin(), table.columns.end(),
                                   [model](const Column& candidate) { return candidate.model == model; });
  const auto index = static_cast<unsigned>(column - table.columns.begin());
  const ScoreBlock& block = table.blocks[index / kBlockColumns];
  const auto shared = static_cast<unsigned>(std::popcount(column->meters & FlowRows(flow, tables_->simd).meters()));
  for (unsigned meter = 0; shared != 0 && meter < kMeterCount; ++meter) {
    const FlowRows rows(flow, meter, tables_->simd);
    if (rows.meters() == 0) continue;
    std::array<std::int32_t, kBlockColumns> sums;
    block.add_up(rows, tables_->simd, sums.data());
    parts[meter] = to_score(sums[index % kBlockColumns], score_unit(shared));
  }
  return parts;
}

}  // namespace spidd
