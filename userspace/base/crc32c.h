// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Checksum of what is kept in binary files: CRC-32C (Castagnoli; RFC 3720 12.1), which finds every burst of damage of
// up to 32 bits. No protection against intent.
#pragma once

#include <cstdint>
#include <string_view>

namespace spidd {

// `before`: the checksum of what comes before `bytes`, to go on with.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

}  // namespace spidd
