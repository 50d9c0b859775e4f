// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Layout: "SPIDSITE", version (2 bytes), meters (2), snap (2), rules (1), 0 (1), length of the rest (8), checksum of
// the rest (8), and the rest. A text is its length (1 byte) and its bytes; a list is its length (4) and its members.
#include "userspace/learning/site_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "userspace/base/fnv1a.h"

namespace spidd {

namespace {

constexpr std::string_view kMagic = "SPIDSITE";
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 8 + 2 + 2 + 2 + 1 + 1 + 8 + 8;
constexpr std::uint32_t kMostRecords = 1U << 20U;
constexpr std::uint32_t kMostSamples = 4096;
constexpr std::uint32_t kMostFingerprintBytes = 6 * kRowCount;
constexpr std::array<std::string_view, 3> kStateNames = {"recorded", "accepted", "rejected"};

class Writer {
 public:
  template <class T>
  void number(T value) {
    if constexpr (std::is_floating_point_v<T>) {
      using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
      number(std::bit_cast<Bits>(value));
    } else if constexpr (std::is_enum_v<T> || std::is_same_v<T, bool>) {
      number(static_cast<std::uint8_t>(value));
    } else {
      auto bits = static_cast<std::make_unsigned_t<T>>(value);
      for (std::size_t i = 0; i < sizeof(T); ++i) {
        bytes_.push_back(static_cast<char>(static_cast<std::uint64_t>(bits) & 0xffU));
        if constexpr (sizeof(T) > 1) bits = static_cast<std::make_unsigned_t<T>>(bits >> 8U);
      }
    }
  }
  void time(Timestamp value) { number(std::int64_t{value.time_since_epoch().count()}); }
  void text(std::string_view value) {
    number(static_cast<std::uint8_t>(std::min<std::size_t>(value.size(), 255)));
    bytes_.append(value.substr(0, 255));
  }
  void address(const IpAddress& value) {
    bytes_.append(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
  }
  void size(std::size_t value) { number(static_cast<std::uint32_t>(value)); }
  void raw(std::string_view value) { bytes_.append(value); }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads until something does not fit; from then on everything is 0 and ok() is false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes), whole_(bytes.size()) {}

  template <class T>
  T number() {
    const std::string_view bytes = take(sizeof(T));
    std::uint64_t bits = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) bits = bits << 8U | static_cast<unsigned char>(bytes[i]);
    return static_cast<T>(bits);
  }
  template <class T>
  T real() {
    using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    const T value = std::bit_cast<T>(number<Bits>());
    if (!std::isfinite(value)) spoil();
    return ok_ ? value : T{0};
  }
  template <class T>
  T choice(T most) {
    const auto value = number<std::uint8_t>();
    if (value > static_cast<std::uint8_t>(most)) spoil();
    return ok_ ? static_cast<T>(value) : T{};
  }
  bool boolean() { return choice<std::uint8_t>(1) == 1; }
  Timestamp time() { return Timestamp(Duration(number<std::int64_t>())); }
  std::string text() { return std::string(take(number<std::uint8_t>())); }
  IpAddress address() {
    IpAddress value;
    const std::string_view bytes = take(value.bytes.size());
    std::memcpy(value.bytes.data(), bytes.data(), bytes.size());
    return value;
  }
  // Of a list whose members have at least `least_bytes` each: a length that cannot be true allocates nothing.
  std::uint32_t size(std::uint32_t most, std::size_t least_bytes) {
    const auto value = number<std::uint32_t>();
    if (value > most || value > rest_.size() / least_bytes) spoil();
    return ok_ ? value : 0;
  }
  std::string_view take(std::size_t count) {
    if (count > rest_.size()) {
      spoil();
      return {};
    }
    const std::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }
  void spoil() {
    if (ok_) at_ = whole_ - rest_.size();
    ok_ = false;
    rest_ = {};
  }
  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  std::size_t at() const { return at_; }

