// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "userspace/spade/snort_differences.h"

#include <fmt/format.h>

#include <algorithm>

namespace spidd {

std::vector<std::string> differences_from_original(const SpadeSettings& settings) {
  std::vector<std::string> notes;
  const auto note_if = [&](bool holds, std::string_view text) {
    if (holds) notes.emplace_back(text);
  };
  const auto any_detector = [&](auto condition) { return std::ranges::any_of(settings.detectors, condition); };
  const auto has = [&](DetectorType type) {
    return any_detector([&](const DetectorSettings& detector) { return detector.type == type; });
  };
  const auto has_adapter = [&]<class Adapter>(const Adapter&, auto condition) {
    return std::ranges::any_of(settings.adapters, [&](const AdapterSettings& adapter) {
      const auto* found = std::get_if<Adapter>(&adapter);
      return found != nullptr && condition(*found);
    });
  };
  const auto always = [](const auto&) { return true; };

  note_if(has(DetectorType::closed_dport),
          "closed-dport: a destination never seen before scores 1; Spade 030125 scored it 0 and never reported it");
  note_if(any_detector([](const DetectorSettings& detector) {
            return detector.type == DetectorType::closed_dport && detector.probability_mode == 0;
          }),
          "closed-dport: probmode 0 uses the product that was meant; Spade 030125 crashed");
  note_if(any_detector([](const DetectorSettings& detector) {
            return detector.type == DetectorType::dead_dest && detector.transport == Transport::tcp &&
                   detector.wait_seconds > 0;
          }),
          "dead-dest: every awaited answer cancels a report; in Spade 030125 that depended on other detectors, and TCP "
          "unreachables never did");
  note_if(
      has(DetectorType::dead_dest),
      "dead-dest: an ICMP unreachable shows a host alive only if the host itself sent it; from a router it confirms "
      "that the host is dead. Spade 030125 took both for life");
  note_if(has(DetectorType::dead_dest),
          "dead-dest: nobody's address is one of a group, the first and the last of a home network, and, as in Spade "
          "030125, every IPv4 address that ends in 255, because the subnets are not known");
  note_if(any_detector([](const DetectorSettings& detector) {
            return detector.type == DetectorType::closed_dport && detector.transport == Transport::tcp &&
                   detector.tcp_flags == TcpScope::synonly && detector.wait_seconds > 0;
          }),
          "closed-dport: a RST ends the wait and confirms the report; Spade 030125 waited on");
  note_if(any_detector([](const DetectorSettings& detector) { return detector.transport == Transport::udp; }),
          "UDP: a datagram to who opened the flow is an answer, not an attempt; live only the first packets of a flow "
          "are seen");
  note_if(any_detector([](const DetectorSettings& detector) {
            return detector.transport == Transport::tcp && detector.tcp_flags == TcpScope::established &&
                   (detector.type == DetectorType::closed_dport || detector.type == DetectorType::dead_dest);
          }),
          "established: live only the first packets of a flow are seen, captures have all of them");
  note_if(any_detector([](const DetectorSettings& detector) { return detector.wait_seconds > 0; }),
          "wait: no more than max_waiting packets wait for a response; what comes when so many do is counted as "
          "waiting_refused");
  note_if(
      settings.profile == SpadeProfile::documented && settings.extensions.incidents,
      "incidents are on: what one host does wrong is said together, also where no packet of it is reported, such as "
      "first contacts that fail; [spade.extensions] incidents");
  note_if(
      settings.profile == SpadeProfile::documented && settings.extensions.quarantine,
      "quarantine is on: what belongs to an open incident, a scan or something odd that goes on, is not learned, so "
      "that repetitions score higher than in Spade 030125; [spade.extensions] quarantine");
  note_if(has(DetectorType::odd_port_dest),
          "odd-port-dest: scores given source and port, as documented; Spade 030125 scored given the source");
  note_if(any_detector([](const DetectorSettings& detector) {
            return detector.type == DetectorType::odd_port_dest && detector.max_entropy <= 0;
          }),
          "odd-port-dest: maxentropy 0 means one destination only, as documented; Spade 030125 had no limit then");
  note_if(any_detector([](const DetectorSettings& detector) {
            return detector.type == DetectorType::odd_dport && detector.min_observations <= 0;
          }),
          "odd-dport: minobs 0 means no such gate; Spade 030125 crashed");
  note_if(
      any_detector([](const DetectorSettings& detector) {
        return detector.wait_seconds > 0 && detector.type == DetectorType::closed_dport &&
               detector.transport == Transport::tcp && detector.tcp_flags == TcpScope::weird;
      }),
      "closed-dport weird: nothing answers such packets, so wait has no effect; the text says 'Rare', not 'Closed'");
  note_if(has_adapter(WeightedAdapter{}, always), "spade-adapt: aims at the target; Spade 030125 aimed at one more");
  note_if(has_adapter(LayeredAdapter{}, always),
          "spade-adapt2: thresholds have fractions; Spade 030125 cut them to whole numbers");
  note_if(has_adapter(MeanAdapter{}, [](const MeanAdapter& adapter) { return adapter.target >= 1; }),
          "spade-adapt3: a target per hour works; Spade 030125 used a period that was not set");
  note_if(!settings.adapters.empty(),
          "adapters: scores of 1 are ordered by how rare they are, so that the target is reached; thresholds are kept "
          "over a "
          "restart");
  note_if(!settings.surveys.empty(), "spade-survey: percentiles are interpolated; Spade 030125 was one rank too high");
  note_if(settings.state_file.empty(), "no state file: nothing is kept over a restart, and no file '0' is written");
  note_if(
      !settings.state_file.empty(),
      "the state file is spade.state, which has a form of its own: that of Spade 030125 (statefile) is left as it is, "
      "and what it learned cannot be taken over");
  const auto elsewhere = [](const std::string& file) {
    return file.starts_with('/') && !file.starts_with("/var/log/spidd/") && !file.starts_with("/var/lib/spidd/");
  };
  note_if(
      elsewhere(settings.log_file) || std::ranges::any_of(settings.surveys, elsewhere, &SurveySettings::file),
      "files: the service may write in /var/log/spidd and /var/lib/spidd only; move logfile and surveyfile there, or "
      "give them no directory, which is /var/lib/spidd");
  note_if(settings.log_file.empty(), "the log goes to no terminal: 'spidctl spade stats' shows it");
  if (!notes.empty())
    notes.emplace_back(
        "profile = \"030125\" gives the scores and reports of Spade 030125 instead, over captures; live the kernel "
        "sends "
        "only packets that open, answer or end flows, those with odd flags, the first of UDP flows, and ICMP");
  return notes;
}

}  // namespace spidd
