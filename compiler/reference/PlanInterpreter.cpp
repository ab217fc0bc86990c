/// \file The arena with its bookkeeping of written bytes, and the programs on it.
// SPDX-License-Identifier: MIT
#include "compiler/reference/PlanInterpreter.h"
#include "dialects/plan/Plan.h"
#include "mlir/IR/BuiltinOps.h"
#include <algorithm>
#include <map>

using namespace mlir;

namespace segc::reference {
namespace {

/// Elements by the byte they start at; remembers which are whole, and for which buffer they were written.
class Arena {
public:
  explicit Arena(int64_t bytes) : values(bytes), sizes(bytes, 0), owners(bytes, nullptr) {}

  void write(Operation *buffer, int64_t byte, int64_t size, double value) {
    constexpr int64_t kWidest = 8;
    for (int64_t before = std::max<int64_t>(0, byte - kWidest + 1); before < byte; ++before)
      if (before + sizes[before] > byte) // a wider element that reaches into this one
        sizes[before] = 0;
    forget(byte, size);
    values[byte] = value;
    sizes[byte] = static_cast<uint8_t>(size);
    owners[byte] = buffer;
  }
  /// Nothing where no whole element of this size was written for this buffer.
  const double *read(Operation *buffer, int64_t byte, int64_t size) const {
    return sizes[byte] == size && owners[byte] == buffer ? &values[byte] : nullptr;
  }
  void forget(int64_t byte, int64_t count) { std::fill_n(sizes.begin() + byte, count, 0); }

private:
  std::vector<double> values;
  std::vector<uint8_t> sizes; ///< of the element that starts here, 0 if none
  std::vector<Operation *> owners;
};

/// One program over given extents.
class ProgramRunner {
public:
  ProgramRunner(plan::ProgramOp program, ArrayRef<Tensor> inputs, std::map<int64_t, Tensor> &prepared,
                Interpreter &interpreter, const Interpreter::Weights &weights,
                const Interpreter::Observer &observer, bool rounds)
      : program(program), inputs(inputs), prepared(prepared), interpreter(interpreter), weights(weights),
        observer(observer), rounds(rounds), arena(0) {}

  LogicalResult run() {
    if (failed(evaluateSizes()) || failed(placeBuffers()))
      return failure();
    SmallVector<plan::Lifetime> lives = plan::lifetimes(program);
    for (auto [index, step] : llvm::enumerate(plan::steps(program))) {
      auto border = dyn_cast<plan::BorderOp>(step);
      if (failed(border ? writeBorder(border) : launch(cast<plan::LaunchOp>(step))))
        return failure();
      for (plan::Lifetime &life : lives)
        if (life.used && life.last == index)
          arena.forget(offsets[life.alloc], plan::bufferBytes(life.alloc, sizes));
    }
    return success();
  }

  std::map<int64_t, Tensor> outputs;
  NamedTensors named;

private:
  LogicalResult evaluateSizes() {
    auto table = plan::parseSizes(program.getSizes());
    auto checks = plan::parseChecks(program.getChecks());
    if (failed(table) || failed(checks))
      return program.emitOpError("sizes or checks are malformed");
    std::vector<SmallVector<int64_t, 4>> symbols;
    for (const Tensor &input : inputs)
      symbols.emplace_back(input.shape.begin(), input.shape.end());
    sizes = table->evaluate(symbols);
    defaults = sizes == table->evaluate();
    for (const hg::SizeTable::Requirement &check : *checks)
      if (check.equal ? sizes[check.a] != sizes[check.b] : sizes[check.a] < check.least)
        return program.emitOpError("cannot run on these extents: ") << check.message;
    return success();
  }

  LogicalResult placeBuffers() {
    auto allocs = program.getBody().front().getOps<plan::AllocOp>();
    bool planned =
        defaults && llvm::all_of(allocs, [](plan::AllocOp op) { return op.getOffset().has_value(); });
    int64_t end = 0;
    for (plan::AllocOp alloc : allocs) {
      int64_t bytes = plan::bufferBytes(alloc, sizes);
      if (bytes < 0)
        return alloc.emitOpError("has an unknown or empty extent");
      offsets[alloc] = planned ? static_cast<int64_t>(*alloc.getOffset()) : end;
      if (offsets[alloc] < 0)
        return alloc.emitOpError("has a negative offset");
      end = std::max(end, offsets[alloc] + bytes);
    }
    arena = Arena(end);
    return success();
  }

