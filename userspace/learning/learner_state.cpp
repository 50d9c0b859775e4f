// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/learning/learner_state.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <set>

#include "userspace/base/fnv1a.h"
#include "userspace/base/staged_files.h"
#include "userspace/base/whole_file.h"

namespace spidd {

namespace {

constexpr std::string_view kHead = "spidd-learned 1\n";
constexpr std::size_t kHashBytes = 8;
// Twice 1024 clusters with every bin and eight flows of the longest, the most that settings allow, take 400 MiB.
constexpr std::size_t kMostFileBytes = std::size_t{512} << 20U;
constexpr std::uint64_t kMostClusters = 8192;

class Writer {
 public:
  void number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U) out_.push_back(static_cast<char>(0x80U | (value & 0x7fU)));
    out_.push_back(static_cast<char>(value));
  }
  void time(Timestamp time) { number(static_cast<std::uint64_t>(time.time_since_epoch().count())); }
  void real(float value) { number(std::bit_cast<std::uint32_t>(value)); }
  void bytes(std::string_view bytes) {
    number(bytes.size());
    out_ += bytes;
  }
  void address(const IpAddress& address) {
    for (const std::uint8_t byte : address.bytes) out_.push_back(static_cast<char>(byte));
  }
  void endpoint(const Endpoint& endpoint) {
    address(endpoint.address);
    number(endpoint.port);
  }
  // Rows as the distance from the one before.
  template <class Rows>
  void rows(const Rows& rows) {
    number(rows.size());
    unsigned before = 0;
    for (const auto& row : rows) {
      number(row.row - before);
      number(row.count);
      before = row.row;
    }
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// Reads what Writer writes. After the first mistake everything is 0 and good() is false.
class Reader {
 public:
  explicit Reader(std::string_view in) : rest_(in) {}

  std::uint64_t number(std::uint64_t most = ~std::uint64_t{0}) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) return bad();
      const auto byte = static_cast<std::uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      if (shift == 63 && byte > 1) return bad();
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return value <= most ? value : bad();
    }
    return bad();
  }
  template <class T>
  T as(std::uint64_t most = std::numeric_limits<T>::max()) {
    return static_cast<T>(number(most));
  }
  Timestamp time() { return Timestamp(Duration(static_cast<std::int64_t>(number()))); }
  // Of scores: nothing that is no number, or huge.
  float real() {
    const auto value = std::bit_cast<float>(as<std::uint32_t>());
    if (value >= -1e4F && value <= 1e4F) return value;
    bad();
    return 0;
  }
  std::string_view bytes(std::size_t most) {
    const std::size_t size = number(most);
    if (size > rest_.size()) bad();
    const std::string_view bytes = rest_.substr(0, good_ ? size : 0);
    rest_.remove_prefix(bytes.size());
    return bytes;
  }
  IpAddress address() {
    IpAddress address;
    if (rest_.size() < address.bytes.size()) bad();
    if (!good_) return address;
    std::copy_n(rest_.begin(), address.bytes.size(), address.bytes.begin());
    rest_.remove_prefix(address.bytes.size());
    return address;
  }
  Endpoint endpoint() {
    Endpoint endpoint;
    endpoint.address = address();
    endpoint.port = as<std::uint16_t>();
    return endpoint;
  }
  template <class Row>
  std::vector<Row> rows() {
    std::vector<Row> rows(number(kRowCount));
    std::uint64_t row = 0;
    for (std::size_t i = 0; i < rows.size() && good_; ++i) {
      const std::uint64_t step = number(kRowCount);
      row += step;
      if ((i > 0 && step == 0) || row >= kRowCount) bad();
      rows[i].row = static_cast<std::uint16_t>(row);
      rows[i].count = as<decltype(rows[i].count)>();
      if (rows[i].count == 0) bad();
    }
    if (!good_) rows.clear();
    return rows;
  }

  bool good() const { return good_; }
  bool at_end() const { return rest_.empty(); }
  std::uint64_t bad() {
    good_ = false;
    rest_ = {};
    return 0;
  }

 private:
  std::string_view rest_;
  bool good_ = true;
};