 private:
  std::string_view rest_;
  std::size_t whole_;
  std::size_t at_ = 0;  // where it did not fit
  bool ok_ = true;
};

void write_key(Writer& out, const SiteKey& key) {
  out.address(key.server.address);
  out.number(key.server.port);
  out.number(key.transport);
  out.text(key.label);
}

SiteKey read_key(Reader& in) {
  SiteKey key;
  key.server.address = in.address();
  key.server.port = in.number<std::uint16_t>();
  const auto transport = static_cast<Transport>(in.number<std::uint8_t>());
  switch (transport) {
    case Transport::tcp:
    case Transport::udp:
    case Transport::icmp:
    case Transport::icmp6:
      key.transport = transport;
      break;
    default:
      in.spoil();
  }
  key.label = in.text();
  if (!is_valid_label(key.label)) in.spoil();
  return key;
}

void write_learned(Writer& out, const SiteService::Learned& view) {
  out.number(view.flows);
  out.number(view.payload_packets);
  out.size(view.counters.rows().size());
  for (const SparseCounters::Row& row : view.counters.rows()) {
    out.number(row.row);
    out.number(row.count);
  }
}

void read_learned(Reader& in, SiteService::Learned& view) {
  view.flows = in.number<std::uint32_t>();
  view.payload_packets = in.number<std::uint64_t>();
  std::vector<SparseCounters::Row> rows(in.size(kRowCount, 6));
  for (SparseCounters::Row& row : rows) {
    row.row = in.number<std::uint16_t>();
    row.count = in.number<std::uint32_t>();
  }
  auto counters = SparseCounters::from_rows(std::move(rows));
  if (counters)
    view.counters = std::move(*counters);
  else
    in.spoil();
}

void write_sample(Writer& out, const SiteSample& sample) {
  out.address(sample.client);
  out.time(sample.time);
  out.number(sample.view);
  out.number(sample.touched);
  out.number(sample.payload_packets);
  out.number(sample.tunnel_score);
  out.number(sample.tunnel_margin);
  out.size(sample.fingerprint.bytes().size());
  out.raw(sample.fingerprint.bytes());
}

void read_sample(Reader& in, SiteSample& sample) {
  sample.client = in.address();
  sample.time = in.time();
  sample.view = in.choice(View::to_client);
  sample.touched = in.boolean();
  sample.payload_packets = in.number<std::uint8_t>();
  sample.tunnel_score = in.real<float>();
  sample.tunnel_margin = in.real<float>();
  if (!PackedFingerprint::from_bytes(std::string(in.take(in.size(kMostFingerprintBytes, 1))), sample.fingerprint))
    in.spoil();
}

void write_service(Writer& out, const SiteService& service) {
  write_key(out, service.key);
  out.text(service.family);
  out.number(service.category);
  out.time(service.first);
  out.time(service.last);
  out.number(service.flows);
  out.number(service.touched);
  out.number(service.tunnel_alerts);
  out.number(service.tunnel_near);
  out.number(service.score_sum);
  out.number(service.score_min);
  out.number(service.tunnel_margin_sum);
  out.number(service.tunnel_margin_max);
  out.size(service.clients.size());
  for (const IpAddress& client : service.clients) out.address(client);
  out.number(service.more_clients);
  for (const SiteService::Learned& view : service.learned) write_learned(out, view);
  out.size(service.samples.size());
  for (const SiteSample& sample : service.samples) write_sample(out, sample);
}

void read_service(Reader& in, SiteService& service) {
  service.key = read_key(in);
  service.family = in.text();
  if (!service.family.empty() && !is_valid_label(service.family)) in.spoil();
  service.category = in.choice(Category::p2p);
  service.first = in.time();
  service.last = in.time();
  service.flows = in.number<std::uint64_t>();
  service.touched = in.number<std::uint64_t>();
  service.tunnel_alerts = in.number<std::uint64_t>();
  service.tunnel_near = in.number<std::uint64_t>();
  service.score_sum = in.real<double>();
  service.score_min = in.real<float>();
  service.tunnel_margin_sum = in.real<double>();
  service.tunnel_margin_max = in.real<float>();
  const std::uint32_t clients = in.size(SiteService::kMostClients, sizeof(IpAddress));
  for (std::uint32_t i = 0; i < clients; ++i) service.note_client(in.address());
  service.more_clients = in.boolean();
  for (SiteService::Learned& view : service.learned) read_learned(in, view);
  service.samples.resize(in.size(kMostSamples, 16 + 8 + 3 + 8 + 4));
  for (SiteSample& sample : service.samples) read_sample(in, sample);
  if (service.touched > service.flows || service.learned_flows() > service.flows - service.touched) in.spoil();
}

void read_record(Reader& in, SiteRecord& record) {
  record.state = in.choice(SiteState::rejected);
  record.decided = in.time();
  record.label = in.text();
  record.accepted_family = in.text();
  record.accepted_category = in.choice(Category::p2p);
  record.accepted_threshold = in.real<float>();
  if (record.state == SiteState::accepted &&
      (!is_valid_label(record.label) || !is_valid_label(record.accepted_family) ||
       record.accepted_category == Category::tunnel))
    in.spoil();
  read_service(in, record.service);
}

}  // namespace

