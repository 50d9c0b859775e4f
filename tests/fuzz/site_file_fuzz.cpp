// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Files of site services. A file is tried as it is, and with header and checksum made right for what follows the first
// 32 bytes, so that mutations get past them. Whatever is accepted is the same after it was written and read again.
#include <cstring>

#include "tests/fuzz/fuzz_check.h"
#include "userspace/base/fnv1a.h"
#include "userspace/learning/site_file.h"

namespace {

std::string with_header(std::string_view rest) {
  std::string bytes = spidd::format_site_file({}).substr(0, 16);
  const auto put = [&bytes](std::uint64_t number) {
    for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(number >> (8 * i) & 0xffU));
  };
  const std::uint64_t sum = spidd::fnv1a64(rest);
  put(rest.size());
  put(sum);
  return bytes.append(rest);
}

bool check(std::string_view bytes) {
  const auto file = spidd::parse_site_file(bytes, "s");
  if (!file) {
    FUZZ_CHECK(file.error().message.starts_with("s: "));
    return false;
  }
  const std::string written = spidd::format_site_file(*file);
  const auto again = spidd::parse_site_file(written, "s");
  FUZZ_CHECK(again.has_value());
  FUZZ_CHECK(spidd::format_site_file(*again) == written);
  spidd::Fingerprint flow;
  for (const spidd::SiteRecord& record : file->records) {
    FUZZ_CHECK(record.service.touched <= record.service.flows);
    for (const spidd::SiteSample& sample : record.service.samples) {
      sample.fingerprint.unpack(flow);
      for (const spidd::RowCount& row : flow.rows) FUZZ_CHECK(row.row < spidd::kRowCount && row.count > 0);
    }
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check(bytes);
  if (bytes.size() > 32) check(with_header(bytes.substr(32)));
  return 0;
}