  /// The byte at which channel 0 of pixel (y, x) of image n lies; negative pixels lie in the apron.
  int64_t byteOf(plan::AllocOp alloc, int64_t n, int64_t y, int64_t x) {
    ArrayRef<int64_t> apron = alloc.getApron();
    int64_t rows = sizes[alloc.getExtents()[1]] + apron[0] + apron[2];
    int64_t columns = sizes[alloc.getExtents()[2]] + apron[1] + apron[3];
    return offsets[alloc] + ((n * rows + y + apron[0]) * columns + x + apron[1]) *
                                static_cast<int64_t>(alloc.getChannels()) *
                                plan::elementBytes(alloc.getElement());
  }

  LogicalResult writeBorder(plan::BorderOp border) {
    auto alloc = border.getBuffer().getDefiningOp<plan::AllocOp>();
    ArrayRef<int64_t> apron = alloc.getApron();
    int64_t h = sizes[alloc.getExtents()[1]], w = sizes[alloc.getExtents()[2]],
            size = plan::elementBytes(alloc.getElement());
    for (int64_t n = 0; n < sizes[alloc.getExtents()[0]]; ++n)
      for (int64_t y = -apron[0]; y < h + apron[2]; ++y)
        for (int64_t x = -apron[1]; x < w + apron[3]; ++x)
          if (y < 0 || y >= h || x < 0 || x >= w)
            for (int64_t c = 0; c < static_cast<int64_t>(alloc.getChannels()); ++c)
              arena.write(alloc, byteOf(alloc, n, y, x) + c * size, size, 0);
    return success();
  }

  Extents extentsOf(plan::ViewOp view) {
    Extents extents;
    for (int64_t extent : view.getExtents())
      extents.push_back(sizes[extent]);
    auto tensor = cast<plan::ViewType>(view.getView().getType()).getTensor();
    extents.insert(extents.begin() + 1, tensor.getRank() == 4 ? tensor.getDimSize(1) : 1);
    return extents;
  }

  /// Calls `element(index in the tensor, byte)` for all elements of a view; fails where one lies outside the
  /// buffer and its `apron` (0 or 1 times it) or `element` does.
  template <typename ElementT>
  LogicalResult forEachElement(Operation *step, plan::ViewOp view, int64_t apronFactor, ElementT element) {
    auto alloc = view.getBuffer().getDefiningOp<plan::AllocOp>();
    Extents extents = extentsOf(view);
    int64_t size = plan::elementBytes(alloc.getElement()), origin[2], buffer[3];
    for (unsigned axis = 0; axis < 3; ++axis)
      buffer[axis] = sizes[alloc.getExtents()[axis]];
    for (unsigned axis = 0; axis < 2; ++axis) {
      origin[axis] = view.getBounded() ? 0 : sizes[view.getOrigin()[axis]];
      int64_t last = origin[axis] + (extents[2 + axis] - 1) * view.getStep()[axis];
      if (extents[2 + axis] < 1 || (extents[0] > buffer[0] && buffer[0] != 1) ||
          origin[axis] < -apronFactor * alloc.getApron()[axis] ||
          last >= buffer[1 + axis] + apronFactor * alloc.getApron()[axis + 2])
        return step->emitOpError("has a view that leaves buffer ") << alloc.getName();
    }
    int64_t index = 0;
    for (int64_t n = 0; n < extents[0]; ++n)
      for (int64_t c = 0; c < extents[1]; ++c)
        for (int64_t y = 0; y < extents[2]; ++y)
          for (int64_t x = 0; x < extents[3]; ++x) {
            int64_t byte = byteOf(alloc, std::min(n, buffer[0] - 1), origin[0] + y * view.getStep()[0],
                                  origin[1] + x * view.getStep()[1]);
            if (!element(index++, byte + (static_cast<int64_t>(view.getChannel()) + c) * size, size))
              return step->emitOpError("reads what no step wrote: buffer ")
                     << alloc.getName() << ", image " << n << ", channel " << c << ", pixel " << y << ", "
                     << x << " of the view";
          }
    return success();
  }

