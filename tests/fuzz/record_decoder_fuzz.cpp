// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Bytes of a ring that another program version may have written.
#include "tests/fuzz/fuzz_check.h"
#include "userspace/capture/record_decoder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  spidd::PacketRecord record;
  const auto status = spidd::decode_record(std::as_bytes(std::span{data, size}), std::chrono::hours(500000), record);
  if (status != spidd::DecodeStatus::ok) return 0;
  FUZZ_CHECK(record.order < spidd::kSizesLimit || record.type == spidd::PacketRecord::Type::end);
  FUZZ_CHECK(record.packet.captured <= spidd::kSnapLength && record.packet.captured <= record.packet.length);
  FUZZ_CHECK(record.packet.tls.count <= spidd::TlsRecords::kMost);
  FUZZ_CHECK(record.key.low < record.key.high ||
             (record.key.low == record.key.high && record.key.port_low <= record.key.port_high));
  FUZZ_CHECK(spidd::flow_key(spidd::abi_key(record.key)) == record.key);
  return 0;
}
