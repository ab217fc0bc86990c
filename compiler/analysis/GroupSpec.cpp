/// \file Describes groups as kernels; the table of which op has which fields is docs/kernels.md.
// SPDX-License-Identifier: MIT
#include "compiler/analysis/GroupSpec.h"
#include "compiler/analysis/VectorSpec.h"
#include "dialects/hourglass/Activation.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace segc {
namespace {

int64_t channelsOf(Value value) { return cast<RankedTensorType>(value.getType()).getDimSize(1); }

std::vector<int> pairOf(ArrayRef<int64_t> values) {
  return {static_cast<int>(values[0]), static_cast<int>(values[1])};
}

class Describer {
public:
  explicit Describer(hg::GroupOp group) : group(group) {}

  FailureOr<GroupKernel> run() {
    for (Operation &op : group.getBody().front().without_terminator()) {
      if (isa<hg::UnpackOp, hg::PackOp, hg::PhaseOp, hg::PhaseWeightOp>(op) || isBroadcastOperand(op) ||
          isScaledRead(op))
        continue;
      if (auto second = dyn_cast<hg::ConvOp>(op); second && kernel.anchor) {
        afterDepthwise = false;
        if (failed(readWeights(second)))
          return failure();
      } else if (!kernel.anchor) {
        kernel.anchor = &op;
        if (failed(addAnchor(op)))
          return failure();
      } else if (failed(addEpilogue(op))) {
        return failure();
      }
      chain = op.getResult(0);
    }
    if (!kernel.anchor)
      return group.emitOpError("computes nothing"), failure();
    kernel.spec.dtype = staysWide(group.getOutputs()[0]) ? "f32" : precisionOf(group);
    kernel.spec.tf32 = precisionName(group) == "tf32";
    kernel.spec.sm90a = hasSm90a(group);
    if (failed(checkWideReads()))
      return failure();
    for (unsigned i = 0; i < group->getNumOperands(); ++i)
      if (llvm::none_of(kernel.reads, [&](const GroupRead &read) { return read.operand == i; }))
        kernel.shapes.push_back(i);
    return kernel;
  }

private:
  /// What stays f32 is read by kernels of f32, by losses behind their input, and by epilogues that say so.
  LogicalResult checkWideReads() {
    if (kernel.spec.dtype == "f32")
      return success();
    bool isLoss = isa<hg::LossSumsOp, hg::LossGradOp>(kernel.anchor);
    for (auto [index, read] : llvm::enumerate(kernel.reads)) {
      bool isKnown =
          (isLoss && index > 0) || (read.epilogue >= 0 && kernel.spec.epilogues[read.epilogue].wide);
      if (read.role == ReadRole::Activation && !isKnown && staysWide(group.getInputs()[read.operand]))
        return group.emitOpError("internal: operand ")
               << read.operand << " stays f32, which a kernel of " << kernel.spec.dtype << " cannot read";
    }
    return success();
  }

  /// A broadcast inside the body is the way in which the op behind it reads an operand.
  static bool isBroadcastOperand(Operation &op) {
    return isa<hg::BroadcastOp>(op) && !isa<hg::YieldOp>(*op.getUsers().begin());
  }

  /// A product in front of a convolution is how this reads its operand.
  static bool isScaledRead(Operation &op) {
    return isa<hg::MulOp>(op) && op.hasOneUse() && isa<hg::ConvOp>(*op.user_begin());
  }

  /// A convolution's weights, the `factors` it multiplies by when it reads, and its bias as the first
  /// epilogue.
  LogicalResult readWeights(hg::ConvOp conv, Value factors = Value()) {
    if (failed(read(conv.getWeight(), ReadRole::Weight)) ||
        (factors && failed(read(factors, ReadRole::Activation))))
      return failure();
    if (!conv.getBias())
      return success();
    kernel.spec.epilogues.push_back({"bias"});
    return read(conv.getBias(), ReadRole::Vector);
  }

