// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Model files as JSON. Read as a stream of events straight into the counters: a document tree would need twenty times
// the memory of the file, and could not say where in the file a wrong number stands.
#include "userspace/spid/model_file.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace spidd {
namespace {

constexpr std::uint64_t kFormatVersion = 2;
constexpr std::array<std::string_view, 2> kRulesNames = {"corrected", "strict"};

constexpr float kMillibits = 1000;
constexpr std::uint64_t kMaxThreshold = 20'000;
constexpr std::uint64_t kMaxCounter = std::numeric_limits<std::uint32_t>::max();

// Keys of a model file, in the order in which they are written.
enum class Key {
  spidd_model,
  meter_set,
  rules,
  snap,
  label,
  family,
  category,
  transport,
  view,
  flows,
  captures,
  capture_hashes,
  payload_packets,
  threshold_millibits,
  meters
};
constexpr std::array<std::string_view, 15> kKeyNames = {
    "spidd_model",     "meter_set",           "rules", "snap",  "label",    "family",
    "category",        "transport",           "view",  "flows", "captures", "capture_hashes",
    "payload_packets", "threshold_millibits", "meters"};

// Hostile text is quoted only in part, and never raw.
std::string shorten(std::string_view text) {
  std::string shown(text.substr(0, 64));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return shown;
}

std::optional<unsigned> find_meter(std::string_view name) {
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    if (meter_name(meter) == name) return meter;
  }
  return std::nullopt;
}

// Characters of the file; tells how far the parser has read.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** read) : at_(at), read_(read) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *read_ = ++at_;
    return *this;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** read_;
};

