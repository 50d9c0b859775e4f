// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/learning/site_service.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace spidd {

namespace {

constexpr float kNearScore = -0.2F;   // of a tunnel model ...
constexpr float kNearMargin = -0.1F;  // ... and its distance to the best other: within reach of the alert rule

bool has_ports(Transport transport) { return transport == Transport::tcp || transport == Transport::udp; }

void put_number(std::string& bytes, std::uint32_t number) {
  for (; number >= 0x80; number >>= 7U) bytes.push_back(static_cast<char>(0x80U | (number & 0x7fU)));
  bytes.push_back(static_cast<char>(number));
}

// False at the end of the bytes, or if the number is beyond 16 bits.
bool take_number(std::string_view& bytes, std::uint32_t& number) {
  number = 0;
  for (unsigned shift = 0; shift < 21 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    number |= (byte & 0x7fU) << shift;
    if (byte < 0x80) return number <= std::numeric_limits<std::uint16_t>::max();
  }
  return false;
}

std::uint32_t add_saturating(std::uint32_t a, std::uint32_t b) {
  return a + std::min(b, std::numeric_limits<std::uint32_t>::max() - a);
}

}  // namespace

std::string to_string(const SiteKey& key) {
  return fmt::format("{}/{}/{}", key.server.to_string(), transport_name(key.transport), key.label);
}

SiteKey key_of(const SettledFlow& flow) {
  SiteKey key;
  key.transport = flow.key.transport;
  key.server = flow.server;
  if (!has_ports(key.transport)) key.server.port = 0;
  key.label = flow.label.empty() ? std::string(kUnknownLabel) : flow.label;
  return key;
}

bool SiteSelector::selects(const SiteKey& key) const {
  return key.server == server && (transport.empty() || transport == transport_name(key.transport)) &&
         (label.empty() || label == key.label);
}

Result<SiteSelector> parse_site_selector(std::string_view text) {
  constexpr const char* kForm =
      "'{}' is not a service: ADDRESS:PORT, ADDRESS:PORT/TRANSPORT or ADDRESS:PORT/TRANSPORT/LABEL";
  if (text.size() > 128) return fail("'{}...' is not a service", text.substr(0, 64));
  SiteSelector selector;
  const std::size_t slash = text.find('/');
  std::string_view endpoint = text.substr(0, slash);
  if (slash != std::string_view::npos) {
    const std::string_view rest = text.substr(slash + 1);
    const std::size_t second = rest.find('/');
    selector.transport = rest.substr(0, second);
    if (!parse_transport(selector.transport)) return fail(kForm, text);
    if (second != std::string_view::npos) {
      selector.label = rest.substr(second + 1);
      if (!is_valid_label(selector.label)) return fail(kForm, text);
    }
  }
  const std::size_t colon = endpoint.rfind(':');
  if (colon == std::string_view::npos) return fail(kForm, text);
  const std::string_view port = endpoint.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), selector.server.port);
  if (error != std::errc{} || end != port.data() + port.size()) return fail(kForm, text);
  endpoint = endpoint.substr(0, colon);
  if (endpoint.size() > 2 && endpoint.front() == '[' && endpoint.back() == ']')
    endpoint = endpoint.substr(1, endpoint.size() - 2);
  const auto address = IpAddress::parse(endpoint);
  if (!address) return fail(kForm, text);
  selector.server.address = *address;
  return selector;
}

PackedFingerprint::PackedFingerprint(const Fingerprint& flow) {
  bytes_.reserve(flow.rows.size() * 2 + 8);
  put_number(bytes_, flow.payload_packets);
  std::uint32_t next = 0;
  for (const RowCount row : flow.rows) {
    put_number(bytes_, row.row - next);
    put_number(bytes_, row.count);
    next = row.row + 1U;
  }
  bytes_.shrink_to_fit();
}

bool PackedFingerprint::from_bytes(std::string bytes, PackedFingerprint& packed) {
  std::string_view rest = bytes;
  std::uint32_t number = 0;
  if (!take_number(rest, number) || number > kMaxMeasuredPackets) return false;
  std::uint32_t next = 0;
  while (!rest.empty()) {
    std::uint32_t count = 0;
    if (!take_number(rest, number) || !take_number(rest, count)) return false;
    if (next + number >= kRowCount || count == 0) return false;
    next += number + 1;
  }
  packed.bytes_ = std::move(bytes);
  return true;
}

void PackedFingerprint::unpack(Fingerprint& flow) const {
  flow.clear();
  std::string_view rest = bytes_;
  std::uint32_t number = 0;
  std::uint32_t count = 0;
  std::uint32_t next = 0;
  if (!take_number(rest, number)) return;
  flow.payload_packets = number;
  while (take_number(rest, number) && take_number(rest, count)) {
    const std::uint32_t row = next + number;
    flow.rows.push_back({static_cast<std::uint16_t>(row), static_cast<std::uint16_t>(count)});
    flow.measurements[row / kBinsPerMeter] += count;
    next = row + 1;
  }
}

