// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The sessions of SPID 0.4.6, by its rules (spid.md 1.2), for comparison with it:
//
//   TCP  a session begins with a SYN, or a SYN+ACK whose SYN was missed, and with nothing else. It is established by
//   the
//        client's ACK after the SYN+ACK (that packet is not measured, whatever it carries), or by the server's first
//        payload (which is). Where the SYN+ACK was missed, the client's ACK is enough. FIN+ACK or RST closes it; that
//        packet is not measured. No reassembly, no reordering: retransmissions are measured as captured.
//   UDP  the first sender is the client; established when both have sent. Measured from the first packet.
//   both of the first 20 frames, with and without payload, those with payload are measured. One verdict a session: when
//        the next frame comes, or at its end by closing, by silence of 60 s (noticed only when the session goes on), by
//        eviction, or with the capture. Sessions that were never established have no verdict.
//
// Two lists of 1000 sessions each bound the memory: those not yet established cannot evict the others. A session whose
// SYN+ACK was missed stays in the list of the former, as in the original, so that eviction and the end of the capture
// take it without a verdict.
#pragma once

#include <functional>
#include <vector>

#include "userspace/base/lru_table.h"
#include "userspace/capture/pcap_packets.h"

namespace spidd {

struct StrictSession {
  FlowKey key;
  bool client_is_low = true;
  Timestamp start;
  Timestamp last;
  std::uint32_t frames = 0;
  FlowCounters counters;
  bool closed = false;                 // by FIN+ACK or RST
  std::vector<PayloadPacket> packets;  // measured ones
  std::vector<PayloadTail> tails;      // of the first kStrictTails of them
};

class StrictSessions {
 public:
  struct Limits {
    std::uint32_t frames = 20;      // of a session that may be measured
    std::uint32_t sessions = 1000;  // of either list
    Duration timeout = std::chrono::seconds(60);
  };
  struct Counters {
    std::uint64_t without_session = 0;    // TCP packets that belong to none and begin none
    std::uint64_t never_established = 0;  // sessions that ended so
  };
  // Valid during the call only.
  using Handler = std::function<void(const StrictSession&)>;

  // `judge`: the moment of the verdict, once a session. `ended`: after judge, when nothing more comes of the session.
  StrictSessions(Limits limits, Handler judge, Handler ended);

  void add(const CapturedPacket& packet);
  // Ends all sessions, oldest first.
  void finish();

  const Counters& counters() const { return counters_; }
  std::uint32_t size() const { return sessions_.size(); }

 private:
  enum class State : std::uint8_t { syn, syn_ack, established, fin };
  enum List : unsigned { kUpcoming, kEstablished, kLists };
  struct Entry {
    StrictSession session;
    State state = State::syn;
    bool both_sent = false;  // UDP
    bool judged = false;
  };
  using Table = LruTable<FlowKey, Entry, kLists>;

  Table::Slot open(const CapturedPacket& packet);
  bool step_tcp(Table::Slot slot, bool from_client, const CapturedPacket& packet);
  bool step_udp(Table::Slot slot, bool from_client);
  void establish(Table::Slot slot, bool with_event);
  bool established(const Entry& entry) const;
  void judge(Entry& entry);
  void end(Table::Slot slot, bool with_verdict);

  Limits limits_;
  Handler judge_;
  Handler ended_;
  Table sessions_;
  Counters counters_;
};

}  // namespace spidd