  /// The 1x1 convolution behind a depthwise one, if the body has one.
  hg::ConvOp secondConvolution(hg::ConvOp first) {
    for (auto conv : group.getBody().front().getOps<hg::ConvOp>())
      if (conv != first)
        return conv;
    return {};
  }

  LogicalResult addConvolution(hg::ConvOp conv) {
    hg::ConvOp second = secondConvolution(conv);
    if (second && (!conv.getBias() || conv.getGroups() != channelsOf(conv.getY())))
      return second.emitOpError("has no kernel: only a depthwise convolution shares one with the next");
    int64_t k = channelsOf((second ? second : conv).getY());
    kernel.spec.op = second ? "separable" : "conv";
    set("k", k);
    set("out", k);
    setPair("r", cast<RankedTensorType>(conv.getWeight().getType()).getShape().drop_front(2));
    setPair("s", conv.getStride());
    setPair("d", conv.getDilation());
    if (second) {
      kernel.spec.words["mid"] = "none";
      afterDepthwise = true;
      return success(succeeded(readPixels(conv.getX(), "in")) &&
                     succeeded(read(conv.getWeight(), ReadRole::Weight)) &&
                     succeeded(read(conv.getBias(), ReadRole::Vector)));
    }
    set("g", conv.getGroups());
    auto product = conv.getX().getDefiningOp<hg::MulOp>();
    if (product)
      kernel.spec.words["read"] = "scaled";
    return success(succeeded(readPixels(product ? product.getA() : conv.getX(), "in")) &&
                   succeeded(readWeights(conv, product ? product.getB() : Value())));
  }

  /// The group operand behind a value of the body.
  FailureOr<unsigned> operandOf(Value value) {
    if (auto broadcast = value.getDefiningOp<hg::BroadcastOp>())
      value = broadcast.getX();
    if (auto unpack = value.getDefiningOp<hg::UnpackOp>())
      value = unpack.getPacked();
    if (auto turned = value.getDefiningOp<hg::PhaseWeightOp>())
      value = turned.getWeight();
    if (auto argument = dyn_cast<BlockArgument>(value))
      return argument.getArgNumber();
    return group.emitOpError("is no chain: an operand comes from the middle of its body"), failure();
  }

  LogicalResult read(Value value, ReadRole role, StringRef field = "", int epilogue = -1) {
    auto operand = operandOf(value);
    if (failed(operand))
      return failure();
    bool broadcast = value.getDefiningOp<hg::BroadcastOp>() != nullptr;
    kernel.reads.push_back({*operand, role, field.str(), epilogue, broadcast});
    return success();
  }

  /// An activation whose pixel stride is `field`.
  LogicalResult readPixels(Value value, StringRef field) {
    set(field, channelsOf(value));
    return read(value, ReadRole::Activation, field);
  }

  LogicalResult readVectors(ValueRange values) {
    for (Value value : values)
      if (failed(read(value, ReadRole::Vector)))
        return failure();
    return success();
  }

  void set(StringRef field, int64_t value) { kernel.spec.fields[field.str()] = {static_cast<int>(value)}; }
  void setPair(StringRef field, ArrayRef<int64_t> value) { kernel.spec.fields[field.str()] = pairOf(value); }

