// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/label_file.h"

#include <charconv>
#include <cmath>

#include "userspace/spid/tsv_reader.h"

namespace spidd {
namespace {

template <class Number>
bool parse_number(const std::string& text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

FlowKey canonical(Transport transport, const Endpoint& a, const Endpoint& b) {
  const auto [low, high] = std::minmax(a, b);
  FlowKey key;
  key.low = low.address;
  key.high = high.address;
  key.port_low = low.port;
  key.port_high = high.port;
  key.transport = transport;
  return key;
}

bool row_matches(const LabelRow& row, const CapturedFlow& flow) {
  if (row.any_port) {
    return row.key.transport == flow.key.transport && row.key.low == flow.key.low && row.key.high == flow.key.high;
  }
  FlowKey key = flow.key;
  key.domain = 0;
  return row.key == key;
}

Result<std::unordered_map<std::string, std::string>> load_manifest(const std::string& path) {
  std::unordered_map<std::string, std::string> groups;
  if (path.empty()) return groups;
  auto tsv = TsvReader::open(path);
  if (!tsv) return std::move(tsv).error().within("manifest");
  const auto file = tsv->required("file");
  if (!file) return error_of(file);
  const auto group = tsv->required("source_env");
  if (!group) return error_of(group);
  const auto read = tsv->for_each_row([&]() -> Result<> {
    groups[tsv->field(*file)] = tsv->field(*group);
    return {};
  });
  if (!read) return error_of(read);
  return groups;
}

struct Columns {
  std::size_t capture, protocol, client_address, client_port, server_address, server_port, label;
  std::optional<std::size_t> start, scenario, variant, category;
};

Result<Columns> find_columns(const TsvReader& tsv) {
  Columns columns{};
  const std::pair<const char*, std::size_t*> required[] = {{"pcap", &columns.capture},
                                                           {"proto", &columns.protocol},
                                                           {"client_ip", &columns.client_address},
                                                           {"client_port", &columns.client_port},
                                                           {"server_ip", &columns.server_address},
                                                           {"server_port", &columns.server_port},
                                                           {"label", &columns.label}};
  for (const auto& [name, index] : required) {
    const auto column = tsv.required(name);
    if (!column) return error_of(column);
    *index = *column;
  }
  columns.start = tsv.column("start") ? tsv.column("start") : tsv.column("t_first");
  columns.scenario = tsv.column("scenario");
  columns.variant = tsv.column("variant");
  columns.category = tsv.column("category");
  return columns;
}

// None: the taxonomy does not know the label.
Result<std::optional<LabelMeaning>> meaning_of(const TsvReader& tsv, const Columns& columns,
                                               const std::optional<Taxonomy>& taxonomy, Category otherwise) {
  const std::string& label = tsv.field(columns.label);
  if (taxonomy) {
    const LabelMeaning* known = taxonomy->find(label);
    return known == nullptr ? std::nullopt : std::optional(*known);
  }
  const std::string& word = tsv.field(columns.category);
  if (word == "aux") return LabelMeaning{label, std::nullopt};
  if (word.empty()) return LabelMeaning{label, otherwise};
  const auto category = parse_category(word);
  if (!category) return tsv.error("{}", category.error().message);
  return LabelMeaning{label, *category};
}

Result<> read_five_tuple(const TsvReader& tsv, const Columns& columns, Transport transport, LabelRow& row) {
  const auto client = IpAddress::parse(tsv.field(columns.client_address));
  const auto server = IpAddress::parse(tsv.field(columns.server_address));
  std::uint16_t client_port = 0;
  std::uint16_t server_port = 0;
  if (!client || !server || !parse_number(tsv.field(columns.client_port), client_port) ||
      !parse_number(tsv.field(columns.server_port), server_port))
    return tsv.error("not a five-tuple");
  row.key = canonical(transport, {*client, client_port}, {*server, server_port});
  row.any_port = client_port == 0 && server_port == 0;
  return {};
}

Result<> read_start(const TsvReader& tsv, const Columns& columns, LabelRow& row) {
  const std::string& start = tsv.field(columns.start);
  if (start.empty()) return {};
  double seconds = 0;
  if (!parse_number(start, seconds) || !(std::abs(seconds) < 1e10)) return tsv.error("'{}' is not a time", start);
  row.start = Timestamp(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)));
  return {};
}

}  // namespace

