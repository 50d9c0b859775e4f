// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Model files. Whatever is accepted is consistent, and is the same after it was written and read again.
#include "tests/fuzz/fuzz_check.h"
#include "userspace/spid/model_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const spidd::Result<spidd::ModelFile> file = spidd::parse_model(text, "m");
  if (!file) {
    FUZZ_CHECK(file.error().message.starts_with("m:"));
    return 0;
  }
  const spidd::ProtocolModel& model = file->model;
  for (unsigned meter = 0; meter < spidd::kMeterCount; ++meter) {
    std::uint64_t sum = 0;
    for (unsigned bin = 0; bin < spidd::kBinsPerMeter; ++bin) sum += model.counters[meter * spidd::kBinsPerMeter + bin];
    FUZZ_CHECK(sum == model.measurements[meter]);
  }
  const auto again = spidd::parse_model(spidd::format_model(model, file->snap, file->rules), "m");
  FUZZ_CHECK(again.has_value());
  FUZZ_CHECK(again->model.counters == model.counters && again->model.label == model.label);
  return 0;
}
