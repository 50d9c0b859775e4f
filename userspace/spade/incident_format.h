// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// One open incident as bytes of a state file (state_file.h), with what is needed to go on with it.
//
// u64 id, u8 side, u8 family, u8 kind, host, u16 domain, i64 first, i64 last (nanoseconds since 1970), u64 count, f64
// highest score, u32 answered, u32 failed, u8 (1 acknowledged, 2 confirmed, 4 scan), f64 burst, f64 usual;
// u8 n, n examples: i64 time, source, destination, u16 source port, u16 destination port, u8 protocol, u8 flags, f64
// score; targets, hosts, ports, alerted targets, each u8 n and n times u64, or 255 and 1,024 registers; majorities of
// target (u64), port (u16), destination, each with i32 votes; u64 last target, u16 last port; u64 answers, u64 dead,
// u64 outside, u64 answered evidence, u32 replies.
#pragma once

#include <optional>
#include <string>

#include "userspace/spade/incident_case.h"
#include "userspace/spade/state_bytes.h"

namespace spidd {

void put_incident(std::string& out, const IncidentCase& one);
// Nothing if these are not the bytes of one. The reader may be at its end, or not.
std::optional<IncidentCase> take_incident(state_bytes::PartReader& reader);

}  // namespace spidd
