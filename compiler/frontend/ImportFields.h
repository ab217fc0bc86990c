/// \file The fields of one layer as its op reads them: hg::LayerFields over Fields.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/frontend/Fields.h"
#include "dialects/hourglass/Layer.h"
#include "mlir/IR/BuiltinTypes.h"
#include <functional>

namespace segc {

/// The getters are those of Fields; what a field names as a layer is looked up among the values made so far.
class ImportFields final : public hg::LayerFields {
public:
  using Lookup = std::function<mlir::Value(llvm::StringRef)>;
  ImportFields(Fields fields, Lookup lookup) : fields(std::move(fields)), lookup(std::move(lookup)) {}

  bool has(llvm::StringRef key) override { return fields.has(key); }
  mlir::FailureOr<int64_t> integer(llvm::StringRef key, std::optional<int64_t> fallback, int64_t low,
                                   int64_t high) override {
    return fields.getInt(key, fallback, low, high);
  }
  mlir::FailureOr<Pair> pair(llvm::StringRef key, std::optional<Pair> fallback, int64_t low,
                             int64_t high) override {
    return fields.getPair(key, fallback, low, high);
  }
  mlir::FailureOr<hg::Padding> padding(llvm::StringRef key) override {
    auto padding = fields.getPadding(key);
    if (failed(padding))
      return mlir::failure();
    return hg::Padding{padding->same, padding->amount};
  }
  mlir::FailureOr<std::array<int64_t, 4>> extents(llvm::StringRef key, int64_t low) override {
    return fields.getExtents(key, low);
  }
  mlir::FailureOr<double> number(llvm::StringRef key, std::optional<double> fallback) override {
    return fields.getNumber(key, fallback);
  }
  mlir::FailureOr<std::array<Pair, 2>> ratios(llvm::StringRef key) override { return fields.getRatios(key); }
  mlir::FailureOr<bool> boolean(llvm::StringRef key, bool fallback) override {
    return fields.getBool(key, fallback);
  }
  mlir::FailureOr<std::string> word(llvm::StringRef key, std::optional<std::string> fallback,
                                    llvm::ArrayRef<llvm::StringRef> choices, bool orPair) override {
    return fields.getString(key, fallback, choices, orPair);
  }
  mlir::FailureOr<std::string> init(std::optional<std::string> fallback) override {
    return fields.getInit(fallback);
  }
  mlir::FailureOr<mlir::Value> layer(llvm::StringRef key) override {
    auto name = fields.getString(key, std::nullopt, {});
    if (failed(name))
      return mlir::failure();
    if (mlir::Value value = lookup(*name))
      return value;
    return fields.error(key, "'" + *name + "' is no earlier layer");
  }
  mlir::LogicalResult error(llvm::StringRef key, const llvm::Twine &message) override {
    return fields.error(key, message);
  }

  Fields fields;

private:
  Lookup lookup;
};

} // namespace segc
