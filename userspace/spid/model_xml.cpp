// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The XML of SPID 0.4.6 (spid.md 1.5). What spidd adds are attributes that the original does not look at: rules, snap,
// thresholdsFor, family, category, transport, captures, captureHashes and threshold. Entities and document types are
// not expanded; the parser does not recurse, so depth costs nothing.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <pugixml.hpp>
#include <set>

#include "userspace/spid/model_edit.h"
#include "userspace/spid/model_exchange.h"
#include "userspace/spid/model_file.h"

namespace spidd {
namespace {

constexpr double kEpsilon = 1e-6;  // of a count: what the last digit of a share may lack
constexpr std::uint64_t kMaxMeasurements = std::uint64_t{1} << 53;
constexpr double kMaxCount = std::numeric_limits<std::uint32_t>::max();
constexpr double kMaxThreshold = 20;
constexpr std::string_view kMeterSuffix = "Meter";
constexpr std::array<std::string_view, 3> kViewSuffixes = {"", " (client->server)", " (server->client)"};  // by View
constexpr std::array<Transport, 3> kModelTransports = {Transport::tcp, Transport::udp, Transport::icmp};

std::string transport_suffix(Transport transport) { return fmt::format(" ({})", transport_name(transport)); }

std::string shorten(std::string_view text) {
  std::string shown(text.substr(0, 64));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return shown;
}

std::string label_of_name(std::string_view name) {
  std::string label(name.substr(0, 48));
  for (char& c : label) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
    if (!allowed) c = '-';
  }
  return label;
}

std::optional<unsigned> meter_of_name(std::string_view name) {
  if (name.ends_with(kMeterSuffix)) name.remove_suffix(kMeterSuffix.size());
  for (unsigned meter = 0; meter < kMeterCount; ++meter)
    if (meter_name(meter) == name) return meter;
  return std::nullopt;
}

// Reads the tree of one document; the first thing that does not belong ends it with an error.
class XmlReader {
 public:
  XmlReader(std::string_view text, const std::string& name, const ModelDefaults& defaults)
      : text_(text), name_(name), defaults_(defaults) {}

  Result<ReadModels> read() {
    const pugi::xml_parse_result parsed = document_.load_buffer(
        text_.data(), text_.size(), pugi::parse_escapes | pugi::parse_embed_pcdata | pugi::parse_wconv_attribute,
        pugi::encoding_utf8);
    if (!parsed) return error_at(static_cast<std::size_t>(parsed.offset), "not XML: {}", parsed.description());
    const pugi::xml_node root = document_.document_element();
    if (std::string_view(root.name()) != "protocolModels")
      return error_at(0, "not models of SPID: there is no <protocolModels>");
    if (Result<void> header = read_header(root); !header) return tl::unexpected(std::move(header).error());
    for (const pugi::xml_node node : root.children()) {
      if (node.type() != pugi::node_element) continue;
      if (Result<void> model = read_model(node); !model) return tl::unexpected(std::move(model).error());
    }
    if (read_.models.models.empty()) return error(root, "there is no model in it");
    return std::move(read_);
  }

