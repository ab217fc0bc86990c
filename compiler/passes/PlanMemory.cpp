/// \file Lowers @main to @run: every group becomes a launch on views of buffers, concats and interleavings
/// vanish.
// SPDX-License-Identifier: MIT
#include "compiler/analysis/GroupSpec.h"
#include "compiler/analysis/Placement.h"
#include "compiler/passes/Passes.h"
#include "compiler/passes/PlanPrepare.h"
#include "compiler/passes/PlanRunVectors.h"
#include "compiler/passes/PlanWindows.h"
#include "schedules/Family.h"
#include <numeric>

using namespace mlir;

namespace segc {
#define GEN_PASS_DEF_PLANMEMORY
#include "compiler/passes/Passes.h.inc"

namespace {

/// Emits the steps of one program.
class RunBuilder {
public:
  RunBuilder(func::FuncOp main, schedules::Isa target)
      : main(main), target(target), placement(main, table), b(main.getContext()), loc(main.getLoc()),
        vectors(main, b, table), precision(precisionOf(main)) {}

  LogicalResult run(ModuleOp module) {
    if (failed(placement.compute()))
      return failure();
    for (unsigned axis = 0; axis < 2; ++axis)
      zero[axis] = table.constant(0);
    b.setInsertionPointToEnd(module.getBody());
    auto program = plan::ProgramOp::create(b, loc, "run", b.getArrayAttr({}), b.getArrayAttr({}));
    b.setInsertionPointToStart(&program.getBody().emplaceBlock());
    makeBuffers();
    if (failed(importInputs()))
      return failure();
    VectorLowering lowering(b, target, [&](Value value, bool write, bool flat) -> FailureOr<Value> {
      if (!placement.hasPlace(value))
        return vectors.view(value, write, flat);
      if (write)
        border(placement.place(value));
      return view(value);
    });
    for (Operation &op : main.getBody().front().without_terminator()) {
      auto group = dyn_cast<hg::GroupOp>(op);
      bool onWeights = op.hasTrait<hg::OnWeights>() || isa<hg::StepSeedOp>(op);
      if (onWeights && vectors.isAlias(op))
        continue;
      if (failed(group ? launch(group) : onWeights ? lowering.lower(op) : copyParts(op)))
        return failure();
    }
    if (failed(exportOutputs()) || failed(copyResults(lowering)))
      return failure();
    // Sizes grow while steps are emitted: written last.
    program.setSizesAttr(plan::printSizes(b, table));
    program.setChecksAttr(plan::printChecks(b, table));
    setMaxExtents(program);
    program->setAttr("concats", b.getI64IntegerAttr(placement.concats));
    program->setAttr("concats_elided", b.getI64IntegerAttr(placement.concatsElided));
    return success();
  }

  const Placement &places() const { return placement; }

private:
  DenseI64ArrayAttr ids(ArrayRef<hg::Size> sizes) {
    SmallVector<int64_t> values(sizes.begin(), sizes.end());
    return b.getDenseI64ArrayAttr(values);
  }

  /// The largest extents of each input, where there are bounds: the arena is planned for them too.
  void setMaxExtents(plan::ProgramOp program) {
    SmallVector<Attribute> all;
    bool isBounded = false;
    for (BlockArgument argument : main.getArguments()) {
      if (main.getArgAttr(argument.getArgNumber(), "hourglass.prepared"))
        continue;
      auto most = main.getArgAttrOfType<DenseI64ArrayAttr>(argument.getArgNumber(), "hourglass.max");
      isBounded |= most != nullptr;
      all.push_back(most ? most : b.getDenseI64ArrayAttr({}));
    }
    if (isBounded)
      program->setAttr("max_extents", b.getArrayAttr(all));
  }

  void makeBuffers() {
    for (const BufferInfo &info : placement.buffers) {
      auto alloc =
          plan::AllocOp::create(b, loc, plan::BufferType::get(b.getContext()), info.name, info.element,
                                ids({info.n, info.h, info.w}), info.channels, info.apron, IntegerAttr());
      buffers.push_back(alloc.getBuffer());
      bordered.push_back(llvm::all_of(info.apron, [](int64_t pixels) { return pixels == 0; }));
    }
  }

