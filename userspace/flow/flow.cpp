// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Names and endpoints of flows.
#include "userspace/flow/flow.h"

namespace spidd {

std::string_view state_name(IdentificationState state) {
  switch (state) {
    case IdentificationState::undecided:
      return "undecided";
    case IdentificationState::identified:
      return "identified";
    case IdentificationState::unknown:
      return "unknown";
  }
  return "undecided";
}

std::string_view verdict_class_name(VerdictClass verdict_class) {
  switch (verdict_class) {
    case VerdictClass::undecided:
      return "undecided";
    case VerdictClass::label:
      return "label";
    case VerdictClass::tunnel:
      return "tunnel";
    case VerdictClass::fully_encrypted:
      return "fully-encrypted";
    case VerdictClass::unknown:
      return "unknown";
  }
  return "undecided";
}

std::string_view label_basis_name(LabelBasis basis) {
  switch (basis) {
    case LabelBasis::scores:
      return "scores";
    case LabelBasis::ftp_control:
      return "ftp_control";
    case LabelBasis::endpoint:
      return "endpoint";
  }
  return "scores";
}

std::string_view second_look_name(SecondLook look) {
  switch (look) {
    case SecondLook::ssh_tunnel:
      return "ssh-tunnel";
    case SecondLook::encrypted_tunnel:
      return "encrypted-tunnel";
    case SecondLook::none:
    case SecondLook::under_way:
    case SecondLook::nothing:
      return "";
  }
  return "";
}

std::string_view action_name(Action action) {
  switch (action) {
    case Action::pass:
      return "pass";
    case Action::alert:
      return "alert";
    case Action::block:
      return "drop";
  }
  return "pass";
}

Endpoint Flow::client() const {
  return client_is_low ? Endpoint{key.low, key.port_low} : Endpoint{key.high, key.port_high};
}

Endpoint Flow::server() const {
  return client_is_low ? Endpoint{key.high, key.port_high} : Endpoint{key.low, key.port_low};
}

}  // namespace spidd
