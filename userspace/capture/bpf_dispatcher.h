// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Sharing native XDP with other programs through libxdp's dispatcher. libxdp keeps the attachment itself, pinned in its
// own directory on the BPF file system, so it outlives the process.
#pragma once

#include "userspace/base/result.h"
#include "userspace/base/unique_fd.h"
#include "userspace/capture/bpf_objects.h"

namespace spidd {

// Attaches ingress_xdp as one program of the interface's dispatcher: before those of the default priority, the others
// run when it passes a packet. Returns the program. libxdp quietly attaches a program alone where the kernel refuses
// dispatchers; that is undone and reported as error with code ENOTSUP. EBUSY: a program that is no dispatcher is there.
Result<UniqueFd> attach_to_dispatcher(const BpfObjects& objects, unsigned ifindex);

// Takes the program out of the interface's dispatcher; the others go on. Fine if it is not there.
Result<> detach_from_dispatcher(int program, unsigned ifindex);

// True if the pinned program is byte for byte this spidd's and still one of the interface's dispatcher.
Result<bool> is_current_in_dispatcher(int program, BpfObjects& objects, unsigned ifindex);

}  // namespace spidd
