// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spid/training_set.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>

#include "userspace/base/fnv1a.h"
#include "userspace/capture/pcap_source.h"
#include "userspace/flow/strict_sessions.h"
#include "userspace/spid/model_edit.h"

namespace spidd {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxLine = 64 * 1024;
constexpr std::size_t kMaxRows = 4'000'000;

// A TSV file with a header line; columns are found by name.
class TsvReader {
 public:
  static Result<TsvReader> open(const std::string& path) {
    TsvReader reader;
    reader.path_ = path;
    reader.file_.open(path);
    if (!reader.file_) return fail_errno(errno, "{}", path);
    if (!reader.next_line()) return fail("{}: no header line", path);
    for (std::size_t i = 0; i < reader.fields_.size(); ++i) reader.columns_.emplace(reader.fields_[i], i);
    return reader;
  }

  std::optional<std::size_t> column(const std::string& name) const {
    const auto found = columns_.find(name);
    if (found == columns_.end()) return std::nullopt;
    return found->second;
  }

  Result<std::size_t> required(const std::string& name) const {
    if (const auto index = column(name)) return *index;
    return fail("{}: no column '{}' in the header", path_, name);
  }

  bool next() { return next_line(); }

  // "" where the line is too short or the column is absent.
  const std::string& field(std::optional<std::size_t> index) const {
    static const std::string none;
    return index && *index < fields_.size() ? fields_[*index] : none;
  }

