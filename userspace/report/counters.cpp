// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Grouped by who counts; a counter without help here still appears, but unexplained.
#include "userspace/report/counters.h"

#include <algorithm>
#include <array>

namespace spidd {
namespace {

constexpr auto kCounters = std::to_array<CounterInfo>({
    // kernel: enum spidd_counter of bpf/abi.h
    {"seen_packets", "packets the hook saw, as on the wire"},
    {"seen_bytes", "IP bytes the hook saw, or frame bytes where there is no IP"},
    {"passed_packets", "packets let through"},
    {"passed_bytes", "bytes let through"},
    {"dropped_packets", "packets dropped because of a block"},
    {"dropped_bytes", "bytes dropped because of a block"},
    {"not_ip", "packets passed unparsed: no IP"},
    {"truncated", "packets passed because a header ended early or a length lies"},
    {"too_deep", "packets passed because of more VLAN tags or extension headers than are followed"},
    {"fragment", "fragments passed that have no transport header"},
    {"other_protocol", "packets passed whose protocol is not tracked"},
    {"icmp_other", "ICMP packets passed that are neither echo nor a usable error"},
    {"never_blocked", "times a never-block prefix saved a packet from a block"},
    {"expired_drop", "times a block that matched had expired"},
    {"failed_open", "packets passed although blocked, because spidd was not running and the policy says pass"},
    {"retransmissions", "TCP packets with payload seen before, not recorded again"},
    {"flows_created", "flows begun in the kernel"},
    {"flows_restarted", "flows begun on a five-tuple used before"},
    {"flow_insert_failed", "packets passed without a flow, because the table was full or busy"},
    {"flow_rate_limited", "packets passed without a flow, because of new_flow_limit"},
    {"records_sent", "payload packets handed to the engine"},
    {"records_lost", "payload packets lost because a ring was full"},
    {"ends_sent", "ends of flows handed to the engine"},
    {"ends_lost", "ends of flows lost because a ring was full"},
    {"payload_unreadable", "payload packets lost because their bytes could not be read"},
    {"unknown_interface", "packets passed unparsed on an interface that is not configured"},
    {"observations_sent", "packets that SPADE saw"},
    {"observations_counted", "packets of well-known connections that SPADE only counted"},
    {"observations_lost", "packets that SPADE did not see: its ring was full"},
    {"observations_limited", "packets that SPADE did not see: more than observation_limit a second"},
    {"observations_forwarded", "forwarded packets not shown to SPADE again: it saw them when they came in"},
    // engine
    {"records", "records the engine received"},
    {"flows", "flows the engine began to follow"},
    {"flows_ended", "flows that ended"},
    {"flows_evicted", "flows reported early because the engine's table was full"},
    {"packets_not_stored", "payload packets not looked at because packet memory was full"},
    {"records_late", "records of flows that were decided already"},
    {"records_out_of_order", "records that came in another order than they were sent"},
    {"proofs_forgotten", "flows whose block is no longer waited for because too many awaited proof"},
    {"second_looks", "flows that got a second look, by their sizes"},
    {"second_looks_found", "second looks that found a tunnel"},
    {"second_looks_forgotten", "second looks given up because too many flows needed one"},
    {"second_looks_not_learned", "flows that were not learned from: no packet memory to wait for their second look"},
    {"matches", "times a flow was scored against the models"},
    {"alerts", "decisions to alert"},
    {"blocks", "decisions to block"},
    {"records_undecodable", "records of the kernel that could not be read"},
    {"verdicts_missed", "flows the kernel could not be told to stop recording, because it no longer knew them"},
    // enforcement
    {"blocks_made", "blocks begun or extended"},
    {"blocks_refused", "blocks refused: never-block prefix, guarded address, list full"},
    {"blocks_failed", "blocks that the kernel did not take"},
    {"blocks_expired", "blocks that ended in time"},
    {"blocks_removed", "blocks ended by hand or by a new policy"},
    {"journal_failures", "changes of blocks that a restart will not remember"},
    // event log
    {"events_written", "events written to the log"},
    {"events_lost_full", "events lost because the disk was too slow"},
    {"events_lost_failed", "events lost because they could not be written"},
    {"events_lost_feed", "events that subscribers missed because too many came at once"},
    {"flow_events_over_limit", "flow events not written because of flows_per_second"},
    {"spade_alerts_over_limit", "alerts of single packets not written because of packet_alerts_per_second"},
    {"outputs_written", "events of SPADE written to the outputs in Snort's formats, and told to syslog"},
    {"outputs_lost_full", "events of SPADE lost because an output was too slow"},
    {"outputs_lost_failed", "events of SPADE lost because they could not be written to an output"},
    // SPADE: packets, tables, files
    {"observations", "packets that SPADE read from the kernel"},
    {"counted", "packets of well-known connections that SPADE learned as counts"},
    {"undecodable", "packets for SPADE that could not be read"},
    {"known_attempts", "connection attempts that the kernel only counts now", true},
    {"attempts_without_room", "connection attempts that the kernel could have counted if it had had room for them"},
    {"rare_packets", "packets over a detector's threshold"},
    {"held_back", "of these, packets not reported: as many as an adapter aims at were in that period"},
    {"reported", "packets reported as rare, whether written or over the limit"},
    {"conversations", "TCP clients that SPADE was told of because they had a conversation"},
    {"conversations_lost", "TCP clients that SPADE was not told of because too many had conversations"},
    {"clock_outliers", "packets dated more than a day ahead, which SPADE judged at the present time"},
    {"updates", "changes of SPADE's tables"},
    {"waiting", "reports of SPADE that wait for a response now", true},
    {"waiting_refused", "reports of SPADE that did not wait for a response because too many did"},
    {"waiting_dropped", "reports of SPADE that needed a response and were not made because too many waited"},
    {"waiting_cut_short", "reports of SPADE whose wait a change of the policy or a stop ended"},
    {"entries_without_room", "entries of SPADE's tables that found no room after a start or a change of the policy"},
    {"attempts_forgotten", "connection attempts whose outcome was not waited for because too many waited"},
    {"table_entries", "entries of SPADE's tables now", true},
    {"table_bytes", "memory of SPADE's tables now", true},
    {"entries_evicted", "entries of SPADE's tables given up for want of room"},
    {"observations_refused", "packets that SPADE could not learn for want of room"},
    {"checkpoints", "times that SPADE's state was written"},
    {"checkpoints_failed", "times that SPADE's state could not be written"},
    {"files_written", "times that SPADE's log or a survey was written"},
    {"files_lost", "times that SPADE's log or a survey could not be written"},
    // SPADE: incidents
    {"open", "incidents that are open now", true},
    {"opened", "incidents opened"},
    {"resumed", "incidents of before a restart that went on after it"},
    {"closed", "incidents closed"},
    {"given_up", "incidents closed early because too many were open"},
    {"sources_forgotten", "sources whose first contacts were forgotten for want of room"},
    {"quarantined", "packets not learned because they belong to an open incident"},
    {"contacts_failed", "first contacts that nobody answered, or that were refused"},
    {"contacts_answered", "first contacts that were answered"},
    {"outage", "failed first contacts not counted because nobody outside answered anybody"},
    {"bytes", "memory used now", true},
    // control socket
    {"clients", "clients of the control socket"},
    {"clients_refused", "clients sent away because there were too many"},
    {"requests", "requests received"},
    {"requests_refused", "requests not understood, or not possible"},
    {"lines_too_long", "clients disconnected because of a request that was too long"},
    {"subscribers_cut_off", "subscribers disconnected because they read too slowly"},
});

const CounterInfo* find_info(std::string_view name) {
  const auto found = std::ranges::find(kCounters, name, &CounterInfo::name);
  return found == kCounters.end() ? nullptr : &*found;
}

}  // namespace

std::span<const CounterInfo> counter_infos() { return kCounters; }

std::string_view counter_help(std::string_view name) {
  const CounterInfo* const info = find_info(name);
  return info == nullptr ? std::string_view{} : info->help;
}

void append_prometheus(std::string& out, std::span<const StatsSection> sections) {
  std::vector<std::string_view> done;
  for (const StatsSection& first : sections) {
    for (const auto& [name, unused] : first.values) {
      if (std::ranges::find(done, std::string_view(name)) != done.end()) continue;
      done.push_back(name);
      const CounterInfo* const info = find_info(name);
      const bool gauge = info != nullptr && info->gauge;
      const std::string metric = fmt::format("spidd_{}{}", name, gauge ? "" : "_total");
      if (info != nullptr) out += fmt::format("# HELP {} {}\n", metric, info->help);
      out += fmt::format("# TYPE {} {}\n", metric, gauge ? "gauge" : "counter");
      for (const StatsSection& section : sections)
        for (const auto& [other, value] : section.values)
          if (other == name) out += fmt::format("{}{{section=\"{}\"}} {}\n", metric, section.name, value);
    }
  }
}

}  // namespace spidd
