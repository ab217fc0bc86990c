/// \file JSON text as a tree of values that know where they stand.
///
/// Texts are untrusted: nesting, tokens and bytes are limited, keys are unique, integers are exact or an
/// error.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/frontend/Diagnostics.h"
#include <cstdint>
#include <string>
#include <vector>

namespace segc {

struct JsonLimits {
  uint64_t bytes = 64 << 20;
  unsigned tokens = 1000000; ///< values and keys
  unsigned depth = 64;
};

struct Member;

struct Value {
  enum Kind { Null, Bool, Int, Double, String, Array, Object };

  Kind kind = Null;
  bool boolean = false;
  int64_t integer = 0;
  double real = 0;
  std::string text;
  std::vector<Value> items;    ///< of an array
  std::vector<Member> members; ///< of an object, in the order of the text
  llvm::SMLoc loc;             ///< its first byte
  /// Of a string in an expanded model: the scope in which it is looked up when it names a layer.
  unsigned scope = 0;

  bool isString() const { return kind == String; }
  bool isNumber() const { return kind == Int || kind == Double; }
  double number() const { return kind == Int ? double(integer) : real; }
  /// An object's value under `key`, or null.
  const Value *find(llvm::StringRef key) const;
  /// For messages: "the string 'x'", "3.5", "an array".
  std::string describe() const;
};

struct Member {
  std::string key;
  llvm::SMLoc keyLoc;
  Value value;
};

/// Parses `text`, which must have been added to `diagnostics`. Reports the first error: bad syntax, a limit,
/// a duplicate key, a number that fits neither a 64-bit integer nor a double.
llvm::FailureOr<Value> parseJson(llvm::StringRef text, Diagnostics &diagnostics,
                                 const JsonLimits &limits = {});
/// Error at the first member whose key is none of `known`; `what` ("a model") has them.
llvm::LogicalResult checkWords(const Value &object, llvm::StringRef what,
                               llvm::ArrayRef<llvm::StringRef> known, Diagnostics &diagnostics);
/// Error if the object has a `description`, free text for people, that is no string.
llvm::LogicalResult checkDescription(const Value &object, Diagnostics &diagnostics);
/// Error if the object, `what` ("the model"), has no `format` or another one than this compiler reads.
llvm::LogicalResult checkFormat(const Value &object, llvm::StringRef what, Diagnostics &diagnostics);
/// Prints the value as JSON on one line.
void printJson(llvm::raw_ostream &os, const Value &value);

} // namespace segc