 private:
  template <class... Args>
  tl::unexpected<Error> error_at(std::size_t byte, fmt::format_string<Args...> format, Args&&... args) const {
    byte = std::min(byte, text_.size());
    return fail("{}:{}: {} (byte {})", name_, 1 + std::ranges::count(text_.substr(0, byte), '\n'),
                fmt::format(format, std::forward<Args>(args)...), byte);
  }
  template <class... Args>
  tl::unexpected<Error> error(pugi::xml_node node, fmt::format_string<Args...> format, Args&&... args) const {
    return error_at(static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, node.offset_debug())), format,
                    std::forward<Args>(args)...);
  }

  // A whole number in an attribute.
  Result<std::uint64_t> number(pugi::xml_node node, const char* key, std::uint64_t most) const {
    const std::string_view text = node.attribute(key).value();
    std::uint64_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size() || value > most)
      return error(node, "{} of <{}> is \"{}\", not 0 to {}", key, shorten(node.name()), shorten(text), most);
    return value;
  }

  Result<void> read_header(pugi::xml_node root) {
    if (root.attribute("fingerprintLength")) {
      const auto length = number(root, "fingerprintLength", kBinsPerMeter);
      if (!length) return tl::unexpected(length.error());
      if (*length != kBinsPerMeter) return error(root, "fingerprints of {} bins, not {}", *length, kBinsPerMeter);
    }
    // Without a word of it the counts are the original's own.
    read_.models.rules = MeterRules::strict;
    read_.models.snap = snap_of(MeterRules::strict);
    if (root.attribute("rules")) {
      const auto rules = parse_rules(root.attribute("rules").value());
      if (!rules) return error(root, "{}", rules.error().message);
      read_.models.rules = *rules;
    }
    if (root.attribute("snap")) {
      const auto snap = number(root, "snap", kStrictSnap);
      if (!snap) return tl::unexpected(snap.error());
      if (*snap == 0) return error(root, "snap is 0");
      read_.models.snap = static_cast<unsigned>(*snap);
    }
    if (root.attribute("thresholdsFor")) {
      read_.models.thresholds_for = parse_hash(root.attribute("thresholdsFor").value());
      if (!read_.models.thresholds_for) return error(root, "thresholdsFor is not 16 hexadecimal digits");
    }
    return {};
  }

  // What is about the model beside its counts.
  Result<void> read_names(pugi::xml_node node, ProtocolModel& model) {
    std::string_view name = node.attribute("name").value();
    for (const View view : {View::to_server, View::to_client}) {
      const std::string_view suffix = kViewSuffixes[static_cast<std::size_t>(view)];
      if (!name.ends_with(suffix)) continue;
      name.remove_suffix(suffix.size());
      model.view = view;
    }
    std::optional<Transport> named_transport;
    for (const Transport transport : kModelTransports) {
      const std::string suffix = transport_suffix(transport);
      if (!name.ends_with(suffix)) continue;
      name.remove_suffix(suffix.size());
      named_transport = transport;
    }
    model.label = label_of_name(name);
    if (!is_valid_label(model.label)) return error(node, "\"{}\" gives no label", shorten(name));
    if (model.label != name)
      read_.notes.push_back(fmt::format("\"{}\" becomes the label {}", shorten(name), model.label));
    const std::string_view family = node.attribute("family").value();
    model.family = !family.empty() ? std::string(family) : !defaults_.family.empty() ? defaults_.family : model.label;
    if (!is_valid_label(model.family)) return error(node, "\"{}\" is not a family", shorten(model.family));
    if (node.attribute("category")) {
      const auto category = parse_category(node.attribute("category").value());
      if (!category) return error(node, "{}", shorten(category.error().message));
      model.category = *category;
    } else if (defaults_.category) {
      model.category = *defaults_.category;
    } else {
      return error(node, "{}: the file does not say the category: say --category", model.label);
    }
    if (node.attribute("transport")) {
      const auto transport = parse_transport(node.attribute("transport").value());
      if (!transport) return error(node, "{}", shorten(transport.error().message));
      model.transport = model_transport(*transport);
    } else if (named_transport) {
      model.transport = *named_transport;
    } else if (defaults_.transport) {
      model.transport = model_transport(*defaults_.transport);
    } else {
      return error(node, "{}: the file does not say the transport: say --transport", model.label);
    }
    return {};
  }

  Result<void> read_numbers(pugi::xml_node node, ProtocolModel& model) {
    const auto flows = number(node, "sessionCount", std::numeric_limits<std::uint32_t>::max());
    if (!flows) return tl::unexpected(flows.error());
    const auto packets = number(node, "observationCount", kMaxMeasurements);
    if (!packets) return tl::unexpected(packets.error());
    model.flows = static_cast<std::uint32_t>(*flows);
    model.payload_packets = *packets;
    if (node.attribute("captures")) {
      const auto captures = number(node, "captures", std::numeric_limits<std::uint32_t>::max());
      if (!captures) return tl::unexpected(captures.error());
      model.captures = static_cast<std::uint32_t>(*captures);
    }
    for (std::string_view hashes = node.attribute("captureHashes").value(); !hashes.empty();) {
      const std::size_t length = std::min(hashes.find(' '), hashes.size());
      const auto hash = parse_hash(hashes.substr(0, length));
      if (!hash || model.capture_hashes.size() == std::min<std::size_t>(kMaxCaptureHashes, model.captures))
        return error(node, "captureHashes of <{}> are more than the captures or {}, or not hexadecimal",
                     shorten(node.name()), kMaxCaptureHashes);
      model.remember_capture(*hash);
      hashes.remove_prefix(std::min(length + 1, hashes.size()));
    }
    if (node.attribute("threshold")) {
      const std::string_view text = node.attribute("threshold").value();
      double threshold = -1;
      const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), threshold);
      if (failed != std::errc() || end != text.data() + text.size() || !(threshold >= 0 && threshold <= kMaxThreshold))
        return error(node, "threshold of <{}> is \"{}\", not 0 to {}", shorten(node.name()), shorten(text),
                     kMaxThreshold);
      model.threshold = static_cast<float>(threshold);
    }
    return {};
  }

  Result<void> read_model(pugi::xml_node node) {
    if (std::string_view(node.name()) != "protocolModel")
      return error(node, "<{}> does not belong here", shorten(node.name()));
    if (read_.models.models.size() == kMaxModels) return error(node, "more than {} models", kMaxModels);
    ProtocolModel model;
    if (Result<void> names = read_names(node, model); !names) return names;
    if (Result<void> numbers = read_numbers(node, model); !numbers) return numbers;
    std::set<unsigned> seen;
    std::uint64_t lost = 0;
    for (const pugi::xml_node child : node.children()) {
      if (child.type() != pugi::node_element) continue;
      const std::string_view name = child.name();
      if (name == "defaultPorts") {
        if (child.child("port"))
          read_.notes.push_back(fmt::format("{}: its default ports are left out: SPID never used them", model.label));
        continue;
      }
      if (name != "attributeFingerprint") return error(child, "<{}> does not belong here", shorten(name));
      const std::string_view meter_text = child.attribute("attributeMeterName").value();
      const auto meter = meter_of_name(meter_text);
      if (!meter) {
        read_.notes.push_back(fmt::format("{}: meter {} is unknown and left out", model.label, shorten(meter_text)));
        if (read_.notes.size() > kMaxModels) return error(child, "too many unknown meters");
        continue;
      }
      if (!seen.insert(*meter).second) return error(child, "meter {} is repeated", meter_name(*meter));
      if (Result<void> bins = read_bins(child, *meter, model, lost); !bins) return bins;
    }
    if (lost > 0)
      read_.notes.push_back(
          fmt::format("{}: {} measurements lost, as the file has shares in place of counts", model.label, lost));
    if (read_.models.find(model.label, model.transport, model.view) != nullptr)
      return error(node, "there are two models {} over {}", model.label, transport_name(model.transport));
    put_model(read_.models, std::move(model));
    return {};
  }

  Result<void> read_bins(pugi::xml_node node, unsigned meter, ProtocolModel& model, std::uint64_t& lost) {
    const auto measurements = number(node, "measurementCount", kMaxMeasurements);
    if (!measurements) return tl::unexpected(measurements.error());
    const auto n = static_cast<double>(*measurements);
    unsigned next = 0;
    std::uint64_t sum = 0;
    for (const pugi::xml_node child : node.children()) {
      if (child.type() != pugi::node_element) continue;
      if (std::string_view(child.name()) != "bin")
        return error(child, "<{}> does not belong here", shorten(child.name()));
      unsigned bin = next;
      if (child.attribute("i")) {
        const auto index = number(child, "i", kBinsPerMeter - 1);
        if (!index) return tl::unexpected(index.error());
        bin = static_cast<unsigned>(*index);
      }
      if (bin < next || bin >= kBinsPerMeter) return error(child, "bin {} is out of order or above 255", bin);
      next = bin + 1;
      const std::string_view text = child.text().get();
      double share = 0;
      const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), share);
      if (failed != std::errc() || end != text.data() + text.size() || !(share >= 0 && share <= 1 + kEpsilon))
        return error(child, "the share of bin {} is \"{}\", not 0 to 1", bin, shorten(text));
      const double count = std::floor(share * n + kEpsilon);
      if (count > kMaxCount) return error(child, "the count of bin {} is beyond 2^32", bin);
      model.counters[meter * kBinsPerMeter + bin] = static_cast<std::uint32_t>(count);
      sum += static_cast<std::uint64_t>(count);
    }
    if (sum > *measurements) return error(node, "the shares of {} add up to more than 1", meter_name(meter));
    lost += *measurements - sum;
    model.measurements[meter] = sum;
    return {};
  }

  std::string_view text_;
  const std::string& name_;
  const ModelDefaults& defaults_;
  pugi::xml_document document_;
  ReadModels read_;
};

