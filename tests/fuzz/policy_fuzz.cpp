// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Policy files. Whatever is accepted keeps its limits, and whatever is refused says so on lines of its own. A [spade]
// part that is written reads back the same.
#include <set>

#include "tests/fuzz/fuzz_check.h"
#include "userspace/policy/decision.h"
#include "userspace/policy/spade_part.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const spidd::Result<spidd::Policy> policy = spidd::parse_policy(text, "p");
  if (!policy) {
    std::string_view message = policy.error().message;
    FUZZ_CHECK(message.starts_with("p:"));
    for (std::size_t end = message.find('\n'); end != std::string_view::npos; end = message.find('\n')) {
      message.remove_prefix(end + 1);
      FUZZ_CHECK(message.starts_with("p:"));
    }
    return 0;
  }

  std::set<std::string_view> names;
  for (const spidd::Rule& rule : policy->rules) {
    FUZZ_CHECK(!rule.name.empty() && names.insert(rule.name).second);
    FUZZ_CHECK(rule.block_for > spidd::Duration::zero());
    FUZZ_CHECK(rule.action != spidd::Action::block || rule.block_for <= policy->max_block);
    FUZZ_CHECK(rule.match.min_margin >= 0);
  }
  for (const spidd::Expectation& expectation : policy->expectations) {
    FUZZ_CHECK(!expectation.name.empty() && names.insert(expectation.name).second);
    FUZZ_CHECK(expectation.action != spidd::Action::pass);
    FUZZ_CHECK(expectation.action != spidd::Action::block || expectation.block_for <= policy->max_block);
    FUZZ_CHECK(!expectation.words().empty());
  }
  auto written = spidd::parse_spade_part(spidd::spade_part_text(policy->spade), "w");
  FUZZ_CHECK(written);
  FUZZ_CHECK(*written == policy->spade);

  spidd::FlowFacts flow;
  flow.server.port = 443;
  for (const auto state : {spidd::IdentificationState::undecided, spidd::IdentificationState::identified,
                           spidd::IdentificationState::unknown}) {
    flow.state = state;
    flow.payload_packets = spidd::kRecordLimit;
    const spidd::Decision decision = spidd::decide(flow, *policy);
    FUZZ_CHECK(decision.action == spidd::Action::pass || decision.rule < policy->numbered());
    FUZZ_CHECK(decision.action != spidd::Action::block || policy->mode == spidd::Mode::enforce);
    FUZZ_CHECK(decision.action != spidd::Action::block || state != spidd::IdentificationState::undecided);
  }
  return 0;
}
