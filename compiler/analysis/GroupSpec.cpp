/// \file Describes groups as kernels; the table of which op has which fields is docs/kernels.md.
// SPDX-License-Identifier: MIT
#include "compiler/analysis/GroupSpec.h"
#include "dialects/hourglass/Activation.h"

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
      if (isa<hg::UnpackOp>(op))
        continue;
      if (!kernel.anchor) {
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
    for (unsigned i = 0; i < group->getNumOperands(); ++i)
      if (llvm::none_of(kernel.reads, [&](const GroupRead &read) { return read.operand == i; }))
        kernel.shapes.push_back(i);
    return kernel;
  }

private:
  /// The group operand behind a value of the body.
  FailureOr<unsigned> operandOf(Value value) {
    if (auto unpack = value.getDefiningOp<hg::UnpackOp>())
      value = unpack.getPacked();
    if (auto argument = dyn_cast<BlockArgument>(value))
      return argument.getArgNumber();
    return group.emitOpError("is no chain: an operand comes from the middle of its body"), failure();
  }

  LogicalResult read(Value value, ReadRole role) {
    auto operand = operandOf(value);
    if (failed(operand))
      return failure();
    kernel.reads.push_back({*operand, role});
    return success();
  }

  void set(StringRef field, int64_t value) { kernel.spec.fields[field.str()] = {static_cast<int>(value)}; }
  void setPair(StringRef field, ArrayRef<int64_t> value) { kernel.spec.fields[field.str()] = pairOf(value); }

  LogicalResult addAnchor(Operation &op) {
    Value x = op.getOperand(0), y = op.getResult(0);
    int64_t c = channelsOf(x);
    set("c", c);
    set("in", c);
    if (auto conv = dyn_cast<hg::ConvOp>(op)) {
      kernel.spec.op = "conv";
      set("k", channelsOf(y));
      setPair("r", cast<RankedTensorType>(conv.getWeight().getType()).getShape().drop_front(2));
      setPair("s", conv.getStride());
      setPair("d", conv.getDilation());
      set("g", conv.getGroups());
      set("out", channelsOf(y));
      if (failed(read(x, ReadRole::Activation)) || failed(read(conv.getWeight(), ReadRole::Weight)))
        return failure();
      if (!conv.getBias())
        return success();
      kernel.spec.epilogues.push_back({"bias"});
      return read(conv.getBias(), ReadRole::Vector);
    }
    if (auto pool = dyn_cast<hg::MaxPoolOp>(op)) {
      kernel.spec.op = "maxpool";
      setWindow(pool);
      set("out", c);
      set("idx", group->getNumResults() > 1 ? c : 0);
      return read(x, ReadRole::Activation);
    }
    if (auto unpool = dyn_cast<hg::UnpoolOp>(op)) {
      kernel.spec.op = "unpool";
      setWindow(unpool);
      set("idx", c);
      set("out", c);
      return success(succeeded(read(x, ReadRole::Activation)) &&
                     succeeded(read(unpool.getIndex(), ReadRole::Activation)));
    }
    if (auto upsample = dyn_cast<hg::UpsampleOp>(op)) {
      kernel.spec.op = "upsample";
      kernel.spec.words["mode"] = upsample.getMode().str();
      set("align", upsample.getAlignCorners());
      set("out", c);
      return read(x, ReadRole::Activation);
    }
    if (auto pad = dyn_cast<hg::PadOp>(op)) {
      kernel.spec.op = "pad";
      kernel.spec.words["mode"] = pad.getMode().str();
      set("out", c);
      return read(x, ReadRole::Activation);
    }
    if (isa<hg::SoftmaxOp, hg::LogSoftmaxOp, hg::ArgmaxOp>(op)) {
      kernel.spec.op = op.getName().stripDialect().str();
      set("out", isa<hg::ArgmaxOp>(op) ? 1 : c);
      return read(x, ReadRole::Activation);
    }
    kernel.spec.op = "pointwise";
    set("out", c);
    if (failed(read(x, ReadRole::Activation)))
      return failure();
    chain = x;
    return isa<hg::CropOp>(op) ? success() : addEpilogue(op);
  }

  template <typename PoolT> void setWindow(PoolT pool) {
    setPair("r", pool.getKernel());
    setPair("s", pool.getStride());
    setPair("d", pool.getDilation());
  }

  LogicalResult addEpilogue(Operation &op) {
    schedules::Epilogue epilogue;
    if (auto activation = dyn_cast<hg::ActivationOp>(op)) {
      epilogue.op = activation.getFunction().str();
      const hg::ActivationFunction *row = hg::findActivation(activation.getFunction());
      if (row->hasAlpha)
        epilogue.value = activation.getAlpha() ? activation.getAlpha()->convertToDouble() : row->defaultAlpha;
      kernel.spec.epilogues.push_back(epilogue);
      return activation.getSlope() ? read(activation.getSlope(), ReadRole::Vector) : success();
    }
    if (auto affine = dyn_cast<hg::AffineOp>(op)) {
      kernel.spec.epilogues.push_back({"affine"});
      return success(succeeded(read(affine.getScale(), ReadRole::Vector)) &&
                     succeeded(read(affine.getShift(), ReadRole::Vector)));
    }
    if (auto add = dyn_cast<hg::AddOp>(op)) {
      Value other = add.getA() == chain ? add.getB() : add.getA();
      epilogue.op = "add";
      epilogue.stride = static_cast<int>(channelsOf(other));
      kernel.spec.epilogues.push_back(epilogue);
      return read(other, ReadRole::Activation);
    }
    return op.emitOpError("has no kernel");
  }

  hg::GroupOp group;
  GroupKernel kernel;
  Value chain;
};

} // namespace

FailureOr<GroupKernel> describeGroup(hg::GroupOp group) { return Describer(group).run(); }

std::string readStrideField(const schedules::KernelSpec &spec, unsigned i) {
  if (i == 0)
    return spec.fields.count("in") ? "in" : "";
  return spec.op == "unpool" && i == 1 ? "idx" : "";
}

std::string writeStrideField(const schedules::KernelSpec &spec, unsigned i) {
  if (i == 0)
    return spec.fields.count("out") ? "out" : "";
  return "idx";
}

} // namespace segc