  LogicalResult addAnchor(Operation &op) {
    Value x = op.getOperand(0), y = op.getResult(0);
    int64_t c = channelsOf(x);
    set("c", c);
    set("out", c);
    if (auto conv = dyn_cast<hg::ConvOp>(op))
      return addConvolution(conv);
    if (auto grad = dyn_cast<hg::ConvWeightGradOp>(op)) {
      kernel.spec.op = "conv_wgrad";
      kernel.spec.fields.erase("out");
      set("k", channelsOf(grad.getDy()));
      setPair("r", grad.getKernel());
      setPair("s", grad.getStride());
      setPair("d", grad.getDilation());
      set("g", grad.getGroups());
      return success(succeeded(readPixels(x, "in")) && succeeded(readPixels(grad.getDy(), "dy")));
    }
    if (auto pool = dyn_cast<hg::MaxPoolOp>(op)) {
      kernel.spec.op = "maxpool";
      setWindow(pool);
      set("idx", group->getNumResults() > 1 ? c : 0);
      return readPixels(x, "in");
    }
    if (auto pool = dyn_cast<hg::AvgPoolOp>(op)) {
      setMeanWindow(pool);
      return readPixels(x, "in");
    }
    if (auto back = dyn_cast<hg::AvgPoolTransposeOp>(op)) {
      setMeanWindow(back);
      return readPixels(x, "in");
    }
    if (isa<hg::AdaptiveAvgPoolOp, hg::AdaptiveAvgPoolTransposeOp>(op)) {
      kernel.spec.op = op.getName().stripDialect().str();
      return readPixels(x, "in");
    }
    if (auto unpool = dyn_cast<hg::UnpoolOp>(op)) {
      kernel.spec.op = "unpool";
      setWindow(unpool);
      kernel.spec.words["overlap"] = unpool.getSum() ? "sum" : "last";
      return success(succeeded(readPixels(x, "in")) && succeeded(readPixels(unpool.getIndex(), "idx")));
    }
    if (auto take = dyn_cast<hg::TakeOp>(op)) {
      kernel.spec.op = "take";
      setWindow(take);
      kernel.spec.words["overlap"] = take.getSum() ? "sum" : "last";
      return success(succeeded(readPixels(x, "in")) && succeeded(readPixels(take.getIndex(), "idx")));
    }
    if (auto upsample = dyn_cast<hg::UpsampleOp>(op)) {
      kernel.spec.op = group.getExported() ? "export_upsample" : "upsample";
      if (group.getExported())
        kernel.spec.fields.erase("out"); // the caller's strides
      kernel.spec.words["mode"] = upsample.getMode().str();
      set("align", upsample.getAlignCorners());
      return readPixels(x, "in");
    }
    if (auto back = dyn_cast<hg::UpsampleTransposeOp>(op)) {
      kernel.spec.op = "upsample_transpose";
      kernel.spec.words["mode"] = back.getMode().str();
      set("align", back.getAlignCorners());
      return readPixels(x, "in");
    }
    if (auto pad = dyn_cast<hg::PadOp>(op)) {
      kernel.spec.op = "pad";
      kernel.spec.words["mode"] = pad.getMode().str();
      return readPixels(x, "in");
    }
    if (auto pad = dyn_cast<hg::PadTransposeOp>(op)) {
      kernel.spec.op = "pad_transpose";
      kernel.spec.words["mode"] = pad.getMode().str();
      setPair("before", pad.getAmount().take_front(2));
      setPair("after", pad.getAmount().drop_front(2));
      return readPixels(x, "in");
    }
    if (isa<hg::SoftmaxOp, hg::LogSoftmaxOp, hg::ArgmaxOp>(op)) {
      kernel.spec.op = op.getName().stripDialect().str();
      set("out", isa<hg::ArgmaxOp>(op) ? 1 : c);
      return readPixels(x, "in");
    }
    if (isa<hg::SoftmaxGradOp, hg::LogSoftmaxGradOp>(op)) {
      kernel.spec.op = op.getName().stripDialect().str();
      return success(succeeded(readPixels(x, "in")) && succeeded(readPixels(op.getOperand(1), "y")));
    }
    if (auto sums = dyn_cast<hg::ChannelSumsOp>(op)) {
      kernel.spec.op = "channel_sums";
      kernel.spec.words["kind"] = sums.getKind().str();
      set("other", 0);
      if (failed(readPixels(x, "in")))
        return failure();
      return sums.getOther() ? readPixels(sums.getOther(), "other") : success();
    }
    if (auto sums = dyn_cast<hg::LossSumsOp>(op)) {
      kernel.spec.op = "loss_sums";
      set("out", channelsOf(y));
      return readLoss(sums);
    }
    if (auto grad = dyn_cast<hg::LossGradOp>(op)) {
      kernel.spec.op = "loss_grad";
      if (failed(readLoss(grad)))
        return failure();
      return read(grad.getCoefficients(), ReadRole::Activation);
    }
    if (isa<hg::ReshapeOp, hg::TransposeOp, hg::WindowsOp, hg::WindowsTransposeOp, hg::EmbedOp>(op)) {
      kernel.spec.op = op.getName().stripDialect().str();
      set("k", channelsOf(y));
      set("out", channelsOf(y));
      if (auto transpose = dyn_cast<hg::TransposeOp>(op))
        for (int64_t axis : transpose.getPerm())
          kernel.spec.words["perm"] += std::to_string(axis);
      if (auto windows = dyn_cast<hg::WindowsOp>(op))
        setPositions(windows);
      if (auto back = dyn_cast<hg::WindowsTransposeOp>(op))
        setPositions(back);
      if (auto embed = dyn_cast<hg::EmbedOp>(op))
        set("offset", static_cast<int64_t>(embed.getOffset()));
      return readPixels(x, "in");
    }
    if (auto broadcast = dyn_cast<hg::BroadcastOp>(op)) {
      kernel.spec.op = broadcast.repeatsChannel() ? "repeat" : "pointwise";
      set("c", channelsOf(y));
      set("out", channelsOf(y));
      if (failed(readPixels(x, "in")))
        return failure();
      kernel.reads.back().broadcast = true;
      return success();
    }
    if (auto sum = dyn_cast<hg::ReduceSumOp>(op)) {
      kernel.spec.op = "reduce_sum";
      for (int64_t axis : sum.getAxes())
        kernel.spec.words["axes"] += "nchw"[axis];
      set("out", channelsOf(y));
      return readPixels(x, "in");
    }
    kernel.spec.op = "pointwise";
    if (failed(readPixels(x, "in")))
      return failure();
    chain = x;
    return isa<hg::CropOp>(op) ? success() : addEpilogue(op);
  }

