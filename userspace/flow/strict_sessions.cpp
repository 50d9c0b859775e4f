// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/flow/strict_sessions.h"

#include <algorithm>
#include <utility>

namespace spidd {

StrictSessions::StrictSessions(Limits limits, Handler judge, Handler ended)
    : limits_(limits), judge_(std::move(judge)), ended_(std::move(ended)), sessions_(2 * limits.sessions + 2) {}

void StrictSessions::add(const CapturedPacket& packet) {
  const bool tcp = packet.key.transport == Transport::tcp;
  Table::Slot slot = sessions_.find(packet.key);
  if (slot != Table::kNone && packet.time() - sessions_[slot].session.last > limits_.timeout) {
    end(slot, true);
    slot = Table::kNone;
  }
  if (slot == Table::kNone) slot = open(packet);
  if (slot == Table::kNone) {
    ++counters_.without_session;
    return;
  }
  Entry& entry = sessions_[slot];
  StrictSession& session = entry.session;
  const bool from_client = packet.source_is_low == session.client_is_low;
  const auto direction = static_cast<std::size_t>(from_client ? Direction::to_server : Direction::to_client);
  session.last = packet.time();
  ++session.counters.packets[direction];
  session.counters.bytes[direction] += packet.bytes;
  ++session.frames;
  if (session.frames > limits_.frames && established(entry)) judge(entry);

  const std::uint8_t flags = packet.tcp_flags;
  if (tcp && ((flags & kTcpRst) != 0 || (flags & (kTcpFin | kTcpAck)) == (kTcpFin | kTcpAck))) {
    session.closed = true;
    end(slot, true);
    return;
  }
  const bool measured = tcp ? step_tcp(slot, from_client, packet) : step_udp(slot, from_client);
  if (measured && packet.payload.length > 0 && session.frames <= limits_.frames) {
    if (session.tails.size() < kStrictTails) {
      const auto tail = packet.tail.first(std::min(packet.tail.size(), kStrictSnap - kSnapLength));
      session.tails.emplace_back(tail.begin(), tail.end());
    }
    session.packets.push_back(packet.payload);
    session.packets.back().direction = from_client ? Direction::to_server : Direction::to_client;
  }
  sessions_.touch(slot, sessions_.list(slot));
}

StrictSessions::Table::Slot StrictSessions::open(const CapturedPacket& packet) {
  const bool tcp = packet.key.transport == Transport::tcp;
  const bool syn = (packet.tcp_flags & kTcpSyn) != 0;
  const bool answer = syn && (packet.tcp_flags & kTcpAck) != 0;
  if (tcp && (!syn || (packet.tcp_flags & kTcpRst) != 0)) return Table::kNone;
  if (sessions_.size(kUpcoming) >= limits_.sessions) end(sessions_.oldest(kUpcoming), false);
  const Table::Slot slot = sessions_.insert(packet.key, kUpcoming);
  Entry& entry = sessions_[slot];
  entry.state = answer ? State::syn_ack : State::syn;
  entry.session.key = packet.key;
  entry.session.client_is_low = packet.source_is_low != answer;
  entry.session.start = packet.time();
  return slot;
}

// Whether the packet is measured.
bool StrictSessions::step_tcp(Table::Slot slot, bool from_client, const CapturedPacket& packet) {
  Entry& entry = sessions_[slot];
  const bool syn = (packet.tcp_flags & kTcpSyn) != 0;
  const bool ack = (packet.tcp_flags & kTcpAck) != 0;
  switch (entry.state) {
    case State::syn:
      if (!from_client && syn && ack)
        entry.state = State::syn_ack;
      else if (from_client && ack && !syn)
        establish(slot, false);
      return false;
    case State::syn_ack:
      if (from_client && ack && !syn) {
        establish(slot, true);
        return false;
      }
      if (from_client || packet.payload.length == 0) return false;
      establish(slot, true);
      return true;
    case State::established:
      if ((packet.tcp_flags & kTcpFin) != 0) entry.state = State::fin;
      return true;
    case State::fin:
      return true;
  }
  return false;
}

bool StrictSessions::step_udp(Table::Slot slot, bool from_client) {
  if (!from_client && !sessions_[slot].both_sent) {
    sessions_[slot].both_sent = true;
    establish(slot, true);
  }
  return true;
}

void StrictSessions::establish(Table::Slot slot, bool with_event) {
  sessions_[slot].state = State::established;
  if (!with_event) return;
  if (sessions_.size(kEstablished) >= limits_.sessions) end(sessions_.oldest(kEstablished), true);
  sessions_.touch(slot, kEstablished);
}

bool StrictSessions::established(const Entry& entry) const {
  return entry.state == State::established || entry.state == State::fin;
}

void StrictSessions::judge(Entry& entry) {
  if (std::exchange(entry.judged, true)) return;
  judge_(entry.session);
  entry.session.packets.clear();
  entry.session.packets.shrink_to_fit();
  entry.session.tails.clear();
  entry.session.tails.shrink_to_fit();
}

void StrictSessions::end(Table::Slot slot, bool with_verdict) {
  Entry& entry = sessions_[slot];
  if (with_verdict && established(entry)) judge(entry);
  if (entry.judged)
    ended_(entry.session);
  else
    ++counters_.never_established;
  sessions_.erase(slot);
}

void StrictSessions::finish() {
  while (sessions_.size(kEstablished) > 0) end(sessions_.oldest(kEstablished), true);
  while (sessions_.size(kUpcoming) > 0) end(sessions_.oldest(kUpcoming), false);
}

}  // namespace spidd
