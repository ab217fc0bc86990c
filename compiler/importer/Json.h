/// \file JSON values that know where they stand in the file.
///
/// Read through nlohmann/json's SAX interface with limits: the library's own tree neither keeps positions nor survives
/// deep nesting.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/importer/Diagnostics.h"
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace segc {

struct Json {
  enum class Kind { Null, Boolean, Integer, Real, String, Array, Object };
  struct Member;
  Kind kind = Kind::Null;
  bool boolean = false;
  int64_t integer = 0;
  double real = 0;
  std::string string;
  std::vector<Json> items;
  std::vector<Member> members;
  size_t offset = 0; ///< byte of the file

  bool isNull() const { return kind == Kind::Null; }
  bool isString() const { return kind == Kind::String; }
  bool isObject() const { return kind == Kind::Object; }
  bool isArray() const { return kind == Kind::Array; }
  bool isInteger() const { return kind == Kind::Integer; }
  bool isNumber() const { return isInteger() || kind == Kind::Real; }
  double number() const { return isInteger() ? static_cast<double>(integer) : real; }
  /// Null if this is no object or has no such key.
  const Json *find(llvm::StringRef key) const;
  const Member *findMember(llvm::StringRef key) const;
  /// "a string", "an object", ... for messages.
  const char *kindName() const;
};

struct Json::Member {
  std::string key;
  size_t offset; ///< of the key
  Json value;
};

/// Limits on what is read.
constexpr size_t kMaxJsonDepth = 64, kMaxJsonValues = 1000000, kMaxJsonBytes = size_t(64) << 20;

/// Parses the open file. Reports malformed text, duplicate keys, integers beyond 64 bits and exceeded limits.
std::optional<Json> parseJson(Diagnostics &diagnostics);

} // namespace segc