  /// The tensor a view shows, at the model's own extents.
  plan::ViewType viewType(ArrayRef<hg::Size> dims, Type element) {
    std::vector<int64_t> values = table.evaluate();
    SmallVector<int64_t, 4> extents;
    for (hg::Size dim : dims)
      extents.push_back(values[dim] > 0 ? values[dim] : ShapedType::kDynamic);
    return plan::ViewType::get(b.getContext(), RankedTensorType::get(extents, element));
  }

  Value view(Value value, std::optional<Window> window = std::nullopt) {
    return view(placement.place(value), placement.shape(value), window);
  }

  Value view(const Place &place, const hg::Shape &shape, std::optional<Window> window) {
    const BufferInfo &info = placement.buffers[place.buffer];
    Window w = window.value_or(Window{shape.dims[2], shape.dims[3], zero[0], zero[1]});
    hg::Size y0 = table.plus(table.mul(w.y0, place.stepY), place.y0),
             x0 = table.plus(table.mul(w.x0, place.stepX), place.x0);
    auto type = viewType({shape.dims[0], shape.dims[1], w.h, w.w}, info.element);
    return plan::ViewOp::create(
        b, loc, type, buffers[place.buffer], place.channel, info.channels, ids({shape.dims[0], w.h, w.w}),
        ids({y0, x0}), b.getDenseI64ArrayAttr({place.stepY, place.stepX}), w.bounded, DenseI64ArrayAttr());
  }

  /// Is the value's `axis` of extent 1 repeated to that of `full`?
  bool isRepeated(Value value, Value full, unsigned axis) {
    auto small = cast<RankedTensorType>(value.getType()), large = cast<RankedTensorType>(full.getType());
    return table.constantValue(placement.shape(value).dims[axis]) == 1 ||
           (small.getDimSize(axis) == 1 && large.getDimSize(axis) != 1);
  }

  /// The value repeated along its axes of extent 1 to the extents of `full`.
  Value broadcastView(Value value, Value full) {
    Place place = placement.place(value);
    hg::Shape shape = placement.shape(value);
    for (unsigned axis : {0u, 2u, 3u}) {
      if (!isRepeated(value, full, axis))
        continue;
      shape.dims[axis] = placement.shape(full).dims[axis];
      if (axis)
        (axis == 2 ? place.stepY : place.stepX) = 0;
    }
    return view(place, shape, std::nullopt);
  }

  /// Distance of neighbouring pixels of the value, in elements.
  int pixelStride(Value value) {
    const Place &place = placement.place(value);
    return static_cast<int>(placement.buffers[place.buffer].channels * place.stepX);
  }

  /// Zeros into the apron before anything is written to the buffer.
  void border(const Place &place) {
    if (!bordered[place.buffer])
      plan::BorderOp::create(b, loc, buffers[place.buffer]);
    bordered[place.buffer] = true;
  }

  /// Views of the result: its place, or for what is stored straight away the caller's memory.
  LogicalResult launch(hg::GroupOp group) {
    if (!writesCallersMemory(group))
      return launchInto(group, Value());
    for (OpOperand &use : group.getOutputs()[0].getUses()) {
      if (!isa<func::ReturnOp>(use.getOwner()))
        return use.getOwner()->emitOpError("cannot read what is stored in the caller's memory");
      if (failed(launchInto(group, outputView(use.getOperandNumber()))))
        return failure();
    }
    return success();
  }