  template <class... Args>
  tl::unexpected<Error> error(fmt::format_string<Args...> format, Args&&... args) const {
    return fail("{}:{}: {}", path_, line_, fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  bool next_line() {
    std::string line;
    while (line_ < kMaxRows && std::getline(file_, line)) {
      ++line_;
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (line.empty() || line.front() == '#' || line.size() > kMaxLine) continue;
      fields_.clear();
      for (std::size_t begin = 0;;) {
        const std::size_t tab = line.find('\t', begin);
        fields_.push_back(line.substr(begin, tab - begin));
        if (tab == std::string::npos) return true;
        begin = tab + 1;
      }
    }
    return false;
  }

  std::string path_;
  std::ifstream file_;
  std::unordered_map<std::string, std::size_t> columns_;
  std::vector<std::string> fields_;
  std::size_t line_ = 0;
};

template <class Number>
bool parse_number(const std::string& text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

// One row of a label file.
struct Row {
  FlowKey key;
  std::optional<Timestamp> start;
  std::string label;
  LabelMeaning meaning;
  std::string group;
  std::string scenario;
  bool any_port = false;  // ICMP row of a label file that does not keep echo identifiers apart
  bool used = false;
};

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

// The flows of one capture, in the order in which they began.
struct CapturedFlow {
  FlowKey key;
  bool client_is_low = true;
  Timestamp start;
  bool start_seen = false;
  bool answered = false;
  std::vector<PayloadPacket> packets;
};

// Sessions that have a verdict, with the packets it rests on, in the order of the verdicts.
Result<std::vector<CapturedFlow>> collect_sessions(const std::string& path, std::string& damage,
                                                   const std::string& filter) {
  std::vector<CapturedFlow> flows;
  const auto judge = [&flows](const StrictSession& session) {
    if (session.packets.empty()) return;
    const bool answered = session.counters.packets[0] > 0 && session.counters.packets[1] > 0;
    flows.push_back({session.key, session.client_is_low, session.start, true, answered, session.packets});
  };
  StrictSessions sessions({}, judge, [](const StrictSession&) {});
  std::uint64_t packets = 0;
  std::uint64_t not_ip = 0;
  auto read = read_packets(
      path, filter,
      [&](const CapturedPacket& packet) {
        ++packets;
        sessions.add(packet);
      },
      not_ip);
  sessions.finish();
  if (!read && packets + not_ip == 0) return tl::unexpected(read.error());
  if (!read) damage = read.error().message;
  return flows;
}

// Reads as far as the file can be read; what stopped it is in `damage`.
Result<std::vector<CapturedFlow>> collect_flows(const std::string& path, std::string& damage, FlowRules rules,
                                                const std::string& filter = "") {
  if (rules == FlowRules::original) return collect_sessions(path, damage, filter);
  PcapSource::Settings settings;
  settings.filter = filter;
  auto source = PcapSource::open(path, settings);
  if (!source) return tl::unexpected(source.error());
  std::vector<CapturedFlow> flows;
  std::map<std::pair<FlowKey, Timestamp>, std::size_t> index;
  auto read = source->run([&](const PacketRecord& record) {
    if (record.type != PacketRecord::Type::payload) return;
    const auto [position, added] = index.try_emplace({record.key, record.flow_start}, flows.size());
    if (added)
      flows.push_back({record.key, record.client_is_low, record.flow_start, record.start_seen, record.answered, {}});
    CapturedFlow& flow = flows[position->second];
    if (flow.packets.size() >= kRecordLimit) return;
    flow.answered = record.answered;
    flow.packets.push_back(record.packet);
  });
  if (!read) damage = read.error().message;
  return flows;
}

bool row_matches(const Row& row, const CapturedFlow& flow) {
  if (row.any_port) {
    return row.key.transport == flow.key.transport && row.key.low == flow.key.low && row.key.high == flow.key.high;
  }
  FlowKey key = flow.key;
  key.domain = 0;
  return row.key == key;
}

// The row that means this flow: same five-tuple, nearest start within the tolerance. A row names one flow, unless it
// leaves the port open.
Row* find_row(std::vector<Row>& rows, const CapturedFlow& flow, Duration tolerance) {
  Row* best = nullptr;
  Duration best_distance = tolerance;
  for (Row& row : rows) {
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

// Numbers for names, in the order of first use.
class NameIndex {
 public:
  explicit NameIndex(std::vector<std::string>& names) : names_(names) {
    for (std::size_t i = 0; i < names.size(); ++i) index_.emplace(names[i], i);
  }
  std::uint32_t operator()(const std::string& name) {
    const auto [position, added] = index_.try_emplace(name, static_cast<std::uint32_t>(names_.size()));
    if (added) names_.push_back(name);
    return position->second;
  }

 private:
  std::vector<std::string>& names_;
  std::unordered_map<std::string, std::uint32_t> index_;
};

Result<std::unordered_map<std::string, std::string>> load_manifest(const std::string& path) {
  std::unordered_map<std::string, std::string> groups;
  if (path.empty()) return groups;
  auto tsv = TsvReader::open(path);
  if (!tsv) return std::move(tsv).error().within("manifest");
  const auto file = tsv->required("file");
  if (!file) return tl::unexpected(file.error());
  const auto group = tsv->required("source_env");
  if (!group) return tl::unexpected(group.error());
  while (tsv->next()) groups[tsv->field(*file)] = tsv->field(*group);
  return groups;
}

using RowsOfCaptures = std::map<std::string, std::vector<Row>>;

Result<RowsOfCaptures> load_rows(const LabelledCaptures& sources, TrainingSet::Losses& losses) {
  std::optional<Taxonomy> taxonomy;
  if (!sources.taxonomy.empty()) {
    auto loaded = Taxonomy::load(sources.taxonomy);
    if (!loaded) return tl::unexpected(loaded.error());
    taxonomy = std::move(*loaded);
  }
  auto groups = load_manifest(sources.manifest);
  if (!groups) return tl::unexpected(groups.error());
  auto tsv = TsvReader::open(sources.labels);
  if (!tsv) return std::move(tsv).error().within("labels");

  std::array<std::size_t, 7> columns{};
  constexpr std::array<const char*, 7> kRequired = {"pcap",      "proto",       "client_ip", "client_port",
                                                    "server_ip", "server_port", "label"};
  for (std::size_t i = 0; i < kRequired.size(); ++i) {
    const auto column = tsv->required(kRequired[i]);
    if (!column) return tl::unexpected(column.error());
    columns[i] = *column;
  }
  const auto start_column = tsv->column("start") ? tsv->column("start") : tsv->column("t_first");
  const auto scenario = tsv->column("scenario");
  const auto variant = tsv->column("variant");
  const auto category_column = tsv->column("category");

  RowsOfCaptures rows;
  while (tsv->next()) {
    const auto text = [&](std::size_t i) -> const std::string& { return tsv->field(columns[i]); };
    Row row;
    row.label = text(6);
    const auto transport = parse_transport(text(1));
    if (!transport) {
      ++losses.other_protocol;
      continue;
    }
    if (taxonomy) {
      const LabelMeaning* meaning = taxonomy->find(row.label);
      if (meaning == nullptr) {
        ++losses.no_meaning;
        continue;
      }
      row.meaning = *meaning;
    } else {
      row.meaning.family = row.label;
      if (const auto category = parse_category(tsv->field(category_column))) row.meaning.category = *category;
    }
    if (!row.meaning.category) {
      ++losses.by_product;
      continue;
    }
    Endpoint client;
    Endpoint server;
    const auto client_address = IpAddress::parse(text(2));
    const auto server_address = IpAddress::parse(text(4));
    if (!client_address || !server_address || !parse_number(text(3), client.port) ||
        !parse_number(text(5), server.port)) {
      return tsv->error("not a five-tuple");
    }
    client.address = *client_address;
    server.address = *server_address;
    row.key = canonical(*transport, client, server);
    row.any_port = client.port == 0 && server.port == 0;
    if (const std::string& start = tsv->field(start_column); !start.empty()) {
      double seconds = 0;
      if (!parse_number(start, seconds) || !(std::abs(seconds) < 1e10)) return tsv->error("'{}' is not a time", start);
      row.start = Timestamp(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)));
    }
    if (const auto group = groups->find(text(0)); group != groups->end()) {
      row.group = group->second;
    } else if (scenario && variant) {
      row.scenario = tsv->field(scenario);
      row.group = row.scenario + "-" + tsv->field(variant);
    } else {
      row.group = text(0);
    }
    rows[text(0)].push_back(std::move(row));
  }
  return rows;
}

LabelledFlow labelled(CapturedFlow&& flow) {
  LabelledFlow out;
  out.transport = model_transport(flow.key.transport);
  out.key = flow.key;
  out.client_is_low = flow.client_is_low;
  out.start = flow.start;
  out.start_seen = flow.start_seen;
  out.answered = flow.answered;
  out.packets = std::move(flow.packets);
  return out;
}

}  // namespace

Result<Taxonomy> Taxonomy::load(const std::string& path) {
  auto tsv = TsvReader::open(path);
  if (!tsv) return std::move(tsv).error().within("taxonomy");
  const auto label = tsv->required("label");
  const auto family = tsv->required("family");
  const auto category = tsv->required("category");
  for (const auto* column : {&label, &family, &category}) {
    if (!*column) return tl::unexpected(column->error());
  }
  Taxonomy taxonomy;
  while (tsv->next()) {
    LabelMeaning meaning{tsv->field(*family), std::nullopt};
    const std::string& word = tsv->field(*category);
    if (word != "aux") {
      const auto parsed = parse_category(word);
      if (!parsed) return tsv->error("{}", parsed.error().message);
      meaning.category = *parsed;
    }
    taxonomy.meanings_[tsv->field(*label)] = std::move(meaning);
  }
  return taxonomy;
}

const LabelMeaning* Taxonomy::find(const std::string& label) const {
  const auto found = meanings_.find(label);
  return found == meanings_.end() ? nullptr : &found->second;
}

std::uint64_t capture_hash(const std::string& path) {
  constexpr std::size_t kHashedBytes = std::size_t{16} << 20;
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (error || !file) return 0;
  Fnv1a64 hash;
  hash.add(fmt::format("{}:", size));
  std::vector<char> buffer(std::size_t{64} << 10);
  for (std::size_t read = 0; read < kHashedBytes && file; read += buffer.size()) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    hash.add(std::string_view(buffer.data(), static_cast<std::size_t>(file.gcount())));
  }
  return hash.value();
}

std::uint64_t TrainingSet::capture_identity(const LabelledFlow& flow) const {
  return hash_known(flow.capture) ? capture_hashes[flow.capture] : flow.capture;
}

void TrainingSet::merge(TrainingSet other) {
  NameIndex capture_index(captures);
  NameIndex group_index(groups);
  other.scenarios.resize(other.groups.size());
  for (LabelledFlow& flow : other.flows) {
    const std::string& scenario = other.scenarios[flow.group];
    const bool hashed = other.hash_known(flow.capture);
    const std::uint64_t hash = hashed ? other.capture_hashes[flow.capture] : 0;
    flow.capture = capture_index(other.captures[flow.capture]);
    capture_hashes.resize(captures.size());
    if (hashed) capture_hashes[flow.capture] = hash;
    flow.group = group_index(other.groups[flow.group]);
    scenarios.resize(groups.size());
    scenarios[flow.group] = scenario;
    flows.push_back(std::move(flow));
  }
  losses.by_product += other.losses.by_product;
  losses.no_meaning += other.losses.no_meaning;
  losses.other_protocol += other.losses.other_protocol;
  losses.no_payload += other.losses.no_payload;
  damaged.insert(damaged.end(), other.damaged.begin(), other.damaged.end());
}

void TrainingSet::merge_label(const std::string& label, const std::string& into) {
  const auto meant =
      std::find_if(flows.begin(), flows.end(), [&](const LabelledFlow& flow) { return flow.label == into; });
  std::optional<LabelMeaning> meaning;
  if (meant != flows.end()) meaning = LabelMeaning{meant->family, meant->category};
  for (LabelledFlow& flow : flows) {
    if (flow.label != label) continue;
    flow.label = into;
    if (!meaning) continue;
    flow.family = meaning->family;
    flow.category = *meaning->category;
  }
}

void TrainingSet::split_single_variants() {
  std::map<std::string, unsigned> variants;
  for (const std::string& scenario : scenarios) ++variants[scenario];
  NameIndex group_index(groups);
  const std::size_t known = scenarios.size();
  for (LabelledFlow& flow : flows) {
    if (flow.group >= known) continue;
    const std::string& scenario = scenarios[flow.group];
    if (!scenario.empty() && variants[scenario] == 1) flow.group = group_index(captures[flow.capture]);
  }
  scenarios.resize(groups.size());
}

namespace {

// Why labels gave no flow at all: mostly the wrong directory.
tl::unexpected<Error> no_flow(const LabelledCaptures& sources, const TrainingSet& set, std::size_t captures,
                              std::size_t unreadable) {
  const TrainingSet::Losses& losses = set.losses;
  if (captures > 0 && unreadable == captures)
    return fail("{}: none of the {} captures that {} names can be read; the first: {}", sources.directory, captures,
                sources.labels, set.damaged.front());
  return fail(
      "{}: no row gives a flow of {}: {} by-products, {} without meaning, {} of other protocols, {} not found or "
      "without payload",
      sources.labels, sources.directory, losses.by_product, losses.no_meaning, losses.other_protocol,
      losses.no_payload);
}

}  // namespace

Result<TrainingSet> load_labelled_captures(const LabelledCaptures& sources) {
  TrainingSet set;
  auto rows_of_captures = load_rows(sources, set.losses);
  if (!rows_of_captures) return tl::unexpected(rows_of_captures.error());
  NameIndex capture_index(set.captures);
  NameIndex group_index(set.groups);
  std::size_t unreadable = 0;
  for (auto& [capture, rows] : *rows_of_captures) {
    std::string damage;
    auto flows = collect_flows((fs::path(sources.directory) / capture).string(), damage, sources.rules);
    if (!flows) damage = flows.error().message;
    unreadable += flows ? 0 : 1;
    if (!damage.empty()) set.damaged.push_back(fmt::format("{}: {}", capture, damage));
    if (flows) {
      const std::uint64_t hash = capture_hash((fs::path(sources.directory) / capture).string());
      for (CapturedFlow& flow : *flows) {
        Row* row = find_row(rows, flow, sources.start_tolerance);
        if (row == nullptr) continue;
        row->used = true;
        LabelledFlow out = labelled(std::move(flow));
        out.label = row->label;
        out.family = row->meaning.family;
        out.category = *row->meaning.category;
        out.capture = capture_index(capture);
        set.capture_hashes.resize(set.captures.size(), hash);
        out.group = group_index(row->group);
        set.scenarios.resize(set.groups.size());
        set.scenarios[out.group] = row->scenario;
        set.flows.push_back(std::move(out));
      }
    }
    for (const Row& row : rows) set.losses.no_payload += row.used ? 0 : 1;
  }
  if (set.flows.empty()) return no_flow(sources, set, rows_of_captures->size(), unreadable);
  return set;
}

Result<TrainingSet> load_capture_tree(const std::string& directory, const Taxonomy* taxonomy, Category category,
                                      FlowRules rules) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::recursive_directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    const std::string extension = entry->path().extension().string();
    if (entry->is_regular_file() && (extension == ".pcap" || extension == ".pcapng" || extension == ".cap")) {
      files.push_back(entry->path());
    }
  }
  if (error) return fail_errno(error.value(), "{}", directory);
  std::sort(files.begin(), files.end());

