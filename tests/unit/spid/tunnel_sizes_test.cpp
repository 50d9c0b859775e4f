// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SSH connections by their sizes, as OpenSSH with chacha20-poly1305 makes them (the shortest message has 36 bytes), and
// random connections.
#include "userspace/spid/tunnel_sizes.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

namespace spidd {
namespace {

// Client to server positive, server to client negative.
class Connection {
 public:
  // Key exchange, service, authentication.
  static Connection logged_in() {
    Connection connection;
    return connection.say({21, -32, 1448, -1120, 48, -484, 16, 44, -44, 68, -76, 140, -100, 308, -36, 112, -412});
  }
  Connection& say(std::initializer_list<int> lengths, unsigned times = 1) {
    while (times-- > 0)
      for (const int length : lengths)
        sizes.push_back({static_cast<std::uint16_t>(length < 0 ? -length : length),
                         length < 0 ? Direction::to_client : Direction::to_server});
    return *this;
  }
  std::vector<PacketSize> sizes;
};

TEST(TunnelSizes, ForwardedConnectionsComeAndGo) {
  Connection socks = Connection::logged_in().say({92, -44, 180, -1448, -1448, -600, 36, -72, 36}, 8);
  const SshSizeSigns signs = ssh_size_signs(socks.sizes);
  EXPECT_EQ(signs.opened, 8U);
  EXPECT_EQ(signs.closed, 8U);
  EXPECT_TRUE(is_ssh_tunnel(socks.sizes));
  // The server opens them with -R.
  EXPECT_TRUE(is_ssh_tunnel(Connection::logged_in().say({-100, 44, -180, 1448, 600, -36, 72, -36}, 8).sizes));
  // One connection that stays is no different from a copy.
  EXPECT_FALSE(is_ssh_tunnel(Connection::logged_in().say({92, -44, 180}).say({-1448}, 80).sizes));
}

TEST(TunnelSizes, TcpInsideIsAcknowledgedAmidFullPackets) {
  const auto tun = Connection::logged_in().say({100, -100, 92, 180, -92}).say({-1448, -1448, 92, 92}, 19).sizes;
  EXPECT_GE(ssh_size_signs(tun).acknowledgements, 15U);
  EXPECT_TRUE(is_ssh_tunnel(tun));
  const auto upload = Connection::logged_in().say({100, -100, 92, 180, -92}).say({1448, 1448, -92, -92}, 19).sizes;
  EXPECT_TRUE(is_ssh_tunnel(upload));
}

TEST(TunnelSizes, SshuttleSendsItsProgramAndThenRequests) {
  Connection sshuttle = Connection::logged_in().say({264, -72}).say({1448}, 11).say({1084, -52, 52});
  EXPECT_FALSE(is_ssh_tunnel(Connection(sshuttle).say({36, -36}, 25).sizes));
  EXPECT_TRUE(is_ssh_tunnel(sshuttle.say({44, 132, -1448, -700}, 10).sizes));
}

TEST(TunnelSizes, AShellIsNoTunnel) {
  EXPECT_FALSE(is_ssh_tunnel(Connection::logged_in().say({36, -36}, 40).sizes));
  EXPECT_FALSE(is_ssh_tunnel(Connection::logged_in().say({36, -36, 36, -1448, -676, -60}, 14).sizes));
}

TEST(TunnelSizes, ACopyIsNoTunnel) {
  EXPECT_FALSE(is_ssh_tunnel(Connection::logged_in().say({1448}, 83).sizes));
  // SFTP: open, read in small blocks, close; the last packet of an answer is rarely full.
  EXPECT_FALSE(is_ssh_tunnel(Connection::logged_in().say({84, -52}).say({68, -1448, -1448, -1244}, 20).sizes));
  EXPECT_FALSE(is_ssh_tunnel(Connection::logged_in().say({84, -52, 52, -100, 68, -1448, -800, -68, 52, -68}, 8).sizes));
}

TEST(TunnelSizes, TooLittleSaysNothing) {
  Connection socks = Connection::logged_in().say({92, -44, 180, 36, -72, 36}, 3);
  ASSERT_LT(socks.sizes.size(), kFewestSizes);
  EXPECT_FALSE(is_ssh_tunnel(socks.sizes));
  EXPECT_FALSE(is_ssh_tunnel({}));
  EXPECT_FALSE(is_encrypted_tunnel({}));
}

TEST(TunnelSizes, HostileLengthsAreTaken) {
  PayloadPacket packet;
  packet.length = 1U << 20U;
  EXPECT_EQ(packet_size(packet).length, 65535U);
  for (const int length : {0, 1, 65535}) {
    const auto same = Connection{}.say({length, -length}, 50).sizes;
    EXPECT_FALSE(is_ssh_tunnel(same));
  }
}

TEST(TunnelSizes, RandomBytesThatAskAndAnswerAreATunnel) {
  EXPECT_TRUE(is_encrypted_tunnel(Connection{}.say({639, -936}).say({146, -1448, -1448, -1448}, 12).sizes));
  EXPECT_FALSE(is_encrypted_tunnel(Connection{}.say({-1448}, 90).sizes));
  EXPECT_FALSE(is_encrypted_tunnel(Connection{}.say({202}).say({-1448}, 60).sizes)) << "one request: a download";
  EXPECT_FALSE(is_encrypted_tunnel(Connection{}.say({17, -1448, -1448}, 30).sizes)) << "blocks asked for by number";
}

}  // namespace
}  // namespace spidd
