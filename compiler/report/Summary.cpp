/// \file Collects and prints the table of layers.
// SPDX-License-Identifier: MIT
#include "compiler/report/Summary.h"
#include "dialects/plan/Plan.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/Format.h"
#include <cmath>

using namespace mlir;

namespace segc {

static std::string shapeText(Type type) {
  std::string text;
  for (int64_t extent : cast<RankedTensorType>(type).getShape())
    text += (text.empty() ? "" : "x") +
            (ShapedType::isDynamic(extent) ? std::string("?") : std::to_string(extent));
  return text;
}

/// 12345678 as 12,345,678.
static std::string grouped(int64_t value) {
  std::string digits = std::to_string(value);
  for (int position = static_cast<int>(digits.size()) - 3; position > 0; position -= 3)
    digits.insert(position, ",");
  return digits;
}

Summary summarise(ModuleOp graph, const llvm::StringMap<std::string> &kernels) {
  Summary summary;
  auto main = graph.lookupSymbol<func::FuncOp>("main");
  llvm::StringMap<size_t> rowOf;
  DenseMap<Value, hg::ReceptiveField> fields;
  for (Operation &op : main.getBody().front().without_terminator()) {
    std::string name = hg::layerName(op.getLoc());
    auto [entry, isNew] = rowOf.try_emplace(name, summary.rows.size());
    if (isNew)
      summary.rows.push_back({name, "", "", kernels.lookup(name), 0, 0, {}});
    LayerRow &row = summary.rows[entry->second];
    if (auto weight = dyn_cast<hg::WeightOp>(op)) {
      if (!weight.getRunning())
        row.parameters += weight.getValue().getType().getNumElements();
      continue;
    }
    auto layer = cast<hg::LayerOp>(op);
    SmallVector<hg::ReceptiveField> operands;
    for (Value operand : op.getOperands())
      operands.push_back(fields.lookup(operand));
    hg::ReceptiveField field = layer.receptiveField(operands);
    for (Value result : op.getResults())
      fields[result] = field;
    row.field = field;
    row.macs += layer.macs();
    row.shape = shapeText(op.getResult(0).getType());
    row.op += (row.op.empty() ? "" : "+") + (isa<hg::ActivationOp>(op)
                                                 ? cast<hg::ActivationOp>(op).getFunction().str()
                                                 : op.getName().stripDialect().str());
  }
  for (auto [index, value] : llvm::enumerate(main.getBody().front().getTerminator()->getOperands())) {
    auto name = main.getResultAttrOfType<StringAttr>(index, "hourglass.name");
    summary.outputs.push_back({name ? name.str() : "", fields.lookup(value)});
  }
  for (const LayerRow &row : summary.rows) {
    summary.parameters += row.parameters;
    summary.macs += row.macs;
  }
  return summary;
}

llvm::StringMap<std::string> kernelsByLayer(ModuleOp planned) {
  llvm::StringMap<std::string> result;
  auto run = planned.lookupSymbol<plan::ProgramOp>("run");
  for (plan::LaunchOp launch : run.getBody().front().getOps<plan::LaunchOp>()) {
    SmallVector<StringRef> layers;
    launch.getLabel().split(layers, '+');
    for (StringRef layer : layers)
      result.try_emplace(layer, launch.getProblem().str());
  }
  return result;
}

void print(const Summary &summary, llvm::raw_ostream &out) {
  size_t widths[3] = {5, 2, 6};
  for (const LayerRow &row : summary.rows) {
    widths[0] = std::max(widths[0], row.name.size());
    widths[1] = std::max(widths[1], row.op.size());
    widths[2] = std::max(widths[2], row.shape.size());
  }
  auto line = [&](StringRef name, StringRef op, StringRef shape, StringRef parameters, StringRef macs,
                  StringRef field, StringRef kernel) {
    out << llvm::left_justify(name, widths[0]) << "  " << llvm::left_justify(op, widths[1]) << "  "
        << llvm::left_justify(shape, widths[2]) << "  " << llvm::right_justify(parameters, 12) << "  "
        << llvm::right_justify(macs, 16) << "  " << llvm::right_justify(field, 7)
        << (kernel.empty() ? "" : "  ") << kernel << "\n";
  };
  line("layer", "op", "output", "parameters", "MACs", "field", "kernel");
  for (const LayerRow &row : summary.rows) {
    std::string field =
        row.field.global ? "all" : std::to_string(static_cast<int64_t>(std::ceil(row.field.field)));
    line(row.name, row.op, row.shape, grouped(row.parameters), grouped(row.macs), field, row.kernel);
  }
  line("total", "", "", grouped(summary.parameters), grouped(summary.macs), "", "");
}

} // namespace segc
