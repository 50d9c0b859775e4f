// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The mechanisms by which a program is attached to an interface, one function each, nothing decided here. Errors carry
// the kernel's errno in `code`, so that the caller can choose another mechanism.
#pragma once

#include <cstdint>
#include <string>

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"
#include "userspace/capture/bpf_counters.h"

namespace spidd {

// XDP in the driver, owned by a link: EBUSY or EEXIST when another program is there, EOPNOTSUPP when the driver has no
// native XDP, other errors when it refuses for now (MTU, receive offloads).
Result<UniqueFd> attach_xdp_link(int program, unsigned ifindex);

// tcx, owned by a link, before the other programs of that hook on ingress and after them on egress. EINVAL on kernels
// before 6.6.
Result<UniqueFd> attach_tcx_link(int program, unsigned ifindex, HookDirection direction);

// Atomically puts `program` in the place of the link's program.
Result<> update_link(int link, int program);
// Ends the attachment at once; letting go of the last descriptor or pin would end it a little later.
Result<> detach_link(int link);
// The interface a link holds on to; 0 once the interface is gone.
Result<unsigned> link_ifindex(int link);

// A filter on the clsact qdisc, which is added if it is missing; replaces the filter of an earlier run. It belongs to
// nobody and stays until detach_clsact().
Result<> attach_clsact(int program, unsigned ifindex, HookDirection direction);
// Removes the filter; the qdisc stays, others may use it. Fine if there is no such filter.
Result<> detach_clsact(unsigned ifindex, HookDirection direction);

// The XDP program of an interface by name and id, for messages: "xdp_filter (id 12)"; empty if there is none.
std::string describe_xdp_program(unsigned ifindex);

}  // namespace spidd