  TrainingSet set;
  NameIndex capture_index(set.captures);
  NameIndex group_index(set.groups);
  for (const fs::path& file : files) {
    const std::string label = file.parent_path().filename().string();
    const std::string name = (fs::path(label) / file.filename()).string();
    LabelMeaning meaning{label, category};
    if (taxonomy != nullptr) {
      const LabelMeaning* found = taxonomy->find(label);
      if (found == nullptr) return fail("{}: the taxonomy does not know the label '{}'", file.string(), label);
      meaning = *found;
    }
    std::string damage;
    auto flows = collect_flows(file.string(), damage, rules);
    if (!flows) damage = flows.error().message;
    if (!damage.empty()) set.damaged.push_back(fmt::format("{}: {}", name, damage));
    if (!flows || !meaning.category) continue;
    const std::uint64_t hash = capture_hash(file.string());
    for (CapturedFlow& flow : *flows) {
      LabelledFlow out = labelled(std::move(flow));
      out.label = label;
      out.family = meaning.family;
      out.category = *meaning.category;
      out.capture = capture_index(name);
      set.capture_hashes.resize(set.captures.size(), hash);
      out.group = group_index(name);
      set.flows.push_back(std::move(out));
    }
  }
  if (set.flows.empty()) return fail("{}: no flow with payload in any capture below it", directory);
  return set;
}

