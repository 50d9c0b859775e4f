// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Many model files in one: cut into its models, each of which model_file.cpp reads.
#include <algorithm>

#include "userspace/spid/model_edit.h"
#include "userspace/spid/model_exchange.h"
#include "userspace/spid/model_file.h"

namespace spidd {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

// Length of the JSON object at the beginning of `text`: up to the brace that closes it, or all there is.
std::size_t object_length(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return i + 1;
    }
  }
  return text.size();
}

// An object whose first key is no model's.
bool begins_with_header(std::string_view text) {
  if (!text.starts_with('{')) return false;
  const std::size_t key = text.find_first_not_of(kSpace, 1);
  return key != std::string_view::npos && text.substr(key).starts_with("\"thresholds_for\"");
}

Result<void> take(ModelDatabase& database, ModelFile file, const std::string& name) {
  if (!database.models.empty() && (file.snap != database.snap || file.rules != database.rules))
    return fail("{}: snap and rules of {} differ from those of the models before", name, file.model.label);
  if (database.models.size() == kMaxModels) return fail("{}: more than {} models", name, kMaxModels);
  if (database.find(file.model.label, file.model.transport, file.model.view) != nullptr)
    return fail("{}: there are two models {} over {}", name, file.model.label, transport_name(file.model.transport));
  database.snap = file.snap;
  database.rules = file.rules;
  put_model(database, std::move(file.model));
  return {};
}

}  // namespace

bool looks_like_xml(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const std::size_t first = text.find_first_not_of(kSpace);
  return first != std::string_view::npos && text[first] == '<';
}

Result<ReadModels> parse_models_json(std::string_view text, const std::string& name) {
  ReadModels read;
  std::size_t at = 0;
  TextPosition position;
  // Steps over what was read, and over spaces.
  const auto step = [&](std::size_t length) {
    const std::size_t next = std::min(text.find_first_not_of(kSpace, at + length), text.size());
    position.line += static_cast<std::size_t>(std::ranges::count(text.substr(at, next - at), '\n'));
    position.byte = at = next;
  };
  const auto unexpected = [&](std::string_view wanted) {
    return fail("{}:{}: {} is missing (byte {})", name, position.line, wanted, at);
  };
  const auto skip = [&](std::string_view token) {
    const bool there = text.substr(at).starts_with(token);
    if (there) step(token.size());
    return there;
  };
  step(0);
  const bool with_header = begins_with_header(text.substr(at));
  if (with_header) {
    for (const std::string_view token : {"{", "\"thresholds_for\"", ":", "\""})
      if (!skip(token)) return unexpected(token);
    read.models.thresholds_for = parse_hash(text.substr(at, 16));
    if (!read.models.thresholds_for) return unexpected("a number of 16 hexadecimal digits");
    step(16);
    for (const std::string_view token : {"\"", ",", "\"models\"", ":"})
      if (!skip(token)) return unexpected(token);
    if (at == text.size() || text[at] != '[') return unexpected("\"[\"");
  }
  const bool array = skip("[");
  for (;;) {
    if (at == text.size() || text[at] != '{') return unexpected("a model");
    const std::string_view object = text.substr(at, object_length(text.substr(at)));
    auto file = parse_model(object, name, position);
    if (!file) return tl::unexpected(std::move(file).error());
    if (auto taken = take(read.models, std::move(*file), name); !taken) return tl::unexpected(std::move(taken).error());
    step(object.size());
    if (!array || at == text.size() || text[at] != ',') break;
    step(1);
  }
  if (array) {
    if (at == text.size() || text[at] != ']') return unexpected("\",\" or \"]\"");
    step(1);
  }
  if (with_header && !skip("}")) return unexpected("\"}\"");
  if (at != text.size()) return unexpected("the end");
  return read;
}

std::string format_models_json(const ModelDatabase& models) {
  std::string text;
  if (models.thresholds_for)
    text = fmt::format("{{\n\"thresholds_for\": \"{:016x}\",\n\"models\": ", *models.thresholds_for);
  text += "[\n";
  const std::size_t begin = text.size();
  for (const ProtocolModel& model : models.models) {
    if (text.size() > begin) text += ",\n";
    text += format_model(model, models.snap, models.rules);
    text.pop_back();
  }
  return text + (models.thresholds_for ? "\n]\n}\n" : "\n]\n");
}

}  // namespace spidd
