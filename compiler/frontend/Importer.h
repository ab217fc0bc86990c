/// \file The state of one import: what Import.cpp (inputs and outputs), ImportLayer.cpp (layers) and
/// ImportTraining.cpp (targets, losses, what learns) share.
// SPDX-License-Identifier: MIT
#pragma once
#include "compiler/frontend/Import.h"
#include "dialects/hourglass/Hourglass.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/Support/GlobPattern.h"

namespace segc {

struct SlidingWindow; // OnePass.h
/// The layer that has layers inside, and is no op.
constexpr llvm::StringLiteral kSlidingWindow = "sliding_window";

class Importer {
public:
  Importer(mlir::MLIRContext &context, Diagnostics &diagnostics, const Model &model,
           const ImportOptions &options)
      : diagnostics(diagnostics), b(&context), model(model), options(options) {}

  /// The module, or null after an error.
  mlir::OwningOpRef<mlir::ModuleOp> run();
  /// The names of all tensors of the file, also of layers that no output needs; those of layers with errors
  /// are missing.
  std::vector<std::string> tensorNames();

  /// Creates an op at the insertion point with inferred result types; null after an error.
  mlir::Operation *create(mlir::Location loc, llvm::StringRef name, mlir::ValueRange operands,
                          llvm::ArrayRef<mlir::NamedAttribute> attributes,
                          llvm::ArrayRef<int32_t> segments = {});
  mlir::Location location(llvm::SMLoc loc, llvm::StringRef name);
  /// The tensor if a layer before has made it; null otherwise.
  mlir::Value knownWeight(llvm::StringRef name);

  Diagnostics &diagnostics;
  mlir::OpBuilder b;
  llvm::StringMap<mlir::Value> values;  ///< full name of a layer, input or target → value
  llvm::StringMap<mlir::Value> weights; ///< tensors made so far

private:
  // Import.cpp
  bool addArgumentType(const ModelInput &input, bool isTarget, llvm::SmallVectorImpl<mlir::Type> &types);
  bool start();
  bool chooseOutputs(std::vector<ModelOutput> &outputs);
  bool importLayers(const std::vector<std::string> &wanted);
  bool importOutputs();
  void finish(mlir::ValueRange results, llvm::SMLoc loc);
  // ImportLayer.cpp
  bool importLayer(const Layer &layer);
  // ImportSliding.cpp
  bool importSlidingWindow(const Layer &layer);
  void startBody(int64_t channels, llvm::ArrayRef<int64_t> kernel, llvm::SMLoc loc);
  void adoptWeights(mlir::func::FuncOp body, mlir::IRMapping &mapping);
  mlir::Value importEachWindow(const SlidingWindow &window, mlir::func::FuncOp body, mlir::Location loc,
                               mlir::Value image, mlir::IRMapping &mapping);
  // ImportTraining.cpp
  bool checkTraining();
  bool importTraining();
  mlir::Value importLoss(const Loss &loss);
  mlir::Value resized(const Loss &loss, llvm::StringRef target, mlir::Value like);
  void markLabels(const Loss &loss, int64_t classes);
  bool markFrozen();
  void warnOfEmptyNorms();
  bool markTrainable();
  void describeTraining();

  const Model &model;
  const ImportOptions &options;
  Importer *outer = nullptr; ///< of the body of a sliding window: who imports the window
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp main;
};

/// Error at the first pattern of the model's `freeze` and `lr_scale` that matches none of its tensors.
llvm::LogicalResult checkPatterns(const Training &training, const std::vector<std::string> &tensors,
                                  Diagnostics &diagnostics);
/// Patterns ready to match.
class Patterns {
public:
  /// The patterns outlive this object.
  explicit Patterns(llvm::ArrayRef<NamePattern> patterns);
  /// Does pattern `index` match the tensor's name, or its beginning up to a dot: that of a layer or instance?
  bool match(size_t index, llvm::StringRef tensor) const;
  bool matchAny(llvm::StringRef tensor) const;

private:
  std::vector<llvm::GlobPattern> globs;
};

} // namespace segc