  FailureOr<Tensor> read(Operation *step, Value value) {
    Operation *source = value.getDefiningOp();
    if (auto input = dyn_cast<plan::InputOp>(source)) {
      if (input.getIndex() < inputs.size())
        return inputs[input.getIndex()];
      return input.emitOpError("has no tensor to show");
    }
    if (auto slot = dyn_cast<plan::PreparedOp>(source)) {
      auto found = prepared.find(slot.getIndex());
      if (found == prepared.end())
        return step->emitOpError("reads prepared slot ") << slot.getIndex() << " before it is written";
      return found->second;
    }
    if (auto weight = dyn_cast<plan::WeightOp>(source)) {
      if (!weights)
        return weight.emitOpError("needs a provider of weights");
      auto tensor = weights(weight.getName(), cast<plan::ViewType>(value.getType()).getTensor().getShape());
      if (failed(tensor))
        return failure();
      if (weight.getPadded())
        return packed(std::move(*tensor));
      return weight.getFirst() ? fromTap(*tensor, *weight.getFirst()) : std::move(*tensor);
    }
    if (isa<plan::SeedOp>(source))
      return interpreter.seedTensor();
    if (isa<plan::HyperOp>(source)) // of a program that computes gradients: their scale, here always 1
      return Tensor(cast<plan::ViewType>(value.getType()).getTensor().getShape(), 1.0);
    if (auto dense = dyn_cast<plan::DenseOp>(source)) {
      auto tensor = readDense(step, dense);
      return failed(tensor) || !dense.getFirst() ? std::move(tensor) : fromTap(*tensor, *dense.getFirst());
    }
    auto view = dyn_cast<plan::ViewOp>(source);
    if (!view)
      return step->emitOpError("reads what cannot be read");
    Tensor tensor(extentsOf(view));
    if (failed(forEachElement(step, view, 1, [&](int64_t index, int64_t byte, int64_t size) {
          const double *element = arena.read(view.getBuffer().getDefiningOp(), byte, size);
          tensor.data[index] = element ? *element : 0;
          return element != nullptr;
        })))
      return failure();
    return tensor;
  }

  /// A vector as kernels see it: padded, so that the body unpacks it.
  static Tensor packed(Tensor vector) {
    Tensor box;
    constexpr int64_t kPadding = 64;
    box.shape = {(vector.shape[0] + kPadding - 1) / kPadding * kPadding};
    box.logical = std::make_shared<const Tensor>(std::move(vector));
    return box;
  }

  /// A filter whose tap `first` (row, column) is its first; zeros follow its last one.
  static Tensor fromTap(const Tensor &filter, ArrayRef<int64_t> first) {
    Tensor result(filter.shape, 0.0);
    const int64_t rows = filter.shape[2], columns = filter.shape[3];
    for (int64_t i = 0; i < static_cast<int64_t>(filter.data.size()); ++i) {
      int64_t row = i / columns % rows + first[0], column = i % columns + first[1];
      if (row < rows && column < columns)
        result.data[i] = filter.data[i + first[0] * columns + first[1]];
    }
    return result;
  }

  /// Calls `element(index, byte, size)` for all elements of a dense tensor.
  template <typename ElementT> bool forEachElement(plan::DenseOp dense, ElementT element) {
    auto alloc = dense.getBuffer().getDefiningOp<plan::AllocOp>();
    RankedTensorType type = dense.getView().getType().getTensor();
    int64_t size = plan::elementBytes(type.getElementType());
    for (int64_t i = 0; i < type.getNumElements(); ++i)
      if (!element(i, offsets[alloc] + i * size, size))
        return false;
    return true;
  }

  /// What is packed has no elements that could lie in the arena: its bytes are only marked.
  FailureOr<Tensor> readDense(Operation *step, plan::DenseOp dense) {
    auto alloc = dense.getBuffer().getDefiningOp<plan::AllocOp>();
    RankedTensorType type = dense.getView().getType().getTensor();
    Tensor tensor(type.getShape());
    bool whole = forEachElement(dense, [&](int64_t index, int64_t byte, int64_t size) {
      const double *element = arena.read(alloc, byte, size);
      tensor.data[index] = element ? *element : 0;
      return element != nullptr;
    });
    if (!whole)
      return step->emitOpError("reads what no step wrote: buffer ") << alloc.getName();
    auto box = boxes.find(alloc);
    if (box != boxes.end())
      return box->second;
    return dense.getPadded() ? packed(std::move(tensor)) : tensor;
  }

  LogicalResult writeDense(plan::DenseOp dense, const Tensor &tensor) {
    auto alloc = dense.getBuffer().getDefiningOp<plan::AllocOp>();
    if (tensor.isPacked())
      boxes[alloc] = tensor;
    forEachElement(dense, [&](int64_t index, int64_t byte, int64_t size) {
      arena.write(alloc, byte, size, tensor.isPacked() ? 0 : tensor.data[index]);
      return true;
    });
    return success();
  }