  LogicalResult launchInto(hg::GroupOp group, Value written) {
    loc = group.getLoc();
    auto kernel = describeGroup(group);
    if (failed(kernel))
      return failure();
    Value result = group.getOutputs()[0];
    SmallVector<Value> reads, shapes, writes;
    for (auto [index, read] : llvm::enumerate(kernel->reads)) {
      Value operand = group.getInputs()[read.operand];
      if (read.role != ReadRole::Activation) {
        auto vector = vectors.view(operand, /*write=*/false);
        if (failed(vector))
          return failure();
        reads.push_back(*vector);
        continue;
      }
      int stride = read.broadcast && isRepeated(operand, result, 3) ? 0 : pixelStride(operand);
      if (read.epilogue >= 0)
        kernel->spec.epilogues[read.epilogue].stride = stride;
      else if (!read.field.empty())
        kernel->spec.fields[read.field] = {stride};
      if (read.broadcast) {
        reads.push_back(broadcastView(operand, result));
        continue;
      }
      // A weight gradient's window is that of dy's pixels.
      bool isWeightGrad = isa<hg::ConvWeightGradOp>(kernel->anchor);
      hg::Shape pixels = placement.shape(isWeightGrad ? group.getInputs()[kernel->reads[1].operand] : result);
      if (pixels.dims.size() == 3) // classes have no channels
        pixels.dims.insert(pixels.dims.begin() + 1, table.constant(1));
      if (!kernel->spec.pooling().empty()) // 2x2 pixels for each of the result
        for (unsigned axis : {2u, 3u})
          pixels.dims[axis] = table.mul(pixels.dims[axis], 2);
      reads.push_back(view(operand, index == 0
                                        ? readWindow(table, kernel->anchor, placement.shape(operand), pixels)
                                        : std::nullopt));
    }
    for (unsigned operand : kernel->shapes)
      shapes.push_back(view(group.getInputs()[operand]));
    for (auto [index, output] : llvm::enumerate(group.getOutputs())) {
      if (written) {
        writes.push_back(written);
        continue;
      }
      if (!placement.hasPlace(output)) {
        auto vector = vectors.view(output, /*write=*/true);
        if (failed(vector))
          return failure();
        writes.push_back(*vector);
        continue;
      }
      border(placement.place(output));
      setWriteStride(kernel->spec, index, pixelStride(output));
      writes.push_back(view(output, index == 0 ? writeWindow(table, kernel->anchor, placement.shape(output))
                                               : std::nullopt));
      storePhases(*kernel, *group.getSchedule(), writes.back());
    }
    if (offsetOf({reads, writes}) % schedules::granuleOf(group.getSchedule()->str()))
      return group.emitOpError("internal: a tensor lies where its kernel cannot reach it");
    std::string label = hg::layerName(group.getLoc());
    auto op = plan::LaunchOp::create(b, loc, reads, shapes, writes, label, kernel->spec.print(),
                                     settled(kernel->spec, group.getSchedule()->str(), {reads, writes}),
                                     FlatSymbolRefAttr());
    for (const char *note : {"end", "choice", "not_on_tensor_cores"})
      if (Attribute text = group->getAttr(note))
        op->setAttr(note, text);
    return copyBody(group, *kernel, op);
  }

  /// Some schedules of dilated convolutions store the phases of their result as axes.
  void storePhases(const GroupKernel &kernel, StringRef schedule, Value written) {
    auto chosen = schedules::Schedule::parse(schedule.str());
    if (!std::holds_alternative<schedules::Schedule>(chosen))
      return;
    std::array<int, 2> phases = schedules::storedPhases(kernel.spec, std::get<schedules::Schedule>(chosen));
    if (phases[0] > 1 || phases[1] > 1)
      written.getDefiningOp<plan::ViewOp>().setPhases(ArrayRef<int64_t>{phases[0], phases[1]});
  }

  /// A common divisor of the channels at which the tensors begin in their buffers; 0: all at the first.
  static int64_t offsetOf(std::initializer_list<ValueRange> tensors) {
    int64_t offset = 0;
    for (ValueRange values : tensors)
      for (Value value : values)
        if (auto part = value.getDefiningOp<plan::ViewOp>())
          offset = std::gcd(offset, static_cast<int64_t>(part.getChannel()));
    return offset;
  }

  /// The schedule, as the channels at which the tensors begin in their buffers allow it.
  std::string settled(const schedules::KernelSpec &spec, const std::string &schedule,
                      std::initializer_list<ValueRange> tensors) {
    auto chosen = schedules::Schedule::parse(schedule);
    if (!schedules::isGpu(target) || !std::holds_alternative<schedules::Schedule>(chosen))
      return schedule;
    return schedules::settleSchedule(spec, std::get<schedules::Schedule>(chosen), target, offsetOf(tensors))
        .print();
  }

