/// \file Puts the phases of a deconvolution into one launch, where tensor cores or AMX compute them.
///
/// Phases are convolutions of one input with weights of their own, into every s-th pixel of one result. One
/// after another each would leave most of a GPU idle, where what differs are the views of input and result,
/// which the kernel takes as offsets (runtime/core/TensorCores.cpp). On a processor with AMX they read a
/// large input once.
// SPDX-License-Identifier: MIT
#include "compiler/analysis/GroupSpec.h"
#include "compiler/passes/Passes.h"
#include "mlir/IR/OperationSupport.h"
#include "schedules/Family.h"

using namespace mlir;

namespace segc {
#define GEN_PASS_DEF_MERGEPHASES
#include "compiler/passes/Passes.h.inc"

namespace {

struct MergePhasesPass : impl::MergePhasesBase<MergePhasesPass> {
  using MergePhasesBase::MergePhasesBase;

  void runOnOperation() override {
    auto parsed = schedules::parseIsa(instructionSet);
    if (!parsed) {
      getOperation().emitError("unknown instruction set '") << instructionSet << "'";
      return signalPassFailure();
    }
    for (plan::ProgramOp program : getOperation().getOps<plan::ProgramOp>()) {
      SmallVector<SmallVector<plan::LaunchOp>> found(1);
      for (Operation &op : program.getBody().front()) {
        auto launch = dyn_cast<plan::LaunchOp>(op);
        if (launch && !found.back().empty() && arePhases(found.back().front(), launch))
          found.back().push_back(launch);
        else if (launch && isConvolution(launch))
          found.push_back({launch});
        else if (!isPure(&op) && !mayComeBefore(op, found.back()))
          found.emplace_back();
      }
      for (ArrayRef<plan::LaunchOp> phases : found)
        if (phases.size() > 1)
          merge(phases, *parsed);
    }
  }

  /// The buffer that a view shows; null where it is none of this program's.
  static Value bufferOf(Value view) {
    if (auto part = view.getDefiningOp<plan::ViewOp>())
      return part.getBuffer();
    auto dense = view.getDefiningOp<plan::DenseOp>();
    return dense ? Value(dense.getBuffer()) : Value();
  }

  /// May the phases run behind the op, which they stand before? So it is with what packs the weights of the
  /// next one, as training does in each run.
  static bool mayComeBefore(Operation &op, ArrayRef<plan::LaunchOp> phases) {
    if (isa<plan::AllocOp>(op))
      return true;
    auto launch = dyn_cast<plan::LaunchOp>(op);
    if (!launch)
      return false;
    DenseSet<Value> read, written;
    for (plan::LaunchOp phase : phases) {
      for (Value view : phase.getReads())
        read.insert(bufferOf(view));
      for (Value view : phase.getWrites())
        written.insert(bufferOf(view));
    }
    return llvm::all_of(launch.getWrites(),
                        [&](Value view) {
                          Value buffer = bufferOf(view);
                          return buffer && !read.contains(buffer) && !written.contains(buffer);
                        }) &&
           llvm::none_of(launch->getOperands(), [&](Value view) { return written.contains(bufferOf(view)); });
  }

  static bool isConvolution(plan::LaunchOp launch) {
    return launch.getProblem().starts_with("conv ") &&
           (launch.getSchedule().starts_with("tensor_cores") || launch.getSchedule().starts_with("amx ")) &&
           launch.getShapes().empty() && launch.getWrites().size() == 1;
  }

  /// Do both views show equally many pixels of one buffer, the channels that they show being the same?
  static bool matches(Value a, Value b) {
    auto first = a.getDefiningOp<plan::ViewOp>(), second = b.getDefiningOp<plan::ViewOp>();
    return first && second && first.getBuffer() == second.getBuffer() &&
           first.getChannel() == second.getChannel() && first.getExtents() == second.getExtents() &&
           first.getStep() == second.getStep();
  }

