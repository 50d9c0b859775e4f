// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What every program prints about itself after its name and version.
#pragma once

namespace spidd {

inline constexpr const char* kAttribution =
    "This product uses the SPID Algorithm, designed by Erik Hjelmvik\n"
    "https://sourceforge.net/projects/spid/\n";

}  // namespace spidd