template <class Sketch, class WriteKey>
void write_counts(Writer& out, const Sketch& sketch, WriteKey write_key) {
  out.number(sketch.entries().size());
  for (const auto& entry : sketch.entries()) {
    write_key(entry.key);
    out.number(entry.count);
  }
}

template <class Sketch, class WriteKey>
void write_shares(Writer& out, const Sketch& sketch, WriteKey write_key) {
  out.number(sketch.entries().size());
  for (const auto& entry : sketch.entries()) {
    write_key(entry.key);
    out.number(entry.flows);
    out.number(entry.lately);
  }
}

template <class Sketch, class ReadKey>
void read_counts(Reader& in, Sketch& sketch, ReadKey read_key) {
  for (std::uint64_t left = in.number(Sketch::kPlaces); left > 0 && in.good(); --left) {
    const auto key = read_key();
    sketch.add(key, in.number());
  }
}

template <class Sketch, class ReadKey>
void read_shares(Reader& in, Sketch& sketch, ReadKey read_key) {
  for (std::uint64_t left = in.number(Sketch::kPlaces); left > 0 && in.good(); --left) {
    const auto key = read_key();
    const auto flows = in.as<std::uint32_t>();
    sketch.add(key, flows, in.as<std::uint32_t>());
  }
}

void write_sample(Writer& out, const SampleFlow& sample) {
  out.number(sample.flow_id);
  out.endpoint(sample.client);
  out.endpoint(sample.server);
  out.number(sample.packets.size());
  for (const SampleFlow::Packet& packet : sample.packets) {
    out.number(static_cast<std::uint64_t>(packet.direction));
    out.number(packet.length);
    out.bytes({reinterpret_cast<const char*>(packet.bytes.data()), packet.bytes.size()});
  }
}

SampleFlow read_sample(Reader& in) {
  SampleFlow sample;
  sample.flow_id = in.number();
  sample.client = in.endpoint();
  sample.server = in.endpoint();
  for (std::uint64_t left = in.number(kSamplePackets); left > 0 && in.good(); --left) {
    SampleFlow::Packet& packet = sample.packets.emplace_back();
    packet.direction = static_cast<Direction>(in.number(1));
    packet.length = in.as<std::uint32_t>();
    const std::string_view bytes = in.bytes(kSnapLength);
    packet.bytes.assign(bytes.begin(), bytes.end());
  }
  return sample;
}

Fingerprint read_member(Reader& in) {
  Fingerprint member;
  member.payload_packets = in.as<unsigned>(kMaxMeasuredPackets);
  for (const RowCount row : in.rows<RowCount>()) {
    member.rows.push_back(row);
    member.measurements[row.row / kBinsPerMeter] += row.count;
  }
  return member;
}

void write_cluster(Writer& out, const Cluster& cluster) {
  out.number(cluster.id);
  out.number(static_cast<std::uint64_t>(cluster.state));
  out.bytes(cluster.name);
  out.bytes(cluster.family);
  out.number(static_cast<std::uint64_t>(cluster.category));
  out.number(static_cast<std::uint64_t>(cluster.transport));
  out.rows(cluster.counters.rows());
  out.number(cluster.flows);
  out.number(cluster.payload_packets);
  out.time(cluster.first_seen);
  out.time(cluster.last_seen);
  out.number(cluster.occasions);
  out.time(cluster.occasion_began);
  out.real(cluster.consistency);
  out.real(cluster.threshold);
  out.number(cluster.published_flows);
  write_counts(out, cluster.servers, [&](const Endpoint& key) { out.endpoint(key); });
  write_counts(out, cluster.ports, [&](std::uint16_t key) { out.number(key); });
  write_shares(out, cluster.clients, [&](const IpAddress& key) { out.address(key); });
  write_shares(out, cluster.server_hosts, [&](const IpAddress& key) { out.address(key); });
  write_shares(out, cluster.pairs, [&](std::uint64_t key) { out.number(key); });
  out.number(cluster.samples.size());
  for (const SampleFlow& sample : cluster.samples) write_sample(out, sample);
  out.number(cluster.members.size());
  for (const Fingerprint& member : cluster.members) {
    out.number(member.payload_packets);
    out.rows(member.rows);
  }
}