std::string_view site_state_name(SiteState state) { return kStateNames[static_cast<std::size_t>(state)]; }

std::string format_site_file(const SiteFile& file) {
  Writer rest;
  rest.time(file.since);
  rest.time(file.until);
  rest.size(file.records.size());
  for (const SiteRecord& record : file.records) {
    rest.number(record.state);
    rest.time(record.decided);
    rest.text(record.label);
    rest.text(record.accepted_family);
    rest.number(record.accepted_category);
    rest.number(record.accepted_threshold);
    write_service(rest, record.service);
  }
  const std::string bytes = rest.take();
  Writer out;
  out.raw(kMagic);
  out.number(kVersion);
  out.number(static_cast<std::uint16_t>(kMeterCount));
  out.number(static_cast<std::uint16_t>(kSnapLength));
  out.number(static_cast<std::uint8_t>(file.rules));
  out.number(std::uint8_t{0});
  out.number(std::uint64_t{bytes.size()});
  out.number(fnv1a64(bytes));
  out.raw(bytes);
  return out.take();
}

Result<SiteFile> parse_site_file(std::string_view bytes, const std::string& name) {
  Reader header(bytes.substr(0, kHeaderBytes));
  if (header.take(kMagic.size()) != kMagic) return fail("{}: not a file of site services", name);
  if (const auto version = header.number<std::uint16_t>(); version != kVersion)
    return fail("{}: version {} is not {}", name, version, kVersion);
  const auto meters = header.number<std::uint16_t>();
  const auto snap = header.number<std::uint16_t>();
  if (meters != kMeterCount || snap != kSnapLength)
    return fail("{}: measured with {} meters on {} bytes, not {} on {}: record the site again", name, meters, snap,
                kMeterCount, kSnapLength);
  SiteFile file;
  file.rules = header.choice(MeterRules::strict);
  header.number<std::uint8_t>();
  const auto length = header.number<std::uint64_t>();
  const auto sum = header.number<std::uint64_t>();
  if (!header.ok()) return fail("{}: the header is damaged", name);
  const std::string_view rest = bytes.substr(kHeaderBytes);
  if (rest.size() != length)
    return fail("{}: {} bytes follow the header, not {}: cut short?", name, rest.size(), length);
  if (fnv1a64(rest) != sum) return fail("{}: the checksum is wrong: damaged", name);

  Reader in(rest);
  file.since = in.time();
  file.until = in.time();
  file.records.resize(in.size(kMostRecords, 100));
  for (SiteRecord& record : file.records) {
    read_record(in, record);
    if (!in.ok()) break;
  }
  if (in.ok() && !in.at_end()) return fail("{}: bytes are left over at the end", name);
  if (!in.ok()) return fail("{}: what stands at byte {} cannot be", name, kHeaderBytes + in.at());
  return file;
}

}  // namespace spidd
