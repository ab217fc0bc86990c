/// \file The fields of one layer, as its op reads them: typed, checked, each error at its field.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/importer/Model.h"
#include "dialects/hourglass/Layer.h"
#include <functional>

namespace segc {

/// Fields of a layer or of a nested object (`"norm": {...}`).
class ImportFields final : public hg::LayerFields {
public:
  using Lookup = std::function<mlir::FailureOr<mlir::Value>(const Field &)>;
  ImportFields(Diagnostics &diagnostics, const Layer &layer, std::vector<Field> fields, size_t offset, Lookup lookup)
      : diagnostics(diagnostics), owner(layer), fields(std::move(fields)), offset(offset), lookup(std::move(lookup)) {}

  bool has(llvm::StringRef key) override;
  mlir::FailureOr<int64_t> integer(llvm::StringRef key, std::optional<int64_t> fallback, int64_t low, int64_t high) override;
  mlir::FailureOr<Pair> pair(llvm::StringRef key, std::optional<Pair> fallback, int64_t low, int64_t high) override;
  mlir::FailureOr<hg::Padding> padding(llvm::StringRef key) override;
  mlir::FailureOr<double> number(llvm::StringRef key, std::optional<double> fallback) override;
  mlir::FailureOr<std::array<Pair, 2>> ratios(llvm::StringRef key) override;
  mlir::FailureOr<bool> boolean(llvm::StringRef key, bool fallback) override;
  mlir::FailureOr<std::string> word(llvm::StringRef key, std::optional<std::string> fallback,
                                    llvm::ArrayRef<llvm::StringRef> choices, bool orPair) override;
  mlir::FailureOr<std::string> init(std::optional<std::string> fallback) override;
  mlir::FailureOr<mlir::Value> layer(llvm::StringRef key) override;
  mlir::LogicalResult error(llvm::StringRef key, const llvm::Twine &message) override;

  /// The field, marked as known; null if absent.
  const Field *take(llvm::StringRef key);
  /// Error for each field that nothing asked for, with the nearest known name.
  mlir::LogicalResult finish(llvm::StringRef what);

private:
  mlir::FailureOr<int64_t> whole(llvm::StringRef key, const Json &value, int64_t low, int64_t high);
  mlir::LogicalResult missing(llvm::StringRef key);
  Diagnostics &diagnostics;
  const Layer &owner;
  std::vector<Field> fields;
  size_t offset;
  Lookup lookup;
  std::vector<std::string> known;
};

} // namespace segc
