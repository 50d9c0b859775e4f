// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/ctl/client.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "userspace/ctl/text.h"
#include "userspace/daemon/protocol.h"

namespace spidd {

namespace {

using json = nlohmann::ordered_json;

constexpr std::size_t kLongestAnswer = std::size_t{256} << 20U;

std::string reason_not_connected(const std::string& path, int code) {
  switch (code) {
    case ENOENT:
      return fmt::format("there is no socket {}: is spidd running?", path);
    case ECONNREFUSED:
      return fmt::format("nobody answers on {}: spidd is not running", path);
    case EACCES:
    case EPERM:
      return fmt::format("no permission to use {}: be root or a member of the group that owns it", path);
    case EAGAIN:
      return fmt::format("spidd does not accept connections on {} at the moment", path);
    default:
      return fmt::format("connect to {}: {}", path, std::strerror(code));
  }
}

}  // namespace

Result<Client> Client::connect(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.empty() || socket_path.size() >= sizeof(address.sun_path))
    return fail("the path of a socket has 1 to {} characters: '{}'", sizeof(address.sun_path) - 1, socket_path);
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "create a socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const int code = errno;
    return tl::unexpected<Error>(Error{reason_not_connected(socket_path, code), code});
  }
  return Client(std::move(fd));
}

Result<json> Client::request(const std::string& command, json arguments) {
  arguments["version"] = kProtocolVersion;
  arguments["command"] = command;
  const std::string line = arguments.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  for (std::size_t sent = 0; sent < line.size();) {
    const ssize_t count = ::send(fd_.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    // The daemon may have said why it hangs up before it did.
    if (count < 0) break;
    sent += static_cast<std::size_t>(count);
  }
  auto answer = read_line();
  if (!answer) return tl::unexpected<Error>(std::move(answer.error()));
  json parsed = json::parse(*answer, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("ok")) return fail("spidd gave an answer that is not understood");
  if (parsed["ok"] != true) return fail("{}", text_at(parsed, "/error"));
  return std::move(parsed["result"]);
}

Result<json> Client::next_event() {
  auto line = read_line();
  if (!line) return tl::unexpected<Error>(std::move(line.error()));
  json parsed = json::parse(*line, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("event")) return fail("spidd sent an event that is not understood");
  return std::move(parsed["event"]);
}

Result<std::string> Client::read_line() {
  for (std::size_t searched = 0;;) {
    if (const std::size_t end = received_.find('\n', searched); end != std::string::npos) {
      std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      return line;
    }
    searched = received_.size();
    if (searched > kLongestAnswer) return fail("spidd's answer is longer than {} bytes", kLongestAnswer);
    std::array<char, 65536> buffer;
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read from spidd");
    if (got == 0) return fail("spidd has closed the connection");
    received_.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

Result<json> ask_daemon(const std::string& socket_path, const std::string& command, json arguments) {
  auto client = Client::connect(socket_path);
  if (!client) return tl::unexpected<Error>(std::move(client.error()));
  return client->request(command, std::move(arguments));
}

}  // namespace spidd
