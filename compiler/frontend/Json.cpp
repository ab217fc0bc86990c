/// \file Builds value trees from the events of nlohmann's SAX parser.
// SPDX-License-Identifier: MIT
#include "compiler/frontend/Json.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <nlohmann/json.hpp>

namespace segc {

using Json = nlohmann::json;

namespace {

/// Receives the events. They carry no positions, and how far the lexer has read depends on the token (it
/// looks one byte beyond a number), so the handler walks through the text by itself: when an event arrives,
/// its token has been found valid and is the next one after white space, commas and colons.
class TreeBuilder : public nlohmann::json_sax<Json> {
public:
  TreeBuilder(llvm::StringRef text, Diagnostics &diagnostics, const JsonLimits &limits)
      : text(text), diagnostics(diagnostics), limits(limits) {
    if (text.starts_with("\xef\xbb\xbf")) // the lexer skips a byte order mark
      cursor = 3;
  }

  Value take() { return std::move(root); }

  bool null() override {
    return scalar(Value::Null, [](Value &) {});
  }
  bool boolean(bool given) override {
    return scalar(Value::Bool, [&](Value &value) { value.boolean = given; });
  }
  bool number_integer(int64_t given) override {
    return scalar(Value::Int, [&](Value &value) { value.integer = given; });
  }
  bool number_unsigned(uint64_t given) override {
    if (given > uint64_t(INT64_MAX))
      return outOfRange();
    return number_integer(int64_t(given));
  }
  bool number_float(double given, const std::string &digits) override {
    // The lexer turns an integer beyond 64 bits into a double; it must not pass for a number.
    if (llvm::StringRef(digits).find_first_of(".eE") == llvm::StringRef::npos)
      return outOfRange();
    return scalar(Value::Double, [&](Value &value) { value.real = given; });
  }
  bool string(std::string &given) override {
    return scalar(Value::String, [&](Value &value) { value.text = std::move(given); });
  }
  bool binary(Json::binary_t &) override { return false; } // text has no such event
  bool start_object(size_t) override { return open(Value::Object); }
  bool start_array(size_t) override { return open(Value::Array); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string &given) override;
  bool parse_error(size_t position, const std::string &lastToken,
                   const nlohmann::detail::exception &exception) override;

private:
  struct Frame {
    Value value;
    llvm::StringSet<> keys;
    std::string key;
    llvm::SMLoc keyLoc;
  };

  llvm::SMLoc locAt(size_t offset) const {
    return llvm::SMLoc::getFromPointer(text.data() + std::min(offset, text.size()));
  }
  bool fail(llvm::SMLoc loc, const llvm::Twine &message) {
    (void)diagnostics.error(loc, message);
    return false;
  }
  bool outOfRange() {
    return fail(nextToken(), "integer out of range; the largest is 9223372036854775807 (2^63-1)");
  }
  llvm::SMLoc nextToken();
  bool count(llvm::SMLoc loc);
  template <typename Fill> bool scalar(Value::Kind kind, Fill fill) {
    Value value;
    value.kind = kind;
    value.loc = nextToken();
    fill(value);
    return count(value.loc) && add(std::move(value));
  }
  bool open(Value::Kind kind);
  bool close();
  bool add(Value value);

