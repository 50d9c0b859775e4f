// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What one worker does with its engine's conclusions: blocks at once, then reports.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "userspace/daemon/conversations.h"
#include "userspace/daemon/enforcer.h"
#include "userspace/daemon/event_output.h"
#include "userspace/daemon/study.h"
#include "userspace/engine/engine.h"

namespace spidd {

// Used on one worker's thread, except where noted.
class EventSink final : public EngineSink {
 public:
  // `interfaces`: names by observation domain. `clock`: now, on the clock of the records. `enforcer`, `output` and
  // `study` are shared and must outlive the sink.
  EventSink(Enforcer& enforcer, EventOutput& output, Study& study, std::shared_ptr<const Policy> policy,
            std::vector<std::string> interfaces, std::function<Timestamp()> clock);

  void decision(const FlowView& view, const Decision& decision) override;
  void flow_ended(const FlowView& view, const FlowTotals& totals, EndReason reason) override;
  void flow_settled(const SettledFlow& flow) override;

  // Who is told of TCP clients that somebody talks to; nobody if it is null. Must outlive the sink's use.
  void set_conversations(Conversations* conversations) { conversations_ = conversations; }
  void set_policy(std::shared_ptr<const Policy> policy) { policy_ = std::move(policy); }

 private:
  bool block(const FlowView& view, const Decision& decision, Block& made);
  std::string_view interface_of(const Flow& flow) const;

  Enforcer& enforcer_;
  EventOutput& output_;
  Study& study_;
  Conversations* conversations_ = nullptr;
  std::shared_ptr<const Policy> policy_;
  std::vector<std::string> interfaces_;
  std::function<Timestamp()> clock_;
  Timestamp last_warning_{};
  std::size_t ended_at_shutdown_ = 0;
};

}  // namespace spidd
