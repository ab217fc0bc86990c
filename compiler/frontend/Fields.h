/// \file Typed access to the fields of one layer: every getter reports by itself what is wrong and where.
///
/// The getters follow hg::LayerFields, which the op importer implements on top of this class.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/frontend/Model.h"
#include <array>

namespace segc {

/// The numbers that a field takes, and how a message calls them.
struct NumberRange {
  double low, high;
  bool withoutLow, withoutHigh; ///< is the limit itself excluded?
  llvm::StringLiteral text;
  bool contains(double x) const {
    return (withoutLow ? x > low : x >= low) && (withoutHigh ? x < high : x <= high);
  }
};
// What becomes f32 stays far from its largest value, about 3e38.
constexpr NumberRange kAnyNumber = {-1e30, 1e30, false, false, "a number from -1e30 to 1e30"};
constexpr NumberRange kFromZero = {0, 1e30, false, false, "a number from 0 to 1e30"};
constexpr NumberRange kAboveZero = {0, 1e30, true, false, "a number above 0, at most 1e30"};
constexpr NumberRange kBelowOne = {0, 1, false, true, "a number from 0 to below 1"};
constexpr NumberRange kBetweenZeroAndOne = {0, 1, true, true, "a number between 0 and 1"};

/// A field that only some kinds of an object have, such as `gamma` of the loss focal.
struct OwnedField {
  llvm::StringLiteral field, kinds; ///< "cross_entropy, focal"
  bool belongsTo(llvm::StringRef kind) const;
};

class Fields {
public:
  using Pair = std::array<int64_t, 2>; ///< height, width; or numerator, denominator
  struct Padding {
    bool same = false;
    std::array<int64_t, 4> amount{0, 0, 0, 0}; ///< top, left, bottom, right
  };

  /// The fields of a layer. Both outlive this object.
  Fields(const Layer &layer, Diagnostics &diagnostics)
      : Fields(layer.fields, layer.op, layer.name, layer.loc, diagnostics) {
    used.append(std::begin(kLayerWords), std::end(kLayerWords)); // to be suggested
  }
  /// The fields of an object inside of one, such as an inline `norm`; `what` it is ("norm") goes into
  /// messages.
  Fields(llvm::ArrayRef<Member> members, llvm::StringRef what, llvm::StringRef layer, llvm::SMLoc loc,
         Diagnostics &diagnostics)
      : members(members), what(what), layer(layer), loc(loc), diagnostics(diagnostics) {}

  bool has(llvm::StringRef key) { return value(key); }
  /// The untyped value, or null; the key counts as used.
  const Value *value(llvm::StringRef key);

  // A missing field takes `fallback`; without one it is an error.
  llvm::FailureOr<int64_t> getInt(llvm::StringRef key, std::optional<int64_t> fallback, int64_t low,
                                  int64_t high);
  /// One number for both or [h, w].
  llvm::FailureOr<Pair> getPair(llvm::StringRef key, std::optional<Pair> fallback, int64_t low, int64_t high);
  /// A number, [h, w], [top, left, bottom, right] in 0..65536, "valid" or "same"; absent: 0.
  llvm::FailureOr<Padding> getPadding(llvm::StringRef key);
  /// [n, c, h, w], each from `low` on.
  llvm::FailureOr<std::array<int64_t, 4>> getExtents(llvm::StringRef key, int64_t low);
  llvm::FailureOr<double> getNumber(llvm::StringRef key, std::optional<double> fallback);
  llvm::FailureOr<double> getNumber(llvm::StringRef key, std::optional<double> fallback,
                                    const NumberRange &range);
  /// A list of at least one number.
  llvm::FailureOr<std::vector<double>> getNumbers(llvm::StringRef key, const NumberRange &range);
  /// A positive number or two as exact fractions {numerator, denominator} with denominators up to 2^20.
  llvm::FailureOr<std::array<Pair, 2>> getRatios(llvm::StringRef key);
  llvm::FailureOr<bool> getBool(llvm::StringRef key, bool fallback);
  /// One of `choices` (any text, if there are none). With `orOther`, a value that is no string gives "".
  llvm::FailureOr<std::string> getString(llvm::StringRef key, std::optional<std::string> fallback,
                                         llvm::ArrayRef<llvm::StringRef> choices, bool orOther = false);
  /// "he", "xavier", "zero", "bilinear", "identity", {"normal": s} as "normal:s", {"constant": v} as
  /// "constant:v".
  llvm::FailureOr<std::string> getInit(std::optional<std::string> fallback);

  /// An error at the field's value, or at the layer for an empty or absent key.
  llvm::LogicalResult error(llvm::StringRef key, const llvm::Twine &message);
  /// Reports every field that was never asked for; of those in `owned` it says where they belong.
  llvm::LogicalResult finish(llvm::ArrayRef<OwnedField> owned = {});

private:
  const Member *member(llvm::StringRef key) const;
  llvm::LogicalResult missing(llvm::StringRef key);
  llvm::FailureOr<int64_t> integer(const Value &value, llvm::StringRef key, int64_t low, int64_t high);
  llvm::FailureOr<double> number(const Value &value, llvm::StringRef key, const NumberRange &range);

  llvm::ArrayRef<Member> members;
  llvm::StringRef what, layer;
  llvm::SMLoc loc;
  Diagnostics &diagnostics;
  llvm::SmallVector<std::string> used;
};

} // namespace segc
