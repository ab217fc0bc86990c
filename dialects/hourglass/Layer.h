/// \file What an op sees of a model description when it imports itself: its fields, its inputs, and how to
/// make values.
///
/// The dialect knows no JSON: the frontend implements these two classes.
// SPDX-License-Identifier: MIT
#pragma once
#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"
#include <array>
#include <optional>
#include <string>

namespace segc::hg {

/// A padding field: explicit amounts or "same".
struct Padding {
  bool same = false;
  std::array<int64_t, 4> amount{0, 0, 0, 0}; ///< top, left, bottom, right
};

/// Typed access to the fields of one layer. Every getter reports what is wrong with its field, and where, by
/// itself.
class LayerFields {
public:
  using Pair = std::array<int64_t, 2>;
  virtual ~LayerFields() = default;
  virtual bool has(llvm::StringRef key) = 0;
  /// A missing field takes `fallback`; without one it is an error.
  virtual mlir::FailureOr<int64_t> integer(llvm::StringRef key, std::optional<int64_t> fallback, int64_t low,
                                           int64_t high) = 0;
  virtual mlir::FailureOr<Pair> pair(llvm::StringRef key, std::optional<Pair> fallback, int64_t low,
                                     int64_t high) = 0;
  virtual mlir::FailureOr<Padding> padding(llvm::StringRef key) = 0; ///< absent: 0
  /// Four integers, one for each of N, C, H, W, from `low` on.
  virtual mlir::FailureOr<std::array<int64_t, 4>> extents(llvm::StringRef key, int64_t low) = 0;
  virtual mlir::FailureOr<double> number(llvm::StringRef key, std::optional<double> fallback) = 0;
  /// A number or a pair of numbers as exact fractions with denominators up to 2^20.
  virtual mlir::FailureOr<std::array<Pair, 2>> ratios(llvm::StringRef key) = 0;
  virtual mlir::FailureOr<bool> boolean(llvm::StringRef key, bool fallback) = 0;
  /// One of `choices`. With `orPair`, anything that is no string gives "" (the caller then reads a pair).
  virtual mlir::FailureOr<std::string> word(llvm::StringRef key, std::optional<std::string> fallback,
                                            llvm::ArrayRef<llvm::StringRef> choices, bool orPair = false) = 0;
  /// An `init` field as text: "he", "normal:0.01", ...
  virtual mlir::FailureOr<std::string> init(std::optional<std::string> fallback) = 0;
  /// The value of the layer that the field names (`pool`, `like`, `mirror`).
  virtual mlir::FailureOr<mlir::Value> layer(llvm::StringRef key) = 0;
  /// An error at the field (or at the layer, for an empty key).
  virtual mlir::LogicalResult error(llvm::StringRef key, const llvm::Twine &message) = 0;
};

/// Builds one layer.
class LayerBuilder {
public:
  virtual ~LayerBuilder() = default;
  virtual LayerFields &fields() = 0;
  virtual mlir::OpBuilder &builder() = 0;
  virtual mlir::Location loc() = 0;
  /// The layer's operands; `count` says how many the op takes (error otherwise).
  virtual mlir::FailureOr<llvm::SmallVector<mlir::Value>> inputs(unsigned least, unsigned most) = 0;
  /// The tensor `<layer>.<suffix>` of the weights file, which has the shape `stored` there if that is given.
  virtual mlir::FailureOr<mlir::Value> weight(llvm::StringRef suffix, llvm::ArrayRef<int64_t> shape,
                                              llvm::StringRef init, bool running = false,
                                              llvm::ArrayRef<int64_t> stored = {}) = 0;
  /// Creates an op and infers its result types; errors point at the layer.
  virtual mlir::FailureOr<mlir::Operation *> create(llvm::StringRef name, mlir::ValueRange operands,
                                                    llvm::ArrayRef<mlir::NamedAttribute> attributes,
                                                    llvm::ArrayRef<int32_t> segments = {}) = 0;
  /// Does the layer carry a norm (other than "none")? Decides the default of `bias`.
  virtual bool hasNorm() = 0;
  /// Appends the layer's inline `norm` and `activation`.
  virtual mlir::FailureOr<mlir::Value> finish(mlir::Value value) = 0;
};

/// Imports a layer that is no op of its own but made of others ("dense"); null if `name` is none.
using LayerImporter = mlir::FailureOr<mlir::Value> (*)(LayerBuilder &layer);
LayerImporter findComposedLayer(llvm::StringRef name);
llvm::SmallVector<llvm::StringRef> composedLayers();
// Those that are made of ops of one family.
mlir::FailureOr<mlir::Value> importFlatten(LayerBuilder &layer);
mlir::FailureOr<mlir::Value> importSlice(LayerBuilder &layer);

} // namespace segc::hg
