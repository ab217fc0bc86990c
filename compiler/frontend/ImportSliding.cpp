/// \file The sliding_window layer: its fields, its classifier, and which way it is computed.
///
/// The classifier is imported for one window first, which says whether it fits and what its layers are. Then
/// its ops are put into @main as one pass over the image, or, where a layer does not allow that, on a batch
/// of all windows.
// SPDX-License-Identifier: MIT
#include "compiler/frontend/Fields.h"
#include "compiler/frontend/Importer.h"
#include "compiler/frontend/OnePass.h"

using namespace mlir;

namespace segc {

static llvm::FailureOr<SlidingWindow> readWindow(Fields &fields) {
  constexpr int64_t kLargest = 1 << 16;
  auto kernel = fields.getPair("window", std::nullopt, 1, kLargest);
  auto stride = fields.getPair("stride", Fields::Pair{1, 1}, 1, kLargest);
  auto border = fields.getString("border", "window", {"window", "image"});
  if (failed(kernel) || failed(stride) || failed(border))
    return failure();
  SlidingWindow window{*kernel, *stride, {0, 0, 0, 0}, *border == "image"};
  const segc::Value *padding = fields.value("padding");
  bool centred = padding && padding->isString() && padding->text == "center";
  if (padding && !centred && !(padding->kind == segc::Value::Int && padding->integer == 0))
    return fields.error("padding", "\"padding\" must be 0 or \"center\", not " + padding->describe());
  for (unsigned axis = 0; centred && axis < 2; ++axis) {
    window.padding[axis] = (window.kernel[axis] - 1) / 2;
    window.padding[axis + 2] = window.kernel[axis] - 1 - window.padding[axis];
  }
  if (failed(fields.finish()))
    return failure();
  return window;
}

/// A function that classifies one window of `channels` channels; its layers are imported next.
void Importer::startBody(int64_t channels, ArrayRef<int64_t> kernel, llvm::SMLoc loc) {
  module = ModuleOp::create(location(loc, ""));
  b.setInsertionPointToEnd(module->getBody());
  Type type = RankedTensorType::get({1, channels, kernel[0], kernel[1]}, b.getF32Type());
  main = func::FuncOp::create(b, location(loc, ""), "window", b.getFunctionType(type, {}));
  Block *block = main.addEntryBlock();
  b.setInsertionPointToStart(block);
  values["$in"] = block->getArgument(0);
}

/// Those of the layers around a body are copied into it.
mlir::Value Importer::knownWeight(StringRef name) {
  if (auto found = weights.find(name); found != weights.end())
    return found->second;
  mlir::Value outside = outer ? outer->knownWeight(name) : mlir::Value();
  if (outside)
    weights[name] = outside = b.clone(*outside.getDefiningOp())->getResult(0);
  return outside;
}

/// Removes what the body's result does not need: layers without readers, tensors of such.
static void eraseUnused(func::FuncOp body) {
  SmallVector<Operation *> ops;
  for (Operation &op : body.getBody().front().without_terminator())
    ops.push_back(&op);
  for (Operation *op : llvm::reverse(ops))
    if (op->use_empty())
      op->erase();
}

/// The body's tensors in @main, made now if no layer before has them.
void Importer::adoptWeights(func::FuncOp body, IRMapping &mapping) {
  for (hg::WeightOp weight : body.getOps<hg::WeightOp>()) {
    mlir::Value &known = weights[weight.getName()];
    if (!known)
      known = cast<hg::WeightOp>(b.clone(*weight)).getValue();
    mapping.map(weight.getValue(), known);
  }
}

/// The classifier on the batch of all windows.
mlir::Value Importer::importEachWindow(const SlidingWindow &window, func::FuncOp body, Location loc,
                                       mlir::Value image, IRMapping &mapping) {
  auto kernel = b.getDenseI64ArrayAttr(window.kernel), stride = b.getDenseI64ArrayAttr(window.stride),
       padding = b.getDenseI64ArrayAttr(window.padding);
  auto windows = hg::createInferred<hg::WindowsOp>(b, loc, image.getType(), image, kernel, stride, padding);
  if (!windows)
    return {};
  Block &block = body.getBody().front();
  mapping.map(block.getArgument(0), windows.getY());
  for (Operation &op : block.without_terminator())
    if (!isa<hg::WeightOp>(op))
      if (failed(hg::inferResultTypes(b.clone(op, mapping))))
        return {};
  auto like = hg::createInferred<hg::PositionsOp>(b, loc, image.getType(), image, kernel, stride, padding);
  if (!like)
    return {};
  mlir::Value each = mapping.lookup(block.getTerminator()->getOperand(0));
  auto one = b.getDenseI64ArrayAttr({1, 1});
  auto result = hg::createInferred<hg::WindowsTransposeOp>(b, loc, each.getType(), each, like.getY(), one,
                                                           one, b.getDenseI64ArrayAttr({0, 0, 0, 0}));
  return result ? result.getY() : mlir::Value();
}

bool Importer::importSlidingWindow(const Layer &layer) {
  Fields fields(layer, diagnostics);
  auto window = readWindow(fields);
  if (failed(window))
    return false;
  if (layer.body.empty())
    return succeeded(fields.error("", "sliding_window needs \"layers\""));
  if (layer.inputs.size() != 1)
    return succeeded(fields.error("", "sliding_window takes 1 input(s), not " + Twine(layer.inputs.size())));
  mlir::Value image = values.lookup(layer.inputs[0]);
  auto type = cast<RankedTensorType>(image.getType());
  if (type.getRank() != 4)
    return succeeded(fields.error("", "needs an input of rank 4"));
  for (unsigned axis = 0; axis < 2; ++axis)
    if (!type.isDynamicDim(2 + axis) &&
        type.getDimSize(2 + axis) + window->padding[axis] + window->padding[axis + 2] < window->kernel[axis])
      return succeeded(fields.error("window", Twine("the window's ") + (axis ? "width" : "height") + " of " +
                                                  Twine(window->kernel[axis]) + " is more than the image's " +
                                                  Twine(type.getDimSize(2 + axis))));

  Importer classifier(*b.getContext(), diagnostics, model, options);
  classifier.outer = this;
  classifier.startBody(type.getDimSize(1), window->kernel, layer.loc);
  for (const Layer &inner : layer.body)
    if (!classifier.importLayer(inner))
      return false;
  mlir::Value result = classifier.values.lookup(layer.body.back().name);
  auto shape = cast<RankedTensorType>(result.getType()).getShape();
  if (shape.size() != 4 || shape[0] != 1 || shape[2] != 1 || shape[3] != 1) {
    std::string text;
    for (int64_t extent : shape)
      text += (text.empty() ? "" : ", ") + std::to_string(extent);
    return succeeded(fields.error("", "its layers must make [1, classes, 1, 1] of one window, not [" + text +
                                          "]; end with a dense layer or a global_avgpool"));
  }
  func::ReturnOp::create(classifier.b, location(layer.loc, ""), result);
  IRMapping mapping;
  adoptWeights(classifier.main, mapping);
  eraseUnused(classifier.main);
  OnePass pass(*window, classifier.main, options.training);
  Location loc = location(layer.loc, layer.name);
  if (const auto &obstacle = pass.obstacle()) {
    std::string name = hg::layerName(obstacle->op->getLoc());
    std::string why = "layer " + quote(name) + " (" + obstacle->op->getName().stripDialect().str() +
                      ") does not allow one pass over the image: " + obstacle->why;
    if (window->imageBorder && pass.pads())
      return succeeded(fields.error("border", why + "; use \"border\": \"window\""));
    diagnostics.warning(layer.loc, why + "; every window is computed by itself", layer.name);
    values[layer.name] = importEachWindow(*window, classifier.main, loc, image, mapping);
  } else {
    values[layer.name] = pass.emit(b, loc, image, mapping);
  }
  return values[layer.name] != nullptr;
}

} // namespace segc
