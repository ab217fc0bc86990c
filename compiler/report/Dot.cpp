/// \file Writes `digraph`.
// SPDX-License-Identifier: MIT
#include "compiler/report/Dot.h"
#include "dialects/hourglass/Hourglass.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace segc {

std::string dot(ModuleOp graph) {
  auto main = graph.lookupSymbol<func::FuncOp>("main");
  auto nodeOf = [](Value value) { return "\"" + hg::layerName(value.getLoc()) + "\""; };
  auto shape = [](Value value) {
    std::string text;
    for (int64_t extent : cast<RankedTensorType>(value.getType()).getShape())
      text += (text.empty() ? "" : "x") +
              (ShapedType::isDynamic(extent) ? std::string("?") : std::to_string(extent));
    return text;
  };
  llvm::MapVector<StringRef, std::string> labels; // layers in order; a layer of several ops is one box
  std::vector<std::string> names;
  names.reserve(main.getBody().front().getOperations().size());
  std::string edges;
  for (Operation &op : main.getBody().front().without_terminator()) {
    if (isa<hg::WeightOp>(op))
      continue;
    names.push_back(hg::layerName(op.getLoc()));
    std::string kind = isa<hg::ActivationOp>(op) ? cast<hg::ActivationOp>(op).getFunction().str()
                                                 : op.getName().stripDialect().str();
    std::string &label = labels[names.back()];
    label = (label.empty() ? names.back() + "\\n" + kind : label.substr(0, label.rfind("\\n")) + "+" + kind) +
            "\\n" + shape(op.getResult(0));
    for (OpOperand &operand : op.getOpOperands())
      if (!operand.get().getDefiningOp<hg::WeightOp>() && nodeOf(operand.get()) != nodeOf(op.getResult(0)))
        edges += "  " + nodeOf(operand.get()) + " -> " + nodeOf(op.getResult(0)) +
                 (hg::isShapeOnly(operand) ? " [style=dotted]" : "") + ";\n";
  }
  std::string text = "digraph model {\n  node [shape=box, fontname=\"sans\"];\n";
  for (BlockArgument argument : main.getArguments())
    text += "  " + nodeOf(argument) + " [shape=ellipse, label=\"" + hg::layerName(argument.getLoc()) + "\\n" +
            shape(argument) + "\"];\n";
  for (auto &[name, label] : labels)
    text += "  \"" + name.str() + "\" [label=\"" + label + "\"];\n";
  return text + edges + "}\n";
}

} // namespace segc