  LogicalResult write(Operation *step, Value value, const Tensor &tensor) {
    Operation *target = value.getDefiningOp();
    RankedTensorType shown = cast<plan::ViewType>(value.getType()).getTensor();
    if (!isa<plan::ViewOp, plan::OutputOp>(target) && !tensor.isPacked() &&
        ArrayRef<int64_t>(tensor.shape) != shown.getShape())
      return step->emitOpError("writes a tensor of other extents than ") << shown;
    if (auto gradient = dyn_cast<plan::GradientOp>(target)) {
      named["gradient " + gradient.getName().str()] = tensor;
      return success();
    }
    if (auto weight = dyn_cast<plan::WeightOp>(target)) {
      named["weight " + weight.getName().str()] = tensor;
      return success();
    }
    if (isa<plan::LossesOp>(target)) {
      named["losses"] = tensor;
      return success();
    }
    if (auto dense = dyn_cast<plan::DenseOp>(target))
      return writeDense(dense, tensor);
    if (auto slot = dyn_cast<plan::PreparedOp>(target)) {
      prepared[slot.getIndex()] = tensor;
      return success();
    }
    if (auto output = dyn_cast<plan::OutputOp>(target)) {
      outputs[output.getIndex()] = tensor;
      return success();
    }
    auto view = dyn_cast<plan::ViewOp>(target);
    if (!view || extentsOf(view) != tensor.shape)
      return step->emitOpError("writes a view of other extents than its result");
    auto alloc = view.getBuffer().getDefiningOp<plan::AllocOp>();
    return forEachElement(step, view, 0, [&](int64_t index, int64_t byte, int64_t size) {
      arena.write(alloc, byte, size, stored(tensor.data[index], alloc.getElement()));
      return true;
    });
  }

  /// Rounded to the buffer's type, to the nearest, ties to even.
  double stored(double value, Type element) const {
    auto narrow = dyn_cast<FloatType>(element);
    if (!rounds || !narrow || narrow.getWidth() != 16)
      return value;
    APFloat rounded(value);
    bool losesInfo;
    rounded.convert(narrow.getFloatSemantics(), APFloat::rmNearestTiesToEven, &losesInfo);
    return rounded.convertToDouble();
  }

  LogicalResult launch(plan::LaunchOp op) {
    Region *body = &op.getBody();
    if (auto symbol = op.getKernelAttr()) {
      auto kernel = SymbolTable::lookupNearestSymbolFrom<plan::KernelOp>(op, symbol);
      if (!kernel)
        return op.emitOpError("launches an unknown kernel");
      body = &kernel.getBody();
    }
    std::vector<Tensor> arguments;
    for (Value value : op.getReads()) {
      auto tensor = read(op, value);
      if (failed(tensor))
        return failure();
      arguments.push_back(std::move(*tensor));
    }
    for (Value value : op.getShapes()) {
      auto view = value.getDefiningOp<plan::ViewOp>();
      if (!view)
        return op.emitOpError("takes the shape of what is no view");
      arguments.emplace_back(extentsOf(view));
    }
    auto results = interpreter.runBlock(body->front(), arguments);
    if (failed(results))
      return failure();
    for (auto [value, tensor] : llvm::zip(op.getWrites(), *results))
      if (failed(write(op, value, tensor)))
        return failure();
    if (observer)
      observer(op, *results);
    return success();
  }

  plan::ProgramOp program;
  ArrayRef<Tensor> inputs;
  std::map<int64_t, Tensor> &prepared;
  Interpreter &interpreter;
  const Interpreter::Weights &weights;
  const Interpreter::Observer &observer;
  const bool rounds;
  std::vector<int64_t> sizes;
  bool defaults = true;
  DenseMap<Operation *, int64_t> offsets;
  DenseMap<Operation *, Tensor> boxes; ///< packed tensors, by their buffer
  Arena arena;
};

} // namespace

FailureOr<std::vector<Tensor>> runPlan(ModuleOp module, ArrayRef<Tensor> inputs, Interpreter::Weights weights,
                                       Interpreter::Observer watcher, NamedTensors *named,
                                       std::optional<Narrowing> narrowing) {
  Interpreter interpreter(weights, watcher);
  if (narrowing)
    interpreter.disturb(narrowing->convolutions, narrowing->seed);
  bool rounds = narrowing.has_value();
  interpreter.allowOtherExtents();
  std::map<int64_t, Tensor> prepared;
  std::vector<Tensor> results;
  auto main = module.lookupSymbol<plan::ProgramOp>("run");
  if (!main)
    return module.emitError("has no program @run");
  if (auto prepare = module.lookupSymbol<plan::ProgramOp>("prepare"))
    if (failed(ProgramRunner(prepare, {}, prepared, interpreter, weights, watcher, rounds).run()))
      return failure();
  ProgramRunner runner(main, inputs, prepared, interpreter, weights, watcher, rounds);
  if (failed(runner.run()))
    return failure();
  if (named)
    *named = std::move(runner.named);
  for (auto &[index, tensor] : runner.outputs) {
    if (index != static_cast<int64_t>(results.size()))
      return main.emitOpError("never writes output ") << results.size();
    results.push_back(std::move(tensor));
  }
  return results;
}

} // namespace segc::reference
