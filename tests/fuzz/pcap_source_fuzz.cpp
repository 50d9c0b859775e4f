// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A capture file of any content, through a flow table so small that it is always full. Every flow must end exactly
// once, and every record must belong to a flow that has not ended.
#include <map>

#include "tests/fuzz/fuzz_check.h"
#include "tests/support/capture_writer.h"
#include "userspace/capture/pcap_source.h"

namespace {

using spidd::PacketRecord;

struct OpenFlow {
  unsigned records = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static spidd::test::MemoryFile file({});
  file.replace({data, size});
  spidd::PcapSource::Settings settings;
  settings.max_flows = 4;
  auto source = spidd::PcapSource::open(file.path(), settings);
  if (!source) {
    FUZZ_CHECK(!source.error().message.empty());
    return 0;
  }

  std::map<spidd::FlowKey, OpenFlow> open;
  PacketRecord record;
  auto next = source->next(record);
  for (; next == spidd::PcapSource::Next::record || next == spidd::PcapSource::Next::tick;
       next = source->next(record)) {
    if (next == spidd::PcapSource::Next::tick) continue;
    if (record.type == PacketRecord::Type::end) {
      const auto& totals = record.totals;
      FUZZ_CHECK(totals.last >= record.flow_start);
      FUZZ_CHECK(totals.counters.packets[0] + totals.counters.packets[1] > 0);
      open.erase(record.key);
      continue;
    }
    const auto& packet = record.packet;
    FUZZ_CHECK(packet.captured <= packet.length && packet.captured <= spidd::kSnapLength && packet.length > 0);
    FUZZ_CHECK(record.order < spidd::kRecordLimit && packet.tls.count <= spidd::TlsRecords::kMost);
    FUZZ_CHECK(record.order == open[record.key].records++);
    FUZZ_CHECK(source->totals(record.key, record.flow_start).has_value());
    FUZZ_CHECK(source->flows() <= settings.max_flows);
  }
  const auto& counters = source->counters();
  FUZZ_CHECK(open.empty());
  FUZZ_CHECK(counters.ends_sent == counters.flows_created + counters.flows_restarted);
  FUZZ_CHECK((next == spidd::PcapSource::Next::damaged) == !source->damage().empty());
  return 0;
}