  /// What the kernels of a loss share: input, target, pixel weights and the numbers of their formulas.
  template <typename OpT> LogicalResult readLoss(OpT op) {
    describeLoss(op, kernel.spec);
    if (failed(readPixels(op.getX(), "in")) || failed(readPixels(op.getTarget(), "t")))
      return failure();
    set("pw", 0);
    return op.getPixelWeight() ? readPixels(op.getPixelWeight(), "pw") : success();
  }

  template <typename PoolT> void setWindow(PoolT pool) {
    setPair("r", pool.getKernel());
    setPair("s", pool.getStride());
    setPair("d", pool.getDilation());
  }

  /// The kernel sees the padding before the first pixel as its coordinates' start; what lies behind the last
  /// one counts only where the divisor does.
  template <typename PoolT> void setMeanWindow(PoolT pool) {
    kernel.spec.op = pool->getName().stripDialect().str();
    setPair("r", pool.getKernel());
    setPair("s", pool.getStride());
    bool countsPadding = pool.getCountIncludePad();
    kernel.spec.words["count"] = countsPadding ? "padded" : "valid";
    auto after = [&](unsigned axis) {
      hg::WindowMap map = pool.window(axis);
      return !countsPadding ? 0 : map.same ? map.maxAfter() : map.after;
    };
    setPair("after", {after(0), after(1)});
  }

  template <typename OpT> void setPositions(OpT op) {
    setPair("r", op.getKernel());
    setPair("s", op.getStride());
    setPair("before", op.getPadding().take_front(2));
    setPair("after", op.getPadding().drop_front(2));
  }

