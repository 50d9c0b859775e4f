// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A settled flow on its way over the control socket.
#include "userspace/daemon/settled_answer.h"

#include <gmock/gmock.h>

#include "userspace/daemon/requests.h"
#include "userspace/report/events.h"

namespace spidd {
namespace {

using nlohmann::ordered_json;

SettledFlow some_flow() {
  SettledFlow flow;
  flow.key.transport = Transport::udp;
  flow.client = {*IpAddress::parse("192.0.2.1"), 40000};
  flow.server = {*IpAddress::parse("192.0.2.2"), 53};
  flow.label = "dns";
  flow.view = View::to_server;
  std::vector<PayloadPacket> packets(3);
  for (PayloadPacket& packet : packets) packet.length = packet.captured = 20;
  AttributeMeters().measure(packets, flow.fingerprint);
  return flow;
}

TEST(SettledAnswer, IsReadAsItWasWritten) {
  const SettledFlow flow = some_flow();
  const ordered_json answer = ordered_json::parse(settled_flow_json(flow, MeterRules::strict).dump());
  EXPECT_EQ(answer["flow_id"], event_flow_id(flow.key, flow.start));
  const auto read = parse_settled_flow(answer);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->transport, Transport::udp);
  EXPECT_EQ(read->view, View::to_server);
  EXPECT_EQ(read->rules, MeterRules::strict);
  EXPECT_EQ(read->server, "192.0.2.2:53");
  EXPECT_EQ(read->label, "dns");
  EXPECT_EQ(read->fingerprint.payload_packets, 3U);
  EXPECT_EQ(read->fingerprint.measurements, flow.fingerprint.measurements);
  ASSERT_EQ(read->fingerprint.rows.size(), flow.fingerprint.rows.size());
}

TEST(SettledAnswer, IsRefusedIfItIsNone) {
  const ordered_json good = settled_flow_json(some_flow(), MeterRules::corrected);
  const auto refused = [&good](const char* key, const ordered_json& value) {
    ordered_json answer = good;
    answer[key] = value;
    return !parse_settled_flow(answer);
  };
  EXPECT_FALSE(parse_settled_flow(ordered_json::array()));
  EXPECT_FALSE(parse_settled_flow(ordered_json::object()));
  EXPECT_TRUE(refused("meters", "34"));
  EXPECT_TRUE(refused("transport", "sctp"));
  EXPECT_TRUE(refused("view", 7));
  EXPECT_TRUE(refused("payload_packets", 0));
  EXPECT_TRUE(refused("payload_packets", 100000));
  for (const char* rows : {"7", "[1]", "[1,0]", "[1,65536]", "[5,1,5,1]", "[65535,1]", "[-1,1]", "[\"1\",1]"})
    EXPECT_TRUE(refused("rows", ordered_json::parse(rows))) << rows;
}

TEST(SettledAnswer, IsAskedForById) {
  const auto request = parse_request(R"({"version":1,"command":"settled_flow","id":42})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(std::get<SettledFlowRequest>(*request).id, 42U);
  EXPECT_FALSE(parse_request(R"({"version":1,"command":"settled_flow"})"));
  EXPECT_FALSE(parse_request(R"({"version":1,"command":"settled_flow","id":"42"})"));
}

}  // namespace
}  // namespace spidd