Cluster read_cluster(Reader& in) {
  Cluster cluster;
  cluster.id = in.as<std::uint32_t>();
  cluster.state = static_cast<ClusterState>(in.number(static_cast<std::uint64_t>(ClusterState::confirmed)));
  cluster.name = in.bytes(64);
  cluster.family = in.bytes(64);
  cluster.category = static_cast<Category>(in.number(static_cast<std::uint64_t>(Category::p2p)));
  cluster.transport = static_cast<Transport>(in.number(255));
  if (auto counters = SparseCounters::from_rows(in.rows<SparseCounters::Row>()))
    cluster.counters = std::move(*counters);
  else
    in.bad();
  cluster.flows = in.as<std::uint32_t>();
  cluster.payload_packets = in.number();
  cluster.first_seen = in.time();
  cluster.last_seen = in.time();
  cluster.occasions = in.as<std::uint32_t>();
  cluster.occasion_began = in.time();
  cluster.consistency = in.real();
  cluster.threshold = in.real();
  cluster.published_flows = in.as<std::uint32_t>();
  read_counts(in, cluster.servers, [&] { return in.endpoint(); });
  read_counts(in, cluster.ports, [&] { return in.as<std::uint16_t>(); });
  read_shares(in, cluster.clients, [&] { return in.address(); });
  read_shares(in, cluster.server_hosts, [&] { return in.address(); });
  read_shares(in, cluster.pairs, [&] { return in.number(); });
  for (std::uint64_t left = in.number(Cluster::kSampleFlows); left > 0 && in.good(); --left)
    cluster.samples.push_back(read_sample(in));
  for (std::uint64_t left = in.number(Cluster::kMembers); left > 0 && in.good(); --left)
    cluster.members.push_back(read_member(in));
  return cluster;
}

Result<> check_cluster(const Cluster& cluster) {
  const bool named = cluster.state != ClusterState::anonymous;
  if (named && (!is_valid_label(cluster.name) || !is_valid_label(cluster.family)))
    return fail("cluster {} has no proper name", cluster.id);
  if (!named && !cluster.name.empty()) return fail("cluster {} has a name too early", cluster.id);
  if (cluster.transport != Transport::tcp && cluster.transport != Transport::udp &&
      cluster.transport != Transport::icmp)
    return fail("cluster {} has no transport", cluster.id);
  if (cluster.flows == 0 || cluster.counters.rows().empty()) return fail("cluster {} is empty", cluster.id);
  return {};
}

std::string path_in(const std::string& directory) { return directory + "/learned/clusters"; }

}  // namespace

std::string learned_folder(const std::string& directory) { return directory + "/learned"; }

std::string format_learned(const std::deque<Cluster>& clusters, std::uint32_t next_id) {
  Writer out;
  out.number(kMeterCount);
  out.number(kSnapLength);
  out.number(next_id);
  out.number(clusters.size());
  for (const Cluster& cluster : clusters) write_cluster(out, cluster);
  const std::string body = out.take();
  std::string text(kHead);
  for (std::uint64_t hash = fnv1a64(body), i = 0; i < kHashBytes; ++i, hash >>= 8U)
    text.push_back(static_cast<char>(hash & 0xffU));
  return text + body;
}