// Receives the events of the JSON parser. Returns false, with error() set, at the first thing that does not belong.
class ModelReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  ModelFile take() { return std::move(file_); }
  const std::string& error() const { return error_; }

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("true or false"); }
  bool number_integer(number_integer_t) override { return unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) override {
    return unexpected("a number with a fraction or beyond 64 bits");
  }
  bool binary(binary_t&) override { return unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    switch (place_) {
      case Place::bins:
        return add_bin_number(value);
      case Place::measurements:
        measurements_ = value;
        place_ = Place::meter;
        return value <= kMaxPackets || refuse("more measurements than 2^53");
      case Place::header_value:
        return set_number(value);
      default:
        return unexpected("a number");
    }
  }
  bool string(string_t& value) override {
    if (place_ == Place::hashes) return add_capture_hash(value);
    return place_ == Place::header_value ? set_text(value) : unexpected("a string");
  }
  bool start_object(std::size_t) override {
    if (place_ == Place::start) return enter(Place::header);
    if (place_ == Place::header_value && key_ == Key::meters) return enter(Place::meters);
    if (place_ == Place::meter_value) return enter(Place::meter);
    return unexpected("an object");
  }
  bool start_array(std::size_t) override {
    if (place_ == Place::header_value && key_ == Key::capture_hashes) return enter(Place::hashes);
    if (place_ != Place::bins_value) return unexpected("an array");
    next_bin_ = 0;
    bin_.reset();
    sum_ = 0;
    return enter(Place::bins);
  }
  bool key(string_t& name) override {
    if (place_ == Place::header) return begin_header_value(name);
    if (place_ == Place::meters) return begin_meter(name);
    if (name == "measurements" && !measurements_) return enter(Place::measurements);
    if (name == "bins" && !sum_) return enter(Place::bins_value);
    return refuse("key \"{}\" is unknown or repeated in a meter", shorten(name));
  }
  bool end_array() override {
    if (place_ == Place::hashes) return enter(Place::header);
    if (bin_) return refuse("bin {} has no count", *bin_);
    return enter(Place::meter);
  }
  bool end_object() override {
    if (place_ == Place::meter) return end_meter();
    if (place_ == Place::meters) return enter(Place::header);
    for (std::size_t i = 0; i < kKeyNames.size(); ++i) {
      if (!seen_[i] && static_cast<Key>(i) != Key::capture_hashes) return refuse("key \"{}\" is missing", kKeyNames[i]);
    }
    if (file_.model.capture_hashes.size() > file_.model.captures) return refuse("there are more hashes than captures");
    return enter(Place::end);
  }
  bool parse_error(std::size_t, const std::string& token, const nlohmann::json::exception&) override {
    return refuse("not JSON at \"{}\"", shorten(token));
  }

 private:
  enum class Place {
    start,
    header,
    header_value,
    hashes,
    meters,
    meter_value,
    meter,
    measurements,
    bins_value,
    bins,
    end
  };

  template <class... Args>
  bool refuse(fmt::format_string<Args...> format, Args&&... args) {
    error_ = fmt::format(format, std::forward<Args>(args)...);
    return false;
  }
  bool unexpected(std::string_view what) { return refuse("{} does not belong here", what); }
  bool enter(Place place) {
    place_ = place;
    return true;
  }
  bool begin_header_value(std::string_view name) {
    const auto found = std::find(kKeyNames.begin(), kKeyNames.end(), name);
    if (found == kKeyNames.end()) return refuse("key \"{}\" is unknown", shorten(name));
    const auto index = static_cast<std::size_t>(found - kKeyNames.begin());
    if (std::exchange(seen_[index], true)) return refuse("key \"{}\" is repeated", name);
    key_ = static_cast<Key>(index);
    return enter(Place::header_value);
  }

  bool set_number(std::uint64_t value) {
    ProtocolModel& model = file_.model;
    place_ = Place::header;
    const auto check = [&](std::uint64_t least, std::uint64_t most) {
      return (value >= least && value <= most) || refuse("{} is {}, not {} to {}", name(), value, least, most);
    };
    switch (key_) {
      case Key::spidd_model:
        return value == kFormatVersion || refuse("format version {} is not {}", value, kFormatVersion);
      case Key::snap:
        file_.snap = static_cast<unsigned>(value);
        return check(1, kStrictSnap);
      case Key::flows:
        model.flows = static_cast<std::uint32_t>(value);
        return check(0, kMaxCounter);
      case Key::captures:
        model.captures = static_cast<std::uint32_t>(value);
        return check(0, kMaxCounter);
      case Key::payload_packets:
        model.payload_packets = value;
        return check(0, kMaxPackets);
      case Key::threshold_millibits:
        model.threshold = static_cast<float>(value) / kMillibits;
        return check(0, kMaxThreshold);
      default:
        return refuse("{} must not be a number", name());
    }
  }

  bool set_text(const std::string& value) {
    ProtocolModel& model = file_.model;
    place_ = Place::header;
    switch (key_) {
      case Key::meter_set:
        return value == kMeterSet || refuse("meter set \"{}\" is not \"{}\"", shorten(value), kMeterSet);
      case Key::rules: {
        const Result<MeterRules> rules = parse_rules(value);
        if (!rules) return refuse("{}", rules.error().message);
        file_.rules = *rules;
        return true;
      }
      case Key::label:
        model.label = value;
        return check_label(value);
      case Key::family:
        model.family = value;
        return check_label(value);
      case Key::category:
        return set_parsed(model.category, parse_category(value));
      case Key::transport:
        if (!set_parsed(model.transport, parse_transport(value))) return false;
        return model.transport == model_transport(model.transport) || refuse("icmp6 shares the models of icmp");
      case Key::view:
        return set_parsed(model.view, parse_view(value));
      default:
        return refuse("{} must not be a string", name());
    }
  }

  bool add_capture_hash(std::string_view text) {
    std::vector<std::uint64_t>& hashes = file_.model.capture_hashes;
    if (hashes.size() == kMaxCaptureHashes) return refuse("more than {} hashes of captures", kMaxCaptureHashes);
    const std::optional<std::uint64_t> hash = parse_hash(text);
    if (!hash) return refuse("hash of a capture \"{}\" is not 16 hexadecimal digits", shorten(text));
    if (!hashes.empty() && *hash <= hashes.back()) return refuse("hash of a capture {} is not above the last", text);
    hashes.push_back(*hash);
    return true;
  }

  bool check_label(std::string_view value) {
    return is_valid_label(value) ||
           refuse("{} \"{}\" is not 1 to 48 of a-z 0-9 _ . - beginning with a letter or digit", name(), shorten(value));
  }

  template <class T>
  bool set_parsed(T& target, const Result<T>& parsed) {
    if (!parsed) return refuse("{}", shorten(parsed.error().message));
    target = *parsed;
    return true;
  }

  bool begin_meter(std::string_view name) {
    const std::optional<unsigned> meter = find_meter(name);
    if (!meter) return refuse("meter \"{}\" is unknown", shorten(name));
    if (std::exchange(meter_seen_[*meter], true)) return refuse("meter {} is repeated", name);
    meter_ = *meter;
    measurements_.reset();
    sum_.reset();
    return enter(Place::meter_value);
  }

  bool add_bin_number(std::uint64_t value) {
    if (!bin_) {
      if (value < next_bin_ || value >= kBinsPerMeter) return refuse("bin {} is out of order or above 255", value);
      bin_ = static_cast<unsigned>(value);
      return true;
    }
    if (value == 0 || value > kMaxCounter) return refuse("the count of bin {} is {}, not 1 to 2^32-1", *bin_, value);
    file_.model.counters[meter_ * kBinsPerMeter + *bin_] = static_cast<std::uint32_t>(value);
    *sum_ += value;
    next_bin_ = *bin_ + 1;
    bin_.reset();
    return true;
  }

  bool end_meter() {
    if (!measurements_ || !sum_) return refuse("meter {} lacks measurements or bins", meter_name(meter_));
    if (*measurements_ != *sum_) {
      return refuse("meter {} has {} measurements, but its bins add up to {}", meter_name(meter_), *measurements_,
                    *sum_);
    }
    file_.model.measurements[meter_] = *sum_;
    return enter(Place::meters);
  }

  std::string_view name() const { return kKeyNames[static_cast<std::size_t>(key_)]; }

  ModelFile file_;
  std::string error_;
  Place place_ = Place::start;
  Key key_ = Key::meters;
  std::array<bool, kKeyNames.size()> seen_{};
  std::array<bool, kMeterCount> meter_seen_{};
  unsigned meter_ = 0;
  std::optional<std::uint64_t> measurements_;
  std::optional<std::uint64_t> sum_;  // of the counts; none before the array began
  std::optional<unsigned> bin_;       // whose count comes next
  unsigned next_bin_ = 0;
};

}  // namespace