  /// The group's body on what the views show: a convolution's padding is inside its view.
  LogicalResult copyBody(hg::GroupOp group, const GroupKernel &kernel, plan::LaunchOp op) {
    OpBuilder::InsertionGuard guard(b);
    Block *body = b.createBlock(&op.getBody());
    IRMapping mapping;
    Block &source = group.getBody().front();
    auto addArgument = [&](unsigned operand, Value shown) {
      // What it means is a matter of the group, how it is stored one of the view.
      BlockArgument argument = source.getArgument(operand);
      auto type = cast<plan::ViewType>(shown.getType()).getTensor();
      auto element = cast<RankedTensorType>(argument.getType()).getElementType();
      mapping.map(argument, body->addArgument(type.clone(element), group.getLoc()));
    };
    for (auto [read, shown] : llvm::zip(kernel.reads, op.getReads()))
      addArgument(read.operand, shown);
    for (auto [operand, shown] : llvm::zip(kernel.shapes, op.getShapes()))
      addArgument(operand, shown);
    for (Operation &inner : source.without_terminator()) {
      Operation *copy = b.clone(inner, mapping);
      if (auto conv = dyn_cast<hg::ConvOp>(copy)) {
        conv.setPadding({0, 0, 0, 0});
        conv.setSame(false);
        conv.getLikeMutable().clear();
      } else if (auto grad = dyn_cast<hg::ConvWeightGradOp>(copy)) {
        grad.setPadding({0, 0, 0, 0});
        grad.setSame(false);
      } else if (auto crop = dyn_cast<hg::CropOp>(copy)) {
        copy->getResult(0).replaceAllUsesWith(crop.getX()); // the view is the crop
        mapping.map(inner.getResult(0), crop.getX());
        copy->erase();
        continue;
      } else if (auto broadcast = dyn_cast<hg::BroadcastOp>(copy); broadcast && !broadcast.repeatsChannel()) {
        mapping.map(inner.getResult(0), broadcast.getX()); // the view is the broadcast
        copy->erase();
        continue;
      }
      if (failed(hg::inferResultTypes(copy)))
        return failure();
    }
    SmallVector<Value> values;
    for (Value value : cast<hg::YieldOp>(source.getTerminator()).getValues())
      values.push_back(mapping.lookup(value));
    plan::YieldOp::create(b, loc, values);
    return success();
  }

  /// A launch that copies one view to another, converting layout or type.
  LogicalResult copy(Value from, Value to, const std::string &problem, const Twine &label) {
    auto spec = schedules::KernelSpec::parse(problem);
    if (auto *why = std::get_if<std::string>(&spec))
      return emitError(loc) << "internal: " << *why;
    auto choice = schedules::chooseSchedule(std::get<schedules::KernelSpec>(spec), target);
    if (auto *why = std::get_if<std::string>(&choice))
      return emitError(loc) << *why;
    auto op =
        plan::LaunchOp::create(b, loc, ValueRange{from}, ValueRange{}, ValueRange{to}, label.str(), problem,
                               settled(std::get<schedules::KernelSpec>(spec),
                                       std::get<schedules::Schedule>(choice).print(), {from, to}),
                               FlatSymbolRefAttr());
    OpBuilder::InsertionGuard guard(b);
    Block *body = b.createBlock(&op.getBody());
    Value value = body->addArgument(cast<plan::ViewType>(from.getType()).getTensor(), loc);
    plan::YieldOp::create(b, loc, value);
    return success();
  }

  LogicalResult copyParts(Operation &op) {
    loc = op.getLoc();
    for (const CopyInto &part : placement.copies) {
      if (part.user != &op)
        continue;
      border(part.to);
      int64_t c = *table.constantValue(placement.shape(part.value).dims[1]);
      int out = static_cast<int>(placement.buffers[part.to.buffer].channels * part.to.stepX);
      std::string problem = "pointwise c" + std::to_string(c) + " in" +
                            std::to_string(pixelStride(part.value)) + " out" + std::to_string(out) + " : " +
                            precision;
      if (failed(copy(view(part.value), view(part.to, placement.shape(part.value), std::nullopt), problem,
                      "copy into " + hg::layerName(op.getLoc()))))
        return failure();
    }
    return success();
  }

  static std::string dtypeName(Type type) {
    if (type.isF32())
      return "f32";
    return type.isUnsignedInteger(8) ? "u8"
           : type.isInteger(8)       ? "i8"
           : type.isInteger(32)      ? "i32"
           : type.isF16()            ? "f16"
                                     : "bf16";
  }