  /// Appends an epilogue that reads the pixels of `tensor` and then `vectors`.
  LogicalResult addWithTensor(schedules::Epilogue epilogue, Value tensor, ValueRange vectors) {
    epilogue.stride = static_cast<int>(channelsOf(tensor));
    kernel.spec.epilogues.push_back(epilogue);
    if (failed(read(tensor, ReadRole::Activation, "", static_cast<int>(kernel.spec.epilogues.size()) - 1)))
      return failure();
    kernel.spec.epilogues.back().wide =
        precisionOf(group) != "f32" && staysWide(group.getInputs()[kernel.reads.back().operand]);
    return readVectors(vectors);
  }

  /// The functions whose epilogues carry a number.
  static double alphaOf(std::optional<APFloat> alpha, const hg::ActivationFunction &row) {
    return alpha ? alpha->convertToDouble() : row.hasAlpha ? row.defaultAlpha : 0;
  }

  LogicalResult addEpilogue(Operation &op) {
    schedules::Epilogue epilogue;
    if (isa<hg::SoftmaxOp, hg::LogSoftmaxOp, hg::ArgmaxOp>(op)) {
      epilogue.op = op.getName().stripDialect().str();
      kernel.spec.epilogues.push_back(epilogue);
      if (isa<hg::ArgmaxOp>(op))
        set("out", 1);
      return success();
    }
    if (isa<hg::MaxPoolOp>(op)) {
      static const char *const names[] = {"", "pool", "pool_index", "", "", "keep_pool"};
      epilogue.op = names[group->getNumResults()];
      epilogue.stride = static_cast<int>(channelsOf(op.getResult(0)));
      kernel.spec.epilogues.push_back(epilogue);
      return success();
    }
    if (afterDepthwise) {
      kernel.spec.words["mid"] = cast<hg::ActivationOp>(op).getFunction().str();
      return success();
    }
    if (auto activation = dyn_cast<hg::ActivationOp>(op)) {
      epilogue.op = activation.getFunction().str();
      epilogue.value = alphaOf(activation.getAlpha(), *hg::findActivation(activation.getFunction()));
      kernel.spec.epilogues.push_back(epilogue);
      return activation.getSlope() ? read(activation.getSlope(), ReadRole::Vector) : success();
    }
    if (auto affine = dyn_cast<hg::AffineOp>(op)) {
      kernel.spec.epilogues.push_back({affine.getShift() ? "affine" : "scale"});
      return readVectors(op.getOperands().drop_front());
    }
    if (isa<hg::AddOp, hg::MulOp, hg::SubOp>(op)) {
      epilogue.op = op.getName().stripDialect().str();
      return addWithTensor(epilogue, op.getOperand(op.getOperand(0) == chain), {});
    }
    if (auto scale = dyn_cast<hg::ScaleOp>(op)) {
      kernel.spec.epilogues.push_back({"times"});
      kernel.spec.epilogues.back().value = scale.getFactor().convertToDouble();
      return success();
    }
    if (auto grad = dyn_cast<hg::ActivationGradOp>(op)) {
      bool ofOperand = grad.getFunction() == "leaky_relu" && !grad.getFromValue();
      epilogue.op = (ofOperand ? "dx_" : "d_") + grad.getFunction().str();
      epilogue.value = alphaOf(grad.getAlpha(), *hg::findActivation(grad.getFunction()));
      return addWithTensor(epilogue, grad.getSaved(),
                           grad.getSlope() ? ValueRange(grad.getSlope()) : ValueRange());
    }
    if (auto grad = dyn_cast<hg::NormGradOp>(op))
      return addWithTensor({"norm_grad"}, grad.getX(), {grad.getA(), grad.getB(), grad.getC()});
    if (auto drop = dyn_cast<hg::DropOp>(op)) {
      epilogue.op = "drop";
      epilogue.site = static_cast<uint32_t>(drop.getSite());
      epilogue.value = drop.getRate().convertToDouble();
      kernel.spec.epilogues.push_back(epilogue);
      return read(drop.getSeed(), ReadRole::Plain);
    }
    return op.emitOpError("has no kernel");
  }