  llvm::StringRef text;
  Diagnostics &diagnostics;
  const JsonLimits &limits;
  size_t cursor = 0; ///< behind the last token
  unsigned tokens = 0;
  std::vector<Frame> stack;
  Value root;
};

/// Where the token of the current event starts; moves the cursor behind it.
llvm::SMLoc TreeBuilder::nextToken() {
  cursor = std::min(text.find_first_not_of(" \t\r\n,:", cursor), text.size());
  size_t start = cursor;
  if (start == text.size())
    return locAt(start);
  char first = text[cursor++];
  if (first == '"') {
    while (cursor < text.size() && text[cursor] != '"')
      cursor += text[cursor] == '\\' ? 2 : 1;
    cursor = std::min(cursor + 1, text.size());
  } else if (llvm::isAlnum(first) || first == '-') {
    while (cursor < text.size() &&
           (llvm::isAlnum(text[cursor]) || llvm::is_contained({'+', '-', '.'}, text[cursor])))
      ++cursor;
  }
  return locAt(start);
}

bool TreeBuilder::count(llvm::SMLoc loc) {
  return ++tokens <= limits.tokens ||
         fail(loc, "more than " + llvm::Twine(limits.tokens) + " values and keys");
}

bool TreeBuilder::key(std::string &given) {
  Frame &top = stack.back();
  top.keyLoc = nextToken();
  if (!top.keys.insert(given).second)
    return fail(top.keyLoc, "duplicate key " + quote(given) + "; keep one of the two");
  top.key = std::move(given);
  return count(top.keyLoc);
}

bool TreeBuilder::open(Value::Kind kind) {
  Frame frame;
  frame.value.kind = kind;
  frame.value.loc = nextToken();
  llvm::SMLoc loc = frame.value.loc;
  if (stack.size() == limits.depth)
    return fail(loc, "nested more than " + llvm::Twine(limits.depth) + " deep");
  stack.push_back(std::move(frame));
  return count(loc);
}

bool TreeBuilder::close() {
  nextToken();
  Value value = std::move(stack.back().value);
  stack.pop_back();
  return add(std::move(value));
}

bool TreeBuilder::add(Value value) {
  if (stack.empty())
    root = std::move(value);
  else if (Frame &top = stack.back(); top.value.kind == Value::Array)
    top.value.items.push_back(std::move(value));
  else
    top.value.members.push_back({std::move(top.key), top.keyLoc, std::move(value)});
  return true;
}

bool TreeBuilder::parse_error(size_t position, const std::string &lastToken,
                              const nlohmann::detail::exception &exception) {
  // `position` counts the bytes up to the end of the last token, the end of the text as one more. The token
  // is the next one behind the last event, or the one after it if that is a separator in its place.
  size_t end = std::min(position, text.size());
  auto skipSpace = [&](size_t offset) {
    return std::min(text.find_first_not_of(" \t\r\n", offset), text.size());
  };
  size_t start = skipSpace(cursor);
  if (start + 1 < position && start < end && (text[start] == ',' || text[start] == ':'))
    start = skipSpace(start + 1);
  if (position <= text.size()) // "01" is two tokens to the lexer
    start = std::min(start, end - std::min<size_t>(end, 1));
  llvm::StringRef what = exception.what();
  if (what.contains("number overflow"))
    return fail(locAt(start), "number out of range of a double");

  std::string message = what.substr(what.find("syntax error")).str();
  std::string lastRead = "; last read: '" + lastToken + "'";
  if (size_t at = message.find(lastRead); at != std::string::npos)
    message.erase(at, lastRead.size());
  // A flaw inside of a string or a number is shown where it was noticed.
  if (llvm::StringRef(message).contains(" invalid string") ||
      llvm::StringRef(message).contains(" invalid number"))
    start = position > text.size() ? text.size() : end - std::min<size_t>(end, 1);
  return fail(locAt(start), "JSON " + message);
}

} // namespace

llvm::FailureOr<Value> parseJson(llvm::StringRef text, Diagnostics &diagnostics, const JsonLimits &limits) {
  llvm::SMLoc start = llvm::SMLoc::getFromPointer(text.data());
  if (text.size() > limits.bytes)
    return diagnostics.error(start, "more than " + llvm::Twine(limits.bytes) + " bytes");
  // The lexer takes a zero byte for the end and would ignore what follows.
  if (size_t zero = text.find('\0'); zero != llvm::StringRef::npos)
    return diagnostics.error(llvm::SMLoc::getFromPointer(text.data() + zero),
                             "JSON syntax error: a zero byte");
  TreeBuilder builder(text, diagnostics, limits);
  if (!Json::sax_parse(text.begin(), text.end(), &builder))
    return llvm::failure();
  return builder.take();
}

const Value *Value::find(llvm::StringRef key) const {
  for (const Member &member : members)
    if (member.key == key)
      return &member.value;
  return nullptr;
}

std::string Value::describe() const {
  switch (kind) {
  case String:
    return "the string " + quote(text);
  case Array:
    return "an array";
  case Object:
    return "an object";
  default:
    std::string result;
    llvm::raw_string_ostream os(result);
    printJson(os, *this);
    return result;
  }
}

static void printString(llvm::raw_ostream &os, llvm::StringRef text) {
  os << '"';
  for (char c : text) {
    if (c == '"' || c == '\\')
      os << '\\' << c;
    else if (static_cast<unsigned char>(c) < 0x20)
      os << llvm::format("\\u%04x", c);
    else
      os << c;
  }
  os << '"';
}

llvm::LogicalResult checkWords(const Value &object, llvm::StringRef what,
                               llvm::ArrayRef<llvm::StringRef> known, Diagnostics &diagnostics) {
  for (const Member &member : object.members)
    if (!llvm::is_contained(known, member.key))
      return diagnostics.error(member.keyLoc, "unknown field " + quote(member.key) + " of " + what +
                                                  suggestion(member.key, known));
  return llvm::success();
}

llvm::LogicalResult checkDescription(const Value &object, Diagnostics &diagnostics) {
  const Value *text = object.find("description");
  if (!text || text->isString())
    return llvm::success();
  return diagnostics.error(text->loc, "\"description\" must be a string, not " + text->describe());
}

llvm::LogicalResult checkFormat(const Value &object, llvm::StringRef what, Diagnostics &diagnostics) {
  static constexpr llvm::StringLiteral kFormat = "segc-model/1";
  const Value *format = object.find("format");
  if (!format)
    return diagnostics.error(object.loc, what + " needs \"format\", the string \"" + kFormat + "\"");
  if (format->isString() && format->text == kFormat)
    return llvm::success();
  return diagnostics.error(format->loc, "unknown format " +
                                            (format->isString() ? quote(format->text) : format->describe()) +
                                            "; write \"" + kFormat + "\"");
}

void printJson(llvm::raw_ostream &os, const Value &value) {
  switch (value.kind) {
  case Value::Null:
    os << "null";
    break;
  case Value::Bool:
    os << (value.boolean ? "true" : "false");
    break;
  case Value::Int:
    os << value.integer;
    break;
  case Value::Double:
    os << Json(value.real).dump(); // the shortest text that reads as the same double
    break;
  case Value::String:
    printString(os, value.text);
    break;
  case Value::Array:
    os << '[';
    llvm::interleaveComma(value.items, os, [&](const Value &item) { printJson(os, item); });
    os << ']';
    break;
  case Value::Object:
    os << '{';
    llvm::interleaveComma(value.members, os, [&](const Member &member) {
      printString(os, member.key);
      os << ": ";
      printJson(os, member.value);
    });
    os << '}';
    break;
  }
}

} // namespace segc