  LogicalResult importInputs() {
    unsigned index = 0;
    for (BlockArgument argument : main.getArguments()) {
      if (main.getArgAttr(argument.getArgNumber(), "hourglass.prepared"))
        continue;
      auto name = main.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "hourglass.name");
      auto dtype = main.getArgAttrOfType<TypeAttr>(argument.getArgNumber(), "hourglass.dtype");
      const hg::Shape &shape = placement.shape(argument);
      Type element = dtype ? dtype.getValue() : shape.element;
      SmallVector<hg::Size, 4> dims(shape.dims);
      if (main.getArgAttr(argument.getArgNumber(), "hourglass.rank3"))
        dims.erase(dims.begin() + 1); // a target without channels
      auto input = plan::InputOp::create(b, loc, viewType(dims, element), index++,
                                         name ? name.getValue() : "", ids(dims));
      for (StringRef key : {"hourglass.target", "hourglass.classes", "hourglass.ignore"})
        if (Attribute attribute = main.getArgAttr(argument.getArgNumber(), key))
          input->setAttr(key, attribute);
      border(placement.place(argument));
      int64_t c = *table.constantValue(shape.dims[1]);
      std::string problem = "import c" + std::to_string(c) + " out" + std::to_string(pixelStride(argument)) +
                            " from=" + dtypeName(element) + " : " + dtypeName(storedType(argument));
      if (failed(copy(input, view(argument), problem,
                      "import " + (name ? name.getValue() : StringRef("input")))))
        return failure();
    }
    return success();
  }

  Value outputView(unsigned index) {
    auto ret = cast<func::ReturnOp>(main.getBody().front().getTerminator());
    const hg::Shape &shape = placement.shape(ret.getOperand(index));
    auto name = main.getResultAttrOfType<StringAttr>(index, "hourglass.name");
    // Gradients of weights, statistics and losses are no tensors of the caller.
    unsigned position = 0;
    for (unsigned before = 0; before < index; ++before)
      position += !main.getResultAttr(before, "hourglass.gradient") &&
                  !main.getResultAttr(before, "hourglass.running") &&
                  !ret.getOperand(before).getDefiningOp<hg::TotalLossOp>();
    return plan::OutputOp::create(b, loc, viewType(shape.dims, shape.element), position,
                                  name ? name.getValue() : "", ids(shape.dims));
  }

  LogicalResult exportOutputs() {
    auto ret = cast<func::ReturnOp>(main.getBody().front().getTerminator());
    loc = ret.getLoc();
    for (auto [index, value] : llvm::enumerate(ret.getOperands())) {
      if (!placement.hasPlace(value))
        continue; // written by its kernel, or no tensor of the caller's
      int64_t c = *table.constantValue(placement.shape(value).dims[1]);
      std::string problem = "export c" + std::to_string(c) + " in" + std::to_string(pixelStride(value)) +
                            " to=f32 : " + precision;
      auto name = main.getResultAttrOfType<StringAttr>(index, "hourglass.name");
      if (failed(copy(view(value), outputView(index), problem,
                      "export " + (name ? name.getValue() : StringRef("output")))))
        return failure();
    }
    return success();
  }

  /// Gradients that several readers share, or two weights have, are copied to where the caller finds them.
  LogicalResult copyResults(VectorLowering &lowering) {
    schedules::KernelSpec spec;
    spec.op = "copy_vector";
    for (auto [value, target] : vectors.copies()) {
      auto from = vectors.view(value, /*write=*/false, /*flat=*/true);
      if (failed(from) || failed(copy(*from, target, spec.print(), "copy of a gradient")))
        return failure();
    }
    return success();
  }

  func::FuncOp main;
  schedules::Isa target;
  hg::SizeTable table;
  Placement placement;
  OpBuilder b;
  Location loc;
  RunVectors vectors;
  const std::string precision;
  hg::Size zero[2];
  SmallVector<Value> buffers;
  SmallVector<bool> bordered;
};

struct PlanMemoryPass : impl::PlanMemoryBase<PlanMemoryPass> {
  using PlanMemoryBase::PlanMemoryBase;

  void runOnOperation() override {
    auto main = getOperation().lookupSymbol<func::FuncOp>("main");
    auto prepare = getOperation().lookupSymbol<func::FuncOp>("prepare");
    auto parsed = schedules::parseIsa(instructionSet);
    if (!main || !prepare || !parsed) {
      getOperation().emitError(
          "plan-memory needs @main, @prepare (hg-hoist-weights) and a known instruction set");
      return signalPassFailure();
    }
    RunBuilder run(main, *parsed);
    if (failed(planPrepare(prepare, getOperation(), *parsed)) || failed(run.run(getOperation())))
      return signalPassFailure();
    elided = run.places().elided;
    copied = run.places().copies.size();
    inPlace = run.places().inPlace;
    main.erase();
    prepare.erase();
  }
};

} // namespace
} // namespace segc