  hg::GroupOp group;
  GroupKernel kernel;
  Value chain;
  bool afterDepthwise = false; ///< between the two convolutions of a separable one
};

} // namespace

void setLikelyExtents(schedules::KernelSpec &spec, RankedTensorType result) {
  if (result.getRank() != 4)
    return;
  auto likely = [&](unsigned axis, int pixels) {
    return result.isDynamicDim(axis) ? 0 : static_cast<int>(result.getDimSize(axis)) * pixels;
  };
  int pixels = spec.pooling().empty() ? 1 : 2;
  spec.likelyImages = likely(0, 1);
  spec.likelyHeight = likely(2, pixels);
  spec.likelyWidth = likely(3, pixels);
}

bool hasSm90a(Operation *op) {
  auto module = isa<ModuleOp>(op) ? cast<ModuleOp>(op) : op->getParentOfType<ModuleOp>();
  return module && module->hasAttr(kSm90a);
}

std::string precisionName(Operation *op) {
  auto module = isa<ModuleOp>(op) ? cast<ModuleOp>(op) : op->getParentOfType<ModuleOp>();
  return module && module->hasAttr(kTf32) ? "tf32" : precisionOf(op);
}

std::string precisionOf(Operation *op) {
  ModuleOp module = isa<ModuleOp>(op) ? cast<ModuleOp>(op) : op->getParentOfType<ModuleOp>();
  auto precision = module ? module->getAttrOfType<StringAttr>(kPrecision) : StringAttr();
  return precision ? precision.str() : "f32";
}

bool staysWide(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto main = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
    return main && main.getArgAttr(argument.getArgNumber(), "hourglass.target");
  }
  Operation *op = value.getDefiningOp();
  if (auto group = dyn_cast<hg::GroupOp>(op)) // a target that is brought to the extents of its loss's input
    return isa<hg::UpsampleOp>(group.getBody().front().front()) && staysWide(group.getInputs()[0]);
  return isa<hg::FinishLossOp, hg::FinishGroupStatsOp, hg::FinishGroupNormGradOp>(op);
}

Type storedType(Value value) {
  Type element = cast<RankedTensorType>(value.getType()).getElementType();
  Operation *op = value.getParentBlock()->getParentOp();
  std::string precision = element.isF32() && !staysWide(value) ? precisionOf(op) : "f32";
  return precision == "bf16"  ? Type(BFloat16Type::get(op->getContext()))
         : precision == "f16" ? Type(Float16Type::get(op->getContext()))
                              : element;
}

bool readsOddSlice(hg::GroupOp group, int64_t granule) {
  for (Value operand : group.getInputs())
    while (auto slice = operand.getDefiningOp<hg::SliceOp>()) {
      operand = slice.getX();
      if (static_cast<int64_t>(slice.getOffset()) % granule || channelsOf(operand) % granule)
        return true;
    }
  return false;
}

FailureOr<GroupKernel> describeGroup(hg::GroupOp group) { return Describer(group).run(); }

bool writesCallersMemory(hg::GroupOp group) {
  auto type = cast<RankedTensorType>(group.getOutputs()[0].getType());
  return group.getExported() || type.getElementType().isInteger(32);
}

void setWriteStride(schedules::KernelSpec &spec, unsigned i, int stride) {
  std::string pooling = spec.pooling();
  if (!pooling.empty() && i == (pooling == "keep_pool" ? 4u : 1u))
    spec.epilogues.back().stride = stride;
  else if (i > 0 && pooling.empty())
    spec.fields["idx"] = {stride};
  else if (spec.fields.count("out"))
    spec.fields["out"] = {stride};
}

} // namespace segc