std::uint64_t SiteService::learned_flows() const {
  return std::uint64_t{learned[0].flows} + learned[1].flows + learned[2].flows;
}

std::size_t SiteService::bytes() const {
  std::size_t sum = sizeof *this + 64 + key.label.size() + family.size() + clients.capacity() * sizeof(IpAddress);
  for (const Learned& view : learned) sum += view.counters.rows().size() * sizeof(SparseCounters::Row);
  for (const SiteSample& sample : samples) sum += sizeof sample + sample.fingerprint.bytes().capacity();
  return sum;
}

void SiteService::note_client(const IpAddress& client) {
  const auto place = std::ranges::lower_bound(clients, client);
  if (place != clients.end() && *place == client) return;
  if (clients.size() < kMostClients)
    clients.insert(place, client);
  else
    more_clients = true;
}

void SiteService::add(const SettledFlow& flow, std::size_t most_samples, std::uint64_t draw) {
  const Verdict& verdict = flow.verdict;
  if (flows == 0) {
    key = key_of(flow);
    family = flow.family;
    category = flow.category;
    first = last = flow.time;
    score_min = verdict.score;
    tunnel_margin_max = verdict.tunnel_margin;
  }
  ++flows;
  first = std::min(first, flow.time);
  last = std::max(last, flow.time);
  note_client(flow.client.address);
  score_sum += static_cast<double>(verdict.score);
  score_min = std::min(score_min, verdict.score);
  tunnel_margin_sum += static_cast<double>(verdict.tunnel_margin);
  tunnel_margin_max = std::max(tunnel_margin_max, verdict.tunnel_margin);
  if (!flow.label.empty() && flow.category == Category::tunnel)
    ++tunnel_alerts;
  else if (verdict.tunnel_score >= kNearScore && verdict.tunnel_margin >= kNearMargin)
    ++tunnel_near;
  if (flow.touched()) {
    ++touched;
  } else {
    Learned& view = learned[static_cast<std::size_t>(flow.view)];
    ++view.flows;
    view.payload_packets += flow.fingerprint.payload_packets;
    view.counters.add(flow.fingerprint, kRowCount);
  }

  const std::uint64_t place = samples.size() < most_samples ? samples.size() : draw % flows;
  if (place >= most_samples) return;
  SiteSample sample{flow.client.address,
                    flow.time,
                    flow.view,
                    flow.touched(),
                    verdict.payload_packets,
                    verdict.tunnel_score,
                    verdict.tunnel_margin,
                    PackedFingerprint(flow.fingerprint)};
  if (place == samples.size())
    samples.push_back(std::move(sample));
  else
    samples[place] = std::move(sample);
}

bool SiteService::take_back(const SettledFlow& flow) {
  Learned& view = learned[static_cast<std::size_t>(flow.view)];
  if (flow.time < first || flow.time > last || view.flows == 0 ||
      view.payload_packets < flow.fingerprint.payload_packets || !view.counters.subtract(flow.fingerprint))
    return false;
  --view.flows;
  view.payload_packets -= flow.fingerprint.payload_packets;
  ++touched;
  for (SiteSample& sample : samples)
    if (sample.client == flow.client.address && sample.time == flow.time && sample.view == flow.view)
      sample.touched = true;
  return true;
}

void SiteService::merge(const SiteService& other, std::size_t most_samples) {
  if (other.flows == 0) return;
  if (flows == 0) {
    *this = other;
    if (samples.size() > most_samples) samples.resize(most_samples);
    return;
  }
  // Each side keeps places in the share of its flows; what one side leaves empty the other may fill.
  const std::size_t total = std::min(most_samples, samples.size() + other.samples.size());
  const double share = static_cast<double>(other.flows) / static_cast<double>(flows + other.flows);
  auto theirs = static_cast<std::size_t>(share * static_cast<double>(total) + 0.5);
  theirs = std::clamp(theirs, total - std::min(total, samples.size()), std::min(total, other.samples.size()));
  samples.resize(total - theirs);
  samples.insert(samples.end(), other.samples.begin(), other.samples.begin() + static_cast<std::ptrdiff_t>(theirs));

  first = std::min(first, other.first);
  last = std::max(last, other.last);
  flows += other.flows;
  touched += other.touched;
  tunnel_alerts += other.tunnel_alerts;
  tunnel_near += other.tunnel_near;
  score_sum += other.score_sum;
  score_min = std::min(score_min, other.score_min);
  tunnel_margin_sum += other.tunnel_margin_sum;
  tunnel_margin_max = std::max(tunnel_margin_max, other.tunnel_margin_max);
  for (const IpAddress& client : other.clients) note_client(client);
  more_clients = more_clients || other.more_clients;
  for (std::size_t i = 0; i < learned.size(); ++i) {
    learned[i].flows = add_saturating(learned[i].flows, other.learned[i].flows);
    learned[i].payload_packets += other.learned[i].payload_packets;
    learned[i].counters.merge(other.learned[i].counters, kRowCount);
  }
}

}  // namespace spidd