Result<LearnedState> parse_learned(std::string_view text) {
  if (!text.starts_with(kHead)) return fail("it does not begin with '{}'", kHead.substr(0, kHead.size() - 1));
  text.remove_prefix(kHead.size());
  if (text.size() < kHashBytes) return fail("it is cut short");
  std::uint64_t hash = 0;
  for (std::size_t i = kHashBytes; i-- > 0;) hash = hash << 8U | static_cast<std::uint8_t>(text[i]);
  text.remove_prefix(kHashBytes);
  if (hash != fnv1a64(text)) return fail("its checksum is wrong");
  return parse_learned_body(text);
}

Result<LearnedState> parse_learned_body(std::string_view body) {
  Reader in(body);
  LearnedState state;
  if (in.number() != kMeterCount || in.number() != kSnapLength)
    return fail("it was measured with other meters than this spidd has");
  state.next_id = in.as<std::uint32_t>();
  std::set<std::uint32_t> ids;
  std::set<std::pair<std::string, Transport>> names;
  for (std::uint64_t left = in.number(kMostClusters); left > 0 && in.good(); --left) {
    Cluster cluster = read_cluster(in);
    if (!in.good()) break;
    if (auto good = check_cluster(cluster); !good) return tl::unexpected<Error>(good.error());
    if (cluster.id >= state.next_id || !ids.insert(cluster.id).second)
      return fail("the number {} is not one of its own", cluster.id);
    if (!cluster.name.empty() && !names.emplace(cluster.name, cluster.transport).second)
      return fail("'{}' is there twice", cluster.name);
    state.clusters.push_back(std::move(cluster));
  }
  if (!in.good()) return fail("it is cut short or damaged behind cluster {} of it", state.clusters.size());
  if (!in.at_end()) return fail("something follows the last cluster");
  return state;
}

Result<> save_learned(const UnknownLearner& learner, const std::string& directory) {
  std::error_code code;
  std::filesystem::create_directories(directory + "/learned", code);
  if (code) return fail_errno(code.value(), "create {}/learned", directory);
  StagedFiles files;
  const std::string text = format_learned(learner.clusters(), learner.next_id());
  if (text.size() > kMostFileBytes)
    return fail("{}: {} bytes are more than could be read again: it stays as it was", path_in(directory), text.size());
  if (auto staged = files.write(path_in(directory), text); !staged) return staged;
  return files.commit();
}

Result<> load_learned(UnknownLearner& learner, const std::string& directory, LearnedUse use) {
  const std::string path = path_in(directory);
  std::string text;
  if (auto read = read_whole_file(path, kMostFileBytes, text); !read) {
    if (read.error().code == ENOENT) return {};
    const int code = read.error().code != 0 ? read.error().code : EINVAL;  // not a file, or too large for one of ours
    return tl::unexpected<Error>(Error{read.error().message, code});
  }
  auto state = parse_learned(text);
  if (state) {
    learner.restore(std::move(state->clusters), state->next_id);
    return {};
  }
  if (use == LearnedUse::read) return fail("{}: {}", path, state.error().message);
  const auto aside = set_aside(path, ".damaged", true);
  if (!aside)
    return tl::unexpected<Error>(
        Error{fmt::format("{}: {}; it cannot be kept aside: {}", path, state.error().message, aside.error().message),
              EINVAL});
  return fail("{}: {}; it is kept as {}, and learning begins anew", path, state.error().message, *aside);
}

Result<ModelDatabase> read_learned_models(const std::string& directory) {
  const std::string path = path_in(directory);
  std::string text;
  if (auto read = read_whole_file(path, kMostFileBytes, text); !read) {
    if (read.error().code == ENOENT) return ModelDatabase{};
    return tl::unexpected<Error>(read.error());
  }
  auto state = parse_learned(text);
  if (!state) return std::move(state).error().within(path);
  UnknownLearner learner({}, nullptr);
  learner.restore(std::move(state->clusters), state->next_id);
  return learner.models();
}

}  // namespace spidd
