/// \file From SAX events to positioned values.
// SPDX-License-Identifier: MIT
#include "compiler/importer/Json.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include <nlohmann/json.hpp>

namespace segc {

const Json::Member *Json::findMember(llvm::StringRef key) const {
  for (const Member &member : members)
    if (member.key == key)
      return &member;
  return nullptr;
}

const Json *Json::find(llvm::StringRef key) const {
  const Member *member = findMember(key);
  return member ? &member->value : nullptr;
}

const char *Json::kindName() const {
  static const char *const names[] = {"null", "a boolean", "an integer", "a number", "a string", "a list", "an object"};
  return names[static_cast<unsigned>(kind)];
}

namespace {

/// Builds the tree. The SAX interface gives no positions, but it gives the tokens in order: between two of them lie
/// only white space, commas and colons, so a second cursor over the text finds where each token starts and ends.
class Builder {
public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  explicit Builder(Diagnostics &diagnostics) : diagnostics(diagnostics), text(diagnostics.text()) {}

  bool null() { return add(token(Json::Kind::Null)); }
  bool boolean(bool value) {
    Json json = token(Json::Kind::Boolean);
    json.boolean = value;
    return add(std::move(json));
  }
  bool number_integer(number_integer_t value) { return integer(value); }
  bool number_unsigned(number_unsigned_t value) {
    if (value > static_cast<number_unsigned_t>(INT64_MAX))
      return fail(token(Json::Kind::Integer).offset, "integer out of range: 64 bits with sign are the limit");
    return integer(static_cast<int64_t>(value));
  }
  bool number_float(number_float_t value, const string_t &spelling) {
    Json json = token(Json::Kind::Real);
    if (spelling.find_first_of(".eE") == string_t::npos)
      return fail(json.offset, "integer out of range: 64 bits with sign are the limit");
    json.real = value;
    return add(std::move(json));
  }
  bool string(string_t &value) {
    Json json = token(Json::Kind::String);
    json.string = std::move(value);
    return add(std::move(json));
  }
  bool binary(binary_t &) { return false; }
  bool start_object(size_t) { return open(Json::Kind::Object); }
  bool start_array(size_t) { return open(Json::Kind::Array); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(string_t &value) {
    size_t offset = token(Json::Kind::String).offset;
    if (!keys.back().insert(value).second)
      return fail(offset, "duplicate key '" + value + "': a key may stand once in an object");
    pendingKey = {std::move(value), offset, {}};
    return true;
  }

  bool parse_error(size_t position, const std::string &, const nlohmann::json::exception &problem) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while parsing ...": keep the end.
    llvm::StringRef what = problem.what();
    size_t colon = what.find(": ");
    llvm::StringRef reason = colon == llvm::StringRef::npos ? what : what.drop_front(colon + 2);
    return fail(position ? position - 1 : 0, "malformed JSON: " + reason.substr(0, 300).str());
  }

  std::optional<Json> result() { return done && !failed ? std::optional<Json>(std::move(root)) : std::nullopt; }

private:
  bool integer(int64_t value) {
    Json json = token(Json::Kind::Integer);
    json.integer = value;
    return add(std::move(json));
  }

  /// A value of the given kind at the next token, which the cursor passes.
  Json token(Json::Kind kind) {
    while (cursor < text.size() && llvm::StringRef(" \t\r\n,:").contains(text[cursor]))
      ++cursor;
    if (cursor == 0 && text.starts_with("\xEF\xBB\xBF"))
      cursor = 3;
    Json json;
    json.kind = kind;
    json.offset = cursor;
    if (cursor >= text.size())
      return json;
    if (text[cursor] == '"') {
      for (++cursor; cursor < text.size() && text[cursor] != '"'; ++cursor)
        cursor += text[cursor] == '\\';
      ++cursor;
    } else if (llvm::StringRef("{}[]").contains(text[cursor])) {
      ++cursor;
    } else {
      while (cursor < text.size() && (llvm::isAlnum(text[cursor]) || llvm::StringRef("+-.").contains(text[cursor])))
        ++cursor;
    }
    return json;
  }

  bool fail(size_t offset, const llvm::Twine &message) {
    if (!failed)
      diagnostics.error(offset, "", message);
    failed = true;
    return false;
  }

  bool count(size_t offset) {
    if (++values <= kMaxJsonValues)
      return true;
    return fail(offset, "more than 1,000,000 values");
  }

  /// Where the next value belongs; for objects under the pending key.
  Json *place(Json json) {
    if (stack.empty()) {
      root = std::move(json);
      return &root;
    }
    Json *parent = stack.back();
    if (parent->isArray()) {
      parent->items.push_back(std::move(json));
      return &parent->items.back();
    }
    pendingKey.value = std::move(json);
    parent->members.push_back(std::move(pendingKey));
    return &parent->members.back().value;
  }

  bool add(Json json) {
    if (!count(json.offset))
      return false;
    place(std::move(json));
    done = stack.empty();
    return true;
  }

  bool open(Json::Kind kind) {
    Json json = token(kind);
    if (stack.size() >= kMaxJsonDepth)
      return fail(json.offset, "nested more than 64 deep");
    if (!count(json.offset))
      return false;
    // A parent's vector does not grow while its child is open, so the pointer stays good.
    stack.push_back(place(std::move(json)));
    keys.emplace_back();
    return true;
  }

  bool close() {
    token(Json::Kind::Null);
    stack.pop_back();
    keys.pop_back();
    done = stack.empty();
    return true;
  }

  Diagnostics &diagnostics;
  llvm::StringRef text;
  size_t cursor = 0, values = 0;
  bool failed = false, done = false;
  Json root;
  std::vector<Json *> stack;
  std::vector<llvm::StringSet<>> keys;
  Json::Member pendingKey;
};

} // namespace

std::optional<Json> parseJson(Diagnostics &diagnostics) {
  llvm::StringRef text = diagnostics.text();
  if (text.size() > kMaxJsonBytes) {
    diagnostics.error(0, "", "the file is larger than 64 MiB");
    return std::nullopt;
  }
  Builder builder(diagnostics);
  nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  return builder.result();
}

} // namespace segc
