/// \file Asks the schedule library for each group's family and packs the group's weights the way that family
/// reads them.
// SPDX-License-Identifier: MIT
#include "compiler/analysis/GroupSpec.h"
#include "compiler/passes/Passes.h"
#include "compiler/passes/ScheduleChoice.h"

using namespace mlir;

namespace segc {
#define GEN_PASS_DEF_SCHEDULEGROUPS
#include "compiler/passes/Passes.h.inc"

namespace {

struct ScheduleGroupsPass : impl::ScheduleGroupsBase<ScheduleGroupsPass> {
  using ScheduleGroupsBase::ScheduleGroupsBase;

  void runOnOperation() override {
    auto parsed = schedules::parseIsa(instructionSet);
    if (!parsed) {
      getOperation().emitError("unknown instruction set '")
          << instructionSet << "': avx512, avx2 or portable";
      return signalPassFailure();
    }
    SmallVector<hg::GroupOp> groups(getOperation().getOps<hg::GroupOp>());
    ScheduleChoice choice(*parsed, std::vector<std::string>(without.begin(), without.end()),
                          std::vector<std::string>(asked.begin(), asked.end()));
    const DenseMap<Operation *, Thrift> thrift = thriftOf(groups, *parsed);
    for (hg::GroupOp group : groups)
      if (!group.getSchedule() && failed(schedule(group, *parsed, choice, thrift.lookup(group))))
        return signalPassFailure();
    if (failed(choice.finish(getOperation())))
      signalPassFailure();
  }

  /// The group's kernel with what its rules are told.
  static FailureOr<GroupKernel> describe(hg::GroupOp group) {
    auto kernel = describeGroup(group);
    if (failed(kernel))
      return failure();
    Value pixelsOf = isa<hg::ConvWeightGradOp>(kernel->anchor) ? group.getInputs()[kernel->reads[1].operand]
                                                               : Value(group.getOutputs()[0]);
    setLikelyExtents(kernel->spec, cast<RankedTensorType>(pixelsOf.getType()));
    if (auto conv = dyn_cast<hg::ConvOp>(kernel->anchor); conv && kernel->spec.op == "conv")
      kernel->spec.fresh = freshFilters(group, *kernel);
    return kernel;
  }

  /// Which convolutions go without large filters: the first `thrifty` steps, first smaller tiles for all,
  /// then no Winograd, each time beginning with those whose filters serve the fewest pixels: they lose the
  /// least time for a byte.
  DenseMap<Operation *, Thrift> thriftOf(ArrayRef<hg::GroupOp> groups, schedules::Isa target) {
    DenseMap<Operation *, Thrift> result;
    if (!thrifty || schedules::isGpu(target))
      return result;
    SmallVector<std::pair<int64_t, hg::GroupOp>> ranked;
    for (hg::GroupOp group : groups) {
      auto conv = dyn_cast<hg::ConvOp>(group.getBody().front().front());
      auto type = cast<RankedTensorType>(group.getOutputs()[0].getType());
      if (conv && !group.getSchedule())
        ranked.push_back({type.getRank() == 4 && type.hasStaticShape()
                              ? type.getDimSize(0) * type.getDimSize(2) * type.getDimSize(3)
                              : std::numeric_limits<int64_t>::max(),
                          group});
    }
    llvm::stable_sort(ranked, [](const auto &a, const auto &b) { return a.first < b.first; });
    for (unsigned step = 0; step < std::min<size_t>(thrifty, 2 * ranked.size()); ++step)
      result[ranked[step % ranked.size()].second] =
          step < ranked.size() ? Thrift::SmallTiles : Thrift::NoWinograd;
    return result;
  }

  LogicalResult schedule(hg::GroupOp group, schedules::Isa target, ScheduleChoice &choice, Thrift saving) {
    if (!schedules::isGpu(target) && isLastResizing(group))
      group.setExported(true);
    auto kernel = describe(group);
    if (failed(kernel))
      return failure();
    auto chosen = choice.choose(group, kernel->spec, saving);
    if (failed(chosen))
      return failure();
    const schedules::Schedule &point = *chosen;
    group.setSchedule(point.print());
    noteTensorCores(group, kernel->spec, target, point);
    if (std::string why = whyNotWinograd(kernel->spec, target, point,
                                         std::vector<std::string>(without.begin(), without.end()), saving);
        !why.empty())
      group->setAttr("choice", StringAttr::get(group.getContext(), why));
    const schedules::Family *family = schedules::findFamily(point.family);
    std::vector<schedules::KernelSpec> parts = schedules::weightParts(kernel->spec);
    size_t part = 0;
    for (const GroupRead &read : kernel->reads) {
      auto type = cast<RankedTensorType>(group.getInputs()[read.operand].getType());
      if (read.role == ReadRole::Weight) {
        schedules::Packing packing = family->packing(parts[part++], point, target);
        if (packing.problem.empty()) {
          if (failed(readFile(group, read.operand)))
            return failure();
          continue;
        }
        SmallVector<int64_t> extents(packing.extents.rbegin(), packing.extents.rend());
        if (failed(pack(group, read.operand, packing.problem, extents)))
          return failure();
      } else if (read.role == ReadRole::Vector) {
        int64_t padded = (type.getDimSize(0) + 63) / 64 * 64;
        if (failed(pack(group, read.operand, "pack_vector : f32", {padded})))
          return failure();
      }
    }
    return isa<hg::ConvWeightGradOp>(kernel->anchor)
               ? packResult(group, family->packing(kernel->spec, point, target))
               : success();
  }