std::string_view rules_name(MeterRules rules) { return kRulesNames[static_cast<std::size_t>(rules)]; }

Result<MeterRules> parse_rules(std::string_view name) {
  const auto found = std::ranges::find(kRulesNames, name);
  if (found == kRulesNames.end()) return fail("rules \"{}\" are neither corrected nor strict", shorten(name));
  return static_cast<MeterRules>(found - kRulesNames.begin());
}

std::optional<std::uint64_t> parse_hash(std::string_view text) {
  std::uint64_t hash = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), hash, 16);
  if (error != std::errc() || end != text.data() + text.size() || text.size() != 16) return std::nullopt;
  return hash;
}

Result<ModelFile> parse_model(std::string_view text, const std::string& name, TextPosition start) {
  ModelReader reader;
  const char* read = text.data();
  const CountingIterator begin(text.data(), &read);
  const CountingIterator end(text.data() + text.size(), &read);
  if (!nlohmann::json::sax_parse(begin, end, &reader)) {
    const auto line = start.line + static_cast<std::size_t>(std::count(text.data(), read, '\n'));
    return fail("{}:{}: {} (byte {})", name, line, reader.error(),
                start.byte + static_cast<std::size_t>(read - text.data()));
  }
  return reader.take();
}

std::string format_model(const ProtocolModel& model, unsigned snap, MeterRules rules) {
  std::string text;
  text.reserve(64 * 1024);
  auto out = std::back_inserter(text);
  fmt::format_to(out, "{{\n\"spidd_model\": {},\n\"meter_set\": \"{}\",\n\"rules\": \"{}\",\n\"snap\": {},\n",
                 kFormatVersion, kMeterSet, rules_name(rules), snap);
  fmt::format_to(out,
                 "\"label\": \"{}\",\n\"family\": \"{}\",\n\"category\": \"{}\",\n\"transport\": \"{}\",\n"
                 "\"view\": \"{}\",\n",
                 model.label, model.family, category_name(model.category), transport_name(model.transport),
                 view_name(model.view));
  fmt::format_to(out, "\"flows\": {},\n\"captures\": {},\n", model.flows, model.captures);
  if (!model.capture_hashes.empty())
    fmt::format_to(out, "\"capture_hashes\": [\"{:016x}\"],\n", fmt::join(model.capture_hashes, "\",\""));
  fmt::format_to(out, "\"payload_packets\": {},\n\"threshold_millibits\": {},\n\"meters\": {{", model.payload_packets,
                 std::lround(std::max(0.0F, model.threshold) * kMillibits));
  for (unsigned meter = 0; meter < kMeterCount; ++meter) {
    fmt::format_to(out, "{}\n\"{}\": {{\"measurements\": {}, \"bins\": [", meter == 0 ? "" : ",", meter_name(meter),
                   model.measurements[meter]);
    const char* separator = "";
    for (unsigned bin = 0; bin < kBinsPerMeter; ++bin) {
      const std::uint32_t count = model.counters[meter * kBinsPerMeter + bin];
      if (count == 0) continue;
      fmt::format_to(out, "{}{},{}", separator, bin, count);
      separator = ",";
    }
    text += "]}";
  }
  text += "\n}\n}\n";
  return text;
}

std::string model_file_name(const ProtocolModel& model) {
  const std::string_view transport = transport_name(model.transport);
  if (model.view == View::both) return fmt::format("{}.{}.json", model.label, transport);
  return fmt::format("{}.{}.{}.json", model.label, transport, view_name(model.view));
}

}  // namespace spidd
