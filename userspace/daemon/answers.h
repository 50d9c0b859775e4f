// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What each request of the control protocol does.
#pragma once

#include <string_view>

#include "userspace/daemon/control_socket.h"
#include "userspace/daemon/daemon.h"

namespace spidd {

// Answers one line from the control socket. Control thread only; may take as long as a reload takes.
ControlSocket::Reply answer(Daemon& daemon, std::string_view line);

// Reports the ends of blocks in the event log.
void report_ended_blocks(Daemon& daemon, const std::vector<ActiveBlock>& ended, BlockChange change, Timestamp now);

}  // namespace spidd