  static bool arePhases(plan::LaunchOp first, plan::LaunchOp next) {
    if (!isConvolution(next) || first.getProblem() != next.getProblem() ||
        first.getSchedule() != next.getSchedule() || !matches(first.getReads()[0], next.getReads()[0]) ||
        !matches(first.getWrites()[0], next.getWrites()[0]))
      return false;
    // The kernel counts the distance of two inputs in pixels.
    ArrayRef<int64_t> step = first.getReads()[0].getDefiningOp<plan::ViewOp>().getStep();
    if (step[0] != 1 || step[1] != 1)
      return false;
    for (auto [a, b] : llvm::zip(first.getReads().drop_front(2), next.getReads().drop_front(2)))
      if (!a.getDefiningOp() || !b.getDefiningOp() ||
          !OperationEquivalence::isEquivalentTo(a.getDefiningOp(), b.getDefiningOp(),
                                                OperationEquivalence::IgnoreLocations))
        return false;
    return true;
  }

  /// One launch in the place of the last: all inputs, all weights, the operands of the epilogues, all
  /// results.
  static void merge(ArrayRef<plan::LaunchOp> phases, schedules::Isa target) {
    plan::LaunchOp first = phases.front();
    const size_t count = phases.size(), operands = first.getReads().size() - 2;
    auto spec = std::get<schedules::KernelSpec>(schedules::KernelSpec::parse(first.getProblem().str()));
    spec.words["phases"] = std::to_string(count);
    setLikelyExtents(spec, cast<plan::ViewType>(first.getWrites()[0].getType()).getTensor());
    spec.sm90a = hasSm90a(first);
    const std::string name = first.getSchedule().split(' ').first.str();
    const schedules::Family *family = schedules::findFamily(name == "amx" ? "amx" : "tensor_cores");
    if (!family->whyNot(spec, target).empty()) // tensors in the epilogue, too many phases
      return;
    if (!family->onGpu && !family->pays(spec, target))
      return;
    if (const schedules::Family *groups = schedules::findFamily("tensor_cores_90a");
        family->onGpu && groups->whyNot(spec, target).empty() && groups->pays(spec, target))
      family = groups;
    SmallVector<Value> reads(2 * count), writes;
    for (auto [i, phase] : llvm::enumerate(phases)) {
      reads[i] = plan::LaunchOp(phase).getReads()[0];
      reads[count + i] = plan::LaunchOp(phase).getReads()[1];
      writes.push_back(plan::LaunchOp(phase).getWrites()[0]);
    }
    llvm::append_range(reads, first.getReads().drop_front(2));
    plan::LaunchOp last = phases.back();
    OpBuilder b(last);
    auto merged =
        plan::LaunchOp::create(b, last.getLoc(), reads, ValueRange(), writes, first.getLabel(), spec.print(),
                               family->choose(spec, target).print(), FlatSymbolRefAttr());
    if (Attribute end = first->getAttr("end"))
      merged->setAttr("end", end);
    Block *body = b.createBlock(&merged.getBody());
    SmallVector<Value> values;
    for (size_t role : {0, 1})
      for (plan::LaunchOp phase : phases)
        body->addArgument(phase.getBody().getArgument(role).getType(), phase.getLoc());
    for (size_t i = 0; i < operands; ++i)
      body->addArgument(first.getBody().getArgument(2 + i).getType(), first.getLoc());
    for (auto [i, constPhase] : llvm::enumerate(phases)) {
      plan::LaunchOp phase = constPhase;
      IRMapping mapping;
      mapping.map(phase.getBody().getArgument(0), body->getArgument(i));
      mapping.map(phase.getBody().getArgument(1), body->getArgument(count + i));
      for (size_t k = 0; k < operands; ++k)
        mapping.map(phase.getBody().getArgument(2 + k), body->getArgument(2 * count + k));
      for (Operation &op : phase.getBody().front().without_terminator())
        b.clone(op, mapping);
      auto yield = cast<plan::YieldOp>(phase.getBody().front().getTerminator());
      values.push_back(mapping.lookup(yield.getValues()[0]));
    }
    plan::YieldOp::create(b, last.getLoc(), values);
    for (plan::LaunchOp phase : phases)
      phase.erase();
  }
};

} // namespace
} // namespace segc
