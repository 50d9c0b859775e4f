// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// From struct spidd_observation (bpf/abi.h) to an Observation, checked as records are (record_decoder.h).
#pragma once

#include <cstddef>
#include <span>

#include "bpf/abi.h"
#include "userspace/capture/observation.h"
#include "userspace/capture/record_decoder.h"

namespace spidd {

// Adds `clock_offset` to the time. `out` is written only if the result is ok. Never allocates.
DecodeStatus decode_observation(std::span<const std::byte> bytes, Duration clock_offset, Observation& out);

// The second half: for an observation that this process filled itself.
void translate_observation(const spidd_observation& observation, Duration clock_offset, Observation& out);

}  // namespace spidd
