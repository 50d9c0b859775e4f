// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Flows of a capture as commands that learn get them: each once, and touched if a block of the policy would have
// stopped it.
#include "userspace/ctl/settled_flows.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/support/capture_writer.h"
#include "tests/support/packet_builder.h"
#include "userspace/spid/protocol_model.h"

namespace spidd {
namespace {

using test::PacketBuilder;

constexpr std::uint64_t kSecond = 1'000'000'000;

// Three questions and answers over UDP, at this second.
void exchange(test::CaptureWriter& capture, std::uint64_t second, std::uint16_t server_port) {
  const auto client_port = static_cast<std::uint16_t>(40000 + second);
  for (unsigned i = 0; i < 3; ++i) {
    const std::uint64_t time = second * kSecond + i * 1000;
    capture.add(time, PacketBuilder().ipv4("10.0.0.1", "10.0.0.2").udp(client_port, server_port).payload("a?").build());
    capture.add(time + 500,
                PacketBuilder().ipv4("10.0.0.2", "10.0.0.1").udp(server_port, client_port).payload("b!").build());
  }
}

// Whether flows are touched, by the port of their client.
std::map<std::uint16_t, bool> settle(const std::string& scope) {
  test::CaptureWriter writer;
  exchange(writer, 100, 99);
  exchange(writer, 200, 53);
  exchange(writer, 300, 99);
  exchange(writer, 300 + 400, 99);
  const test::MemoryFile file(writer.bytes());
  ModelDatabase models;
  models.find_or_add("made-up", Transport::tcp, Category::plain, "made-up").flows = 1;
  auto matcher = Matcher::build(models);
  EXPECT_TRUE(matcher.has_value()) << matcher.error().message;
  auto policy = parse_policy(
      "version = 1\nmode = \"enforce\"\n[[rule]]\nname = \"r\"\nserver_ports = [53]\nstates = [\"identified\", "
      "\"unknown\"]\n"
      "action = \"block\"\nfor = \"3m\"\nscope = \"" +
          scope + "\"\n",
      "policy");
  EXPECT_TRUE(policy.has_value()) << policy.error().message;
  SettlingCapture capture;
  capture.path = file.path();
  capture.matcher = std::make_shared<const Matcher>(std::move(*matcher));
  capture.policy = std::make_shared<const Policy>(std::move(*policy));
  std::map<std::uint16_t, bool> touched;
  const auto settled = settle_flows(capture, [&](const SettledFlow& flow) {
    EXPECT_TRUE(touched.emplace(flow.client.port, flow.touched()).second) << "twice";
  });
  EXPECT_TRUE(settled.has_value());
  EXPECT_EQ(settled->flows, 4U);
  return touched;
}

TEST(SettledFlows, AreTouchedByAnEarlierBlockOfTheirHost) {
  EXPECT_EQ(settle("host"),
            (std::map<std::uint16_t, bool>{{40100, false}, {40200, true}, {40300, true}, {40700, false}}))
      << "the block is over after three minutes";
}

TEST(SettledFlows, AreNotByTheBlockOfAnotherServerOrFlow) {
  const std::map<std::uint16_t, bool> only_itself{{40100, false}, {40200, true}, {40300, false}, {40700, false}};
  EXPECT_EQ(settle("endpoint"), only_itself);
  EXPECT_EQ(settle("flow"), only_itself);
}

}  // namespace
}  // namespace spidd