// The share from which floor(share * n) gives the count again.
double share_of(std::uint32_t count, std::uint64_t measurements) {
  const auto n = static_cast<double>(measurements);
  double share = count / n;
  while (std::floor(share * n) < count) share = std::nextafter(share, 2.0);
  return share;
}

void append_meter(std::string& out, const ProtocolModel& model, unsigned meter) {
  fmt::format_to(std::back_inserter(out),
                 "    <attributeFingerprint attributeMeterName=\"{}{}\" measurementCount=\"{}\">\n", meter_name(meter),
                 kMeterSuffix, model.measurements[meter]);
  for (unsigned bin = 0; bin < kBinsPerMeter; ++bin) {
    const std::uint32_t count = model.counters[meter * kBinsPerMeter + bin];
    if (count == 0)
      fmt::format_to(std::back_inserter(out), "<bin i=\"{}\">0</bin>\n", bin);
    else
      fmt::format_to(std::back_inserter(out), "<bin i=\"{}\">{}</bin>\n", bin,
                     share_of(count, model.measurements[meter]));
  }
  out += "    </attributeFingerprint>\n";
}

}  // namespace

Result<ReadModels> parse_models_xml(std::string_view text, const std::string& name, const ModelDefaults& defaults) {
  return XmlReader(text, name, defaults).read();
}

