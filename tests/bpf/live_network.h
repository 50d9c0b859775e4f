// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A network of two nameless namespaces for tests on the real kernel: "client0" (10.77.0.1) in one, "sensor0"
// (10.77.0.2) in the other, where the test itself is. It also gives the test a BPF file system of its own, so that
// nothing of the host is touched and nothing is left behind.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "userspace/base/unique_fd.h"
#include "userspace/capture/bpf_settings.h"

namespace spidd::live {

inline constexpr const char* kInterface = "sensor0";
inline constexpr const char* kClientAddress = "10.77.0.1";
inline constexpr const char* kSensorAddress = "10.77.0.2";
inline constexpr std::uint16_t kClientPort = 40000;
inline constexpr std::uint16_t kServerPort = 5000;

// Runs a program found in PATH with the words of the command, in the current namespace.
struct Outcome {
  bool succeeded = false;
  std::string output;
};
Outcome execute(const std::string& command);
// One after the other until one fails; true if all succeeded.
bool run(std::initializer_list<std::string> commands);

class Network {
 public:
  // Moves the calling thread into a new mount and network namespace. Throws std::runtime_error if the machine cannot.
  Network();
  ~Network();

  // Settings that watch the sensor's end, with small tables.
  static BpfSettings settings();
  // A directory that is removed with the network.
  const std::string& state_directory() const { return state_directory_; }

  // A connected UDP socket in the namespace of the client, and one bound in the sensor's; both wait 200 ms at most.
  UniqueFd client_socket(std::uint16_t server_port = kServerPort, std::uint16_t client_port = kClientPort) const;
  static UniqueFd server_socket(std::uint16_t port = kServerPort);

  // Both ends of a TCP connection from kClientAddress to kServerPort of the sensor.
  struct Streams {
    UniqueFd client;
    UniqueFd server;
  };
  Streams connected_streams() const;

  // run() on the client's side.
  bool run_on_client(std::initializer_list<std::string> commands) const;

 private:
  UniqueFd client_namespace_;
  UniqueFd sensor_namespace_;
  std::string state_directory_;
};

// Sends `count` questions and answers; returns how many answers arrived.
unsigned exchange(int client, int server, unsigned count);

// A freplace program can be loaded, so that libxdp's dispatcher can be used.
bool kernel_allows_dispatcher();
bool kernel_has_tcx();

}  // namespace spidd::live
