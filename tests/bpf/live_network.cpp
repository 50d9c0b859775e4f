// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Namespaces without names: they end with the last descriptor.
#include "tests/bpf/live_network.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <stdexcept>

namespace spidd::live {
namespace {

void must(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("cannot make a test network: ") + what);
}

UniqueFd current_namespace() { return UniqueFd(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)); }

sockaddr_in address(const char* text, std::uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  ::inet_pton(AF_INET, text, &result.sin_addr);
  return result;
}

UniqueFd bound_socket(const char* own, std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const timeval patience{0, 200'000};
  const int reuse = 1;
  const sockaddr_in local = address(own, port);
  must(::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
           ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse) == 0 &&
           ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&local), sizeof local) == 0,
       "bind a socket");
  return fd;
}

}  // namespace

// No shell: that of a test machine may prefer its own, simpler "ip".
Outcome execute(const std::string& command) {
  std::vector<std::string> words;
  for (std::istringstream stream(command); stream >> words.emplace_back();) continue;
  words.pop_back();
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  std::array<int, 2> pipe{};
  must(::pipe2(pipe.data(), O_CLOEXEC) == 0, "pipe");
  const UniqueFd output(pipe[0]);
  UniqueFd input(pipe[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(input.get(), STDOUT_FILENO);
    ::dup2(input.get(), STDERR_FILENO);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  must(child > 0, "fork");
  input.reset();
  Outcome outcome;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = ::read(output.get(), buffer.data(), buffer.size())) > 0;) {
    outcome.output.append(buffer.data(), static_cast<std::size_t>(got));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  outcome.succeeded = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return outcome;
}

bool run(std::initializer_list<std::string> commands) {
  for (const std::string& command : commands) {
    if (!execute(command).succeeded) return false;
  }
  return true;
}

Network::Network() {
  must(::unshare(CLONE_NEWNS | CLONE_NEWNET) == 0, "unshare");
  must(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "make mounts private");
  must(::mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0700") == 0, "mount a BPF file system");
  // libxdp makes its directory only once in the life of a process, and this may not be its first file system.
  must(::mkdir("/sys/fs/bpf/xdp", 0700) == 0, "mkdir");
  client_namespace_ = current_namespace();

  // "ip" names a namespace by a process in it.
  const pid_t holder = ::fork();
  if (holder == 0) {
    ::pause();
    ::_exit(0);
  }
  must(holder > 0 && ::unshare(CLONE_NEWNET) == 0, "unshare");
  sensor_namespace_ = current_namespace();
  const bool linked = run({"ip link add sensor0 type veth peer name client0 netns " + std::to_string(holder),
                           "ip addr add 10.77.0.2/24 dev sensor0", "ip link set sensor0 up", "ip link set lo up"});
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
  must(linked && run_on_client({"ip addr add 10.77.0.1/24 dev client0", "ip link set client0 up"}), "ip");

  std::string pattern = "/tmp/spidd-live-XXXXXX";
  must(::mkdtemp(pattern.data()) != nullptr, "mkdtemp");
  state_directory_ = pattern;
}

Network::~Network() {
  ::umount2("/sys/fs/bpf", MNT_DETACH);
  std::error_code ignored;
  std::filesystem::remove_all(state_directory_, ignored);
}

BpfSettings Network::settings() {
  BpfSettings settings;
  settings.interfaces = {kInterface};
  settings.ring_bytes = 1U << 18U;
  settings.max_flows = 4096;
  settings.max_drops = 64;
  settings.port_counters = false;
  return settings;
}

bool Network::run_on_client(std::initializer_list<std::string> commands) const {
  must(::setns(client_namespace_.get(), CLONE_NEWNET) == 0, "setns");
  const bool done = run(commands);
  must(::setns(sensor_namespace_.get(), CLONE_NEWNET) == 0, "setns");
  return done;
}

UniqueFd Network::client_socket(std::uint16_t server_port, std::uint16_t client_port) const {
  must(::setns(client_namespace_.get(), CLONE_NEWNET) == 0, "setns");
  UniqueFd fd = bound_socket(kClientAddress, client_port);
  must(::setns(sensor_namespace_.get(), CLONE_NEWNET) == 0, "setns");
  const sockaddr_in server = address(kSensorAddress, server_port);
  must(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&server), sizeof server) == 0, "connect a socket");
  return fd;
}

UniqueFd Network::server_socket(std::uint16_t port) { return bound_socket(kSensorAddress, port); }

Network::Streams Network::connected_streams() const {
  const sockaddr_in server = address(kSensorAddress, kServerPort);
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  must(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&server), sizeof server) == 0, "bind a socket");
  must(::listen(listener.get(), 1) == 0, "listen");
  must(::setns(client_namespace_.get(), CLONE_NEWNET) == 0, "setns");
  UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  must(::setns(sensor_namespace_.get(), CLONE_NEWNET) == 0, "setns");
  must(::connect(client.get(), reinterpret_cast<const sockaddr*>(&server), sizeof server) == 0, "connect a stream");
  UniqueFd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  must(accepted.get() >= 0, "accept");
  return {std::move(client), std::move(accepted)};
}

unsigned exchange(int client, int server, unsigned count) {
  unsigned answered = 0;
  for (unsigned number = 0; number < count; ++number) {
    std::array<char, 64> message{};
    const int length = std::snprintf(message.data(), message.size(), "question %u", number);
    if (::send(client, message.data(), static_cast<std::size_t>(length), 0) != length) continue;
    sockaddr_in from{};
    socklen_t from_length = sizeof from;
    if (::recvfrom(server, message.data(), message.size(), 0, reinterpret_cast<sockaddr*>(&from), &from_length) < 0) {
      continue;
    }
    ::sendto(server, "answer", 6, 0, reinterpret_cast<const sockaddr*>(&from), from_length);
    if (::recv(client, message.data(), message.size(), 0) == 6) ++answered;
  }
  return answered;
}

bool kernel_allows_dispatcher() {
  // A kernel that allows extensions finds fault with the program, not with its type.
  const bpf_insn leave = {BPF_JMP | BPF_EXIT, 0, 0, 0, 0};
  const int fd = bpf_prog_load(BPF_PROG_TYPE_EXT, "probe", "GPL", &leave, 1, nullptr);
  if (fd >= 0) ::close(fd);
  return errno != EPERM;
}

bool kernel_has_tcx() {
  utsname kernel{};
  int major = 0;
  int minor = 0;
  ::uname(&kernel);
  std::sscanf(kernel.release, "%d.%d", &major, &minor);
  return major > 6 || (major == 6 && minor >= 6);
}

}  // namespace spidd::live