std::string format_models_xml(const ModelDatabase& models, XmlMeters meters) {
  const unsigned meter_count = meters == XmlMeters::all ? kMeterCount : kOriginalMeterCount;
  std::map<std::string_view, std::set<Transport>> transports_of;
  for (const ProtocolModel& model : models.models) transports_of[model.label].insert(model.transport);
  const std::string thresholds_for =
      models.thresholds_for ? fmt::format(" thresholdsFor=\"{:016x}\"", *models.thresholds_for) : "";
  std::string text = fmt::format(
      "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<protocolModels fingerprintLength=\"{}\" rules=\"{}\" "
      "snap=\"{}\"{}>\n",
      kBinsPerMeter, rules_name(models.rules), models.snap, thresholds_for);
  for (const ProtocolModel& model : models.models) {
    // Labels, families and the other words need no escaping but for the sign in the views' suffixes.
    std::string name = model.label;
    if (transports_of[model.label].size() > 1) name += transport_suffix(model.transport);
    name += kViewSuffixes[static_cast<std::size_t>(model.view)];
    if (const std::size_t sign = name.find('>'); sign != std::string::npos) name.replace(sign, 1, "&gt;");
    const std::string hashes = model.capture_hashes.empty()
                                   ? ""
                                   : fmt::format(" captureHashes=\"{:016x}\"", fmt::join(model.capture_hashes, " "));
    fmt::format_to(std::back_inserter(text),
                   "  <protocolModel name=\"{}\" sessionCount=\"{}\" observationCount=\"{}\" family=\"{}\" "
                   "category=\"{}\" transport=\"{}\" captures=\"{}\"{} threshold=\"{}\">\n    <defaultPorts/>\n",
                   name, model.flows, model.payload_packets, model.family, category_name(model.category),
                   transport_name(model.transport), model.captures, hashes, model.threshold);
    for (unsigned meter = 0; meter < meter_count; ++meter) append_meter(text, model, meter);
    text += "  </protocolModel>\n";
  }
  return text + "</protocolModels>\n";
}

}  // namespace spidd