Result<TrainingSet> load_filtered_captures(const std::vector<std::string>& captures, const std::string& filter,
                                           const std::string& label, const LabelMeaning& meaning, FlowRules rules) {
  for (const std::string& name : {label, meaning.family})
    if (const auto good = check_given_name(name); !good) return tl::unexpected(good.error());
  if (!meaning.category) return fail("{}: a by-product is not trained", label);
  TrainingSet set;
  NameIndex capture_index(set.captures);
  NameIndex group_index(set.groups);
  for (const std::string& path : captures) {
    std::string damage;
    auto flows = collect_flows(path, damage, rules, filter);
    if (!flows) return tl::unexpected(std::move(flows).error());
    if (!damage.empty()) set.damaged.push_back(fmt::format("{}: {}", path, damage));
    const std::uint32_t capture = capture_index(path);
    if (set.capture_hashes.size() < set.captures.size()) set.capture_hashes.push_back(capture_hash(path));
    const std::uint32_t group = group_index(path);
    for (CapturedFlow& flow : *flows) {
      LabelledFlow out = labelled(std::move(flow));
      out.label = label;
      out.family = meaning.family;
      out.category = *meaning.category;
      out.capture = capture;
      out.group = group;
      set.flows.push_back(std::move(out));
    }
  }
  set.scenarios.resize(set.groups.size());
  return set;
}

}  // namespace spidd