Result<Taxonomy> Taxonomy::load(const std::string& path) {
  auto tsv = TsvReader::open(path);
  if (!tsv) return std::move(tsv).error().within("taxonomy");
  const auto label = tsv->required("label");
  const auto family = tsv->required("family");
  const auto category = tsv->required("category");
  for (const auto* column : {&label, &family, &category}) {
    if (!*column) return error_of(*column);
  }
  Taxonomy taxonomy;
  const auto read = tsv->for_each_row([&]() -> Result<> {
    LabelMeaning meaning{tsv->field(*family), std::nullopt};
    const std::string& word = tsv->field(*category);
    if (word != "aux") {
      const auto parsed = parse_category(word);
      if (!parsed) return tsv->error("{}", parsed.error().message);
      meaning.category = *parsed;
    }
    taxonomy.meanings_[tsv->field(*label)] = std::move(meaning);
    return {};
  });
  if (!read) return error_of(read);
  return taxonomy;
}

const LabelMeaning* Taxonomy::find(const std::string& label) const {
  const auto found = meanings_.find(label);
  return found == meanings_.end() ? nullptr : &found->second;
}

Result<RowsOfCaptures> load_label_rows(const LabelTables& tables, LabelLosses& losses) {
  std::optional<Taxonomy> taxonomy;
  if (!tables.taxonomy.empty()) {
    auto loaded = Taxonomy::load(tables.taxonomy);
    if (!loaded) return error_of(loaded);
    taxonomy = std::move(*loaded);
  }
  auto environments = load_manifest(tables.manifest);
  if (!environments) return error_of(environments);
  auto tsv = TsvReader::open(tables.labels);
  if (!tsv) return std::move(tsv).error().within("labels");
  const auto columns = find_columns(*tsv);
  if (!columns) return error_of(columns);

  RowsOfCaptures rows;
  const auto read = tsv->for_each_row([&]() -> Result<> {
    LabelRow row;
    const auto transport = parse_transport(tsv->field(columns->protocol));
    if (!transport) {
      ++losses.other_protocol;
      return {};
    }
    row.label = tsv->field(columns->label);
    const auto meaning = meaning_of(*tsv, *columns, taxonomy, tables.category);
    if (!meaning) return error_of(meaning);
    if (!*meaning) {
      ++losses.no_meaning;
      return {};
    }
    row.meaning = **meaning;
    if (!row.meaning.category) {
      ++losses.by_product;
      return {};
    }
    if (auto good = read_five_tuple(*tsv, *columns, *transport, row); !good) return good;
    if (auto good = read_start(*tsv, *columns, row); !good) return good;
    const std::string& capture = tsv->field(columns->capture);
    if (const auto environment = environments->find(capture); environment != environments->end()) {
      row.group = environment->second;
    } else if (columns->scenario && columns->variant) {
      row.scenario = tsv->field(columns->scenario);
      row.group = row.scenario + "-" + tsv->field(columns->variant);
    } else {
      row.group = capture;
    }
    rows[capture].push_back(std::move(row));
    return {};
  });
  if (!read) return error_of(read);
  return rows;
}

LabelRow* find_row(std::vector<LabelRow>& rows, const CapturedFlow& flow, Duration tolerance) {
  LabelRow* best = nullptr;
  Duration best_distance = tolerance;
  for (LabelRow& row : rows) {
    if (!row_matches(row, flow) || (row.used && !row.any_port)) continue;
    Duration distance{};
    if (row.start && !row.any_port) {
      distance = *row.start > flow.start ? *row.start - flow.start : flow.start - *row.start;
    }
    if (distance > tolerance || (best && distance >= best_distance)) continue;
    best = &row;
    best_distance = distance;
  }
  return best;
}

}  // namespace spidd
