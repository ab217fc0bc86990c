/// \file The table of layers that `segc -summary` prints.
// SPDX-License-Identifier: MIT
#pragma once
#include "dialects/hourglass/Hourglass.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/raw_ostream.h"

namespace segc {

struct LayerRow {
  std::string name, op, shape, kernel;
  int64_t parameters = 0, macs = 0;
  hg::ReceptiveField field;
};

/// What a pixel of a result of @main stands for.
struct OutputField {
  std::string name;
  hg::ReceptiveField field;
};

struct Summary {
  std::vector<LayerRow> rows;
  std::vector<OutputField> outputs;
  int64_t parameters = 0, macs = 0;
};

/// One row a layer of the imported graph; `kernels` (layer → problem) may be empty.
Summary summarise(mlir::ModuleOp graph, const llvm::StringMap<std::string> &kernels);
/// The problems of the kernels that compute each layer, from a planned module.
llvm::StringMap<std::string> kernelsByLayer(mlir::ModuleOp planned);
void print(const Summary &summary, llvm::raw_ostream &out);

} // namespace segc
