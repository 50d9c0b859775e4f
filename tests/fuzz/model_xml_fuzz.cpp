// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Models in the XML of SPID. Whatever is accepted is consistent, and is the same after it was written and read again.
#include "tests/fuzz/fuzz_check.h"
#include "userspace/spid/model_exchange.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const spidd::ModelDefaults defaults{"", spidd::Category::plain, spidd::Transport::tcp};
  const auto read = spidd::parse_models_xml(text, "m", defaults);
  if (!read) {
    FUZZ_CHECK(read.error().message.starts_with("m:"));
    return 0;
  }
  for (const spidd::ProtocolModel& model : read->models.models) {
    FUZZ_CHECK(spidd::is_valid_label(model.label) && spidd::is_valid_label(model.family));
    for (unsigned meter = 0; meter < spidd::kMeterCount; ++meter) {
      std::uint64_t sum = 0;
      for (unsigned bin = 0; bin < spidd::kBinsPerMeter; ++bin)
        sum += model.counters[meter * spidd::kBinsPerMeter + bin];
      FUZZ_CHECK(sum == model.measurements[meter]);
    }
  }
  const auto again = spidd::parse_models_xml(spidd::format_models_xml(read->models, spidd::XmlMeters::all), "m", {});
  FUZZ_CHECK(again.has_value());
  FUZZ_CHECK(again->models.models == read->models.models);
  return 0;
}