  /// Is the result of a resizing by itself a tensor of the caller's, and nothing else?
  static bool isLastResizing(hg::GroupOp group) {
    auto upsample = dyn_cast<hg::UpsampleOp>(group.getBody().front().front());
    if (!upsample || !isa<hg::YieldOp>(upsample->getNextNode()) || upsample.getMode() == "zeros" ||
        !group.getOutputs()[0].hasOneUse())
      return false;
    return isa<func::ReturnOp>(*group.getOutputs()[0].user_begin());
  }

  /// Where tensor cores are asked for: why a convolution is not on them, for -opt-report.
  void noteTensorCores(hg::GroupOp group, const schedules::KernelSpec &spec, schedules::Isa target,
                       const schedules::Schedule &chosen) {
    const schedules::Family *family = schedules::findFamily("tensor_cores");
    if (!schedules::isGpu(target) || !StringRef(spec.op).starts_with("conv") ||
        StringRef(chosen.family).starts_with(family->name) || !family->pays(spec, target) ||
        llvm::is_contained(without, family->name))
      return;
    std::string why = family->whyNot(spec, target);
    group->setAttr(
        "not_on_tensor_cores",
        StringAttr::get(group.getContext(),
                        why.empty() ? "it reads a slice that begins at no multiple of 8 channels" : why));
  }

  /// A weight gradient leaves its kernel in the schedule's layout, in parts; another kernel adds and unpacks
  /// them.
  static LogicalResult packResult(hg::GroupOp group, const schedules::Packing &packing) {
    if (packing.problem.empty()) // it stores the file's layout
      return success();
    SmallVector<int64_t> extents(packing.extents.rbegin(), packing.extents.rend());
    auto yield = cast<hg::YieldOp>(group.getBody().front().getTerminator());
    Value dw = yield.getValues()[0];
    OpBuilder b(yield);
    auto packed =
        hg::createInferred<hg::PackOp>(b, group.getLoc(), dw.getType(), dw, packing.problem, extents);
    if (!packed)
      return failure();
    yield->setOperand(0, packed.getPacked());
    Value result = group.getOutputs()[0];
    result.setType(packed.getPacked().getType());
    b.setInsertionPointAfter(group);
    auto logical = cast<RankedTensorType>(dw.getType());
    auto unpack = hg::createInferred<hg::UnpackOp>(b, group.getLoc(), logical, result, logical.getShape(),
                                                   b.getStringAttr(packing.problem));
    if (!unpack)
      return failure();
    result.replaceAllUsesExcept(unpack.getWeight(), unpack);
    return success();
  }

  /// How a group's filters lie in the file if they change in every run: those of a convolution, or turned
  /// around those of the one whose data gradient the group computes.
  static std::string freshFilters(hg::GroupOp group, const GroupKernel &kernel) {
    for (const GroupRead &read : kernel.reads) {
      if (read.role != ReadRole::Weight)
        continue;
      Operation *made = group.getInputs()[read.operand].getDefiningOp();
      auto phase = dyn_cast_or_null<hg::PhaseWeightOp>(made);
      auto weight =
          phase ? phase.getWeight().getDefiningOp<hg::WeightOp>() : dyn_cast_or_null<hg::WeightOp>(made);
      if (!weight || hg::isConstant(weight))
        return "";
      if (!phase)
        return "conv";
      ArrayRef<int64_t> extents = cast<RankedTensorType>(weight.getType()).getShape();
      bool isWhole = llvm::all_of(phase.getFirst(), [](int64_t tap) { return tap == 0; }) &&
                     llvm::all_of(phase.getStep(), [](int64_t step) { return step == 1; }) &&
                     phase.getTaps() == extents.drop_front(2) && phase.getGroups() == 1;
      return isWhole ? "deconv" : "";
    }
    return "";
  }

  /// The kernel reads the filters as they lie in the file: what turns them around becomes part of the group.
  LogicalResult readFile(hg::GroupOp group, unsigned operand) {
    auto phase = group.getInputs()[operand].getDefiningOp<hg::PhaseWeightOp>();
    if (!phase)
      return success();
    OpBuilder b(group.getContext());
    b.setInsertionPointToStart(&group.getBody().front());
    BlockArgument argument = group.getBody().front().getArgument(operand);
    auto turned = cast<hg::PhaseWeightOp>(b.clone(*phase));
    argument.replaceAllUsesWith(turned.getFilter());
    argument.setType(phase.getWeight().getType());
    turned.getWeightMutable().assign(argument);
    group->setOperand(operand, phase.getWeight());
    if (phase.use_empty())
      phase.erase();
    return success();
  }

  LogicalResult pack(hg::GroupOp group, unsigned operand, StringRef problem, ArrayRef<int64_t> extents) {
    OpBuilder b(group);
    Value weight = group.getInputs()[operand];
    auto packed =
        hg::createInferred<hg::PackOp>(b, weight.getLoc(), weight.getType(), weight, problem, extents);
    if (!packed)
      return failure();
    BlockArgument argument = group.getBody().front().getArgument(operand);
    group->setOperand(operand, packed.getPacked());
    argument.setType(packed.getPacked().getType());
    b.setInsertionPointToStart(&group.getBody().front());
    auto logical = cast<RankedTensorType>(weight.getType());
    auto unpack = hg::createInferred<hg::UnpackOp>(b, weight.getLoc(), weight.getType(), argument,
                                                   logical.getShape(), StringAttr());
    if (!unpack)
      return failure();
    argument.replaceAllUsesExcept(unpack.getWeight(), unpack);
    return success();
  }
};

} // namespace
} // namespace segc
