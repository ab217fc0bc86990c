/// \file The plan dialect's ops to table rows, one to one.
// SPDX-License-Identifier: MIT
#include "compiler/codegen/TableWriter.h"
#include "compiler/analysis/FlatLayout.h"
#include "compiler/analysis/GroupSpec.h"
#include "compiler/codegen/TrainingTable.h"
#include "runtime/core/ModelTable.h"
#include "llvm/ADT/StringMap.h"
#include <cstring>

using namespace mlir;

namespace segc {
namespace {

rt::DType dtypeOf(Type type) {
  if (type.isF16())
    return rt::DType::F16;
  if (type.isBF16())
    return rt::DType::BF16;
  if (type.isF64())
    return rt::DType::F64;
  if (type.isInteger(32))
    return rt::DType::I32;
  if (type.isInteger(8))
    return type.isUnsignedInteger() || type.isSignlessInteger() ? rt::DType::U8 : rt::DType::I8;
  return rt::DType::F32;
}

class Writer {
public:
  Writer(ModuleOp module, StringRef name) : module(module), name(name) { strings.push_back('\0'); }

  FailureOr<ModelBlob> run(const TableTarget &target, uint64_t laneScratch) {
    auto prepare = module.lookupSymbol<plan::ProgramOp>("prepare"),
         run = module.lookupSymbol<plan::ProgramOp>("run");
    if (!prepare || !run)
      return module.emitError("has no plan: @prepare and @run are missing"), failure();
    for (plan::KernelOp kernel : module.getOps<plan::KernelOp>()) {
      kernelIndex[kernel.getSymName()] = blob.kernels.size();
      blob.kernels.push_back(kernel.getSymName().str());
    }
    writeSizes(run);
    layOutPrepared(prepare, run);
    std::vector<rt::TrainingDesc> training;
    std::vector<uint32_t> losses;
    std::vector<rt::SegmentDesc> segments;
    std::vector<int64_t> milestones;
    if (auto description = module->getAttrOfType<DictionaryAttr>("hourglass.training")) {
      FlatLayout layout = flatLayout(module);
      for (const FlatTensor &tensor : layout.tensors)
        weights[weightIndex(tensor.weight)].flat = static_cast<uint64_t>(tensor.first);
      for (const FlatSegment &segment : layout.segments)
        segments.push_back(
            {static_cast<uint64_t>(segment.first), static_cast<uint64_t>(segment.count), segment.lrScale});
      if (auto names = module->getAttrOfType<ArrayAttr>("hourglass.losses"))
        for (StringAttr loss : names.getAsRange<StringAttr>())
          losses.push_back(text(loss.getValue()));
      training.push_back(describeTraining(description, milestones));
      training[0].lossCount = u(losses.size());
      training[0].trainableElements = static_cast<uint64_t>(layout.trainableElements);
      training[0].totalElements = static_cast<uint64_t>(layout.totalElements);
      training[0].lossScaling = precisionOf(module) == "f16";
    }
    writeProgram(prepare, prepareSteps);
    writeBuffers(run);
    writeProgram(run, runSteps);
    std::vector<rt::StepDesc> updates[5];
    for (auto [name, steps] :
         llvm::zip(std::array{"norm", "update", "average", "accumulate", "unscale"}, updates))
      if (auto program = module.lookupSymbol<plan::ProgramOp>(name))
        writeProgram(program, steps);
    rt::Header header{};
    header.magic = rt::kTableMagic;
    header.version = rt::kTableVersion;
    header.name = text(name);
    header.isa = target.isaBits;
    header.device = target.device;
    header.preparedBytes = preparedBytes;
    header.laneScratchBytes = laneScratch;
    blob.bytes.resize(sizeof(rt::Header));
    header.strings = append(strings);
    header.sizes = append(sizes);
    header.checks = append(checks);
    header.inputs = append(inputs);
    header.outputs = append(outputs);
    header.weights = append(weights);
    header.prepared = append(prepared);
    header.buffers = append(buffers);
    header.views = append(views);
    header.args = append(args);
    header.prepareSteps = append(prepareSteps);
    header.runSteps = append(runSteps);
    header.training = append(training);
    header.losses = append(losses);
    header.segments = append(segments);
    header.milestones = append(milestones);
    header.normSteps = append(updates[0]);
    header.updateSteps = append(updates[1]);
    header.averageSteps = append(updates[2]);
    header.accumulateSteps = append(updates[3]);
    header.unscaleSteps = append(updates[4]);
    header.bytes = blob.bytes.size();
    std::memcpy(blob.bytes.data(), &header, sizeof header);
    return blob;
  }

private:
  template <typename T> rt::Section append(const std::vector<T> &rows) {
    blob.bytes.resize((blob.bytes.size() + 7) / 8 * 8);
    rt::Section section{static_cast<uint32_t>(blob.bytes.size()), static_cast<uint32_t>(rows.size())};
    const auto *data = reinterpret_cast<const uint8_t *>(rows.data());
    blob.bytes.insert(blob.bytes.end(), data, data + rows.size() * sizeof(T));
    return section;
  }

  uint32_t text(StringRef value) {
    auto [entry, isNew] = stringOffsets.try_emplace(value, strings.size());
    if (isNew) {
      strings.insert(strings.end(), value.begin(), value.end());
      strings.push_back('\0');
    }
    return entry->second;
  }

  void writeSizes(plan::ProgramOp run) {
    hg::SizeTable table = plan::sizeTable(run);
    for (const hg::SizeTable::Node &node : table.nodes())
      sizes.push_back({static_cast<rt::SizeOp>(node.kind), node.a, node.b, 0, node.value});
    for (const hg::SizeTable::Requirement &check : table.requirements())
      checks.push_back({check.equal ? rt::CheckKind::Equal : rt::CheckKind::AtLeast, check.a, check.b,
                        text(check.message), check.least});
  }

  uint32_t constant(int64_t value) {
    auto [entry, isNew] = constants.try_emplace(value, sizes.size());
    if (isNew)
      sizes.push_back({rt::SizeOp::Constant, 0, 0, 0, value});
    return entry->second;
  }

  /// Slots in order, each on a 64-byte line.
  void layOutPrepared(plan::ProgramOp prepare, plan::ProgramOp run) {
    std::map<int64_t, int64_t> bytes;
    for (plan::ProgramOp program : {prepare, run})
      for (plan::PreparedOp slot : program.getBody().front().getOps<plan::PreparedOp>())
        bytes[slot.getIndex()] = plan::tensorBytes(slot.getView().getType().getTensor());
    for (auto [slot, size] : bytes) {
      prepared.resize(slot + 1);
      prepared[slot] = {preparedBytes, static_cast<uint64_t>(size)};
      preparedBytes += (size + 63) / 64 * 64;
    }
  }

  void writeBuffers(plan::ProgramOp run) {
    for (plan::Lifetime &life : plan::lifetimes(run)) {
      plan::AllocOp alloc = life.alloc;
      ArrayRef<int64_t> e = alloc.getExtents(), a = alloc.getApron();
      bufferIndex[alloc.getBuffer()] = buffers.size();
      buffers.push_back({text(alloc.getName()), dtypeOf(alloc.getElement()), u(e[0]), u(e[1]), u(e[2]),
                         u(alloc.getChannels()), u(a[0]), u(a[1]), u(a[2]), u(a[3]), life.first, life.last});
    }
  }

  static uint32_t u(int64_t value) { return static_cast<uint32_t>(value); }

  uint32_t weightIndex(plan::WeightOp op) {
    auto [entry, isNew] = weightIndices.try_emplace(op.getName(), weights.size());
    if (isNew) {
      ArrayRef<int64_t> shape =
          op.getStored() ? *op.getStored() : op.getView().getType().getTensor().getShape();
      uint32_t flags = op.getTrainable() ? uint32_t(rt::kTrainable)
                       : op.getRunning() ? uint32_t(rt::kRunning)
                                         : 0;
      rt::WeightDesc desc{text(op.getName()), rt::DType::F32, u(shape.size()), flags, {}};
      for (auto [axis, extent] : llvm::enumerate(shape))
        desc.extents[axis] = extent;
      weights.push_back(desc);
    }
    return entry->second;
  }

  /// Inputs and outputs: logical order to (c, x, y, n).
  template <typename OpT>
  void callerView(OpT op, std::vector<rt::TensorDesc> &list, rt::Space space, rt::ViewDesc &view) {
    ArrayRef<int64_t> e = op.getExtents();
    bool hasChannels = e.size() == 4;
    view.space = space;
    view.index = u(op.getIndex());
    view.rank = 4;
    uint32_t dims[4] = {hasChannels ? u(e[1]) : constant(1), u(e[e.size() - 1]), u(e[e.size() - 2]), u(e[0])};
    std::copy(dims, dims + 4, view.extents);
    if (list.size() <= view.index)
      list.resize(view.index + 1);
    rt::TensorDesc &desc = list[view.index];
    auto number = [&](StringRef key) {
      auto value = op->template getAttrOfType<IntegerAttr>(key);
      return value ? value.getInt() : 0;
    };
    desc = {text(op.getName()), view.dtype, u(e.size()), {}};
    desc.flags = op->hasAttr("hourglass.target") ? uint32_t(rt::kTarget) : 0;
    desc.classes = u(number("hourglass.classes"));
    desc.ignore = static_cast<int32_t>(number("hourglass.ignore"));
    for (auto [axis, size] : llvm::enumerate(e))
      desc.sizes[axis] = u(size);
  }

  uint32_t writeView(Value value) {
    RankedTensorType type = cast<plan::ViewType>(value.getType()).getTensor();
    rt::ViewDesc view{};
    view.dtype = dtypeOf(type.getElementType());
    view.stepX = view.stepY = 1;
    view.x0 = view.y0 = constant(0);
    Operation *op = value.getDefiningOp();
    if (auto part = dyn_cast<plan::ViewOp>(op)) {
      ArrayRef<int64_t> e = part.getExtents();
      view.space = rt::Space::Arena;
      view.index = bufferIndex.lookup(part.getBuffer());
      view.rank = 4;
      uint32_t dims[4] = {constant(type.getRank() == 4 ? type.getDimSize(1) : 1), u(e[2]), u(e[1]), u(e[0])};
      std::copy(dims, dims + 4, view.extents);
      view.channelOffset = u(part.getChannel());
      view.y0 = u(part.getOrigin()[0]);
      view.x0 = u(part.getOrigin()[1]);
      view.stepY = u(part.getStep()[0]);
      view.stepX = u(part.getStep()[1]);
      view.bounded = part.getBounded();
      if (auto phases = part.getPhases()) {
        view.phasesY = u((*phases)[0]);
        view.phasesX = u((*phases)[1]);
      }
    } else if (auto input = dyn_cast<plan::InputOp>(op)) {
      callerView(input, inputs, rt::Space::Input, view);
    } else if (auto output = dyn_cast<plan::OutputOp>(op)) {
      callerView(output, outputs, rt::Space::Output, view);
    } else {
      writeDense(op, type, view);
    }
    views.push_back(view);
    return views.size() - 1;
  }

  /// Spaces without pixels: all elements from the first on.
  void writeDense(Operation *op, RankedTensorType type, rt::ViewDesc &view) {
    bool padded = false, flat = false;
    auto flags = [&](auto view) {
      padded = view.getPadded();
      flat = view.getFlat();
    };
    auto startAt = [&](std::optional<ArrayRef<int64_t>> first) {
      if (!first)
        return;
      view.bounded = 1;
      view.y0 = constant((*first)[0]);
      view.x0 = constant((*first)[1]);
    };
    if (auto slot = dyn_cast<plan::PreparedOp>(op)) {
      view.space = rt::Space::Prepared;
      view.index = u(slot.getIndex());
    } else if (auto weight = dyn_cast<plan::WeightOp>(op)) {
      view.space = rt::Space::Weight;
      view.index = weightIndex(weight);
      flags(weight);
      startAt(weight.getFirst());
    } else if (auto dense = dyn_cast<plan::DenseOp>(op)) {
      view.space = rt::Space::Dense;
      view.index = bufferIndex.lookup(dense.getBuffer());
      flags(dense);
      startAt(dense.getFirst());
    } else if (auto gradient = dyn_cast<plan::GradientOp>(op)) {
      view.space = rt::Space::Gradient;
      view.index = weightIndices.lookup(gradient.getName());
      flat = gradient.getFlat();
    } else if (auto part = dyn_cast<plan::FlatOp>(op)) {
      view.space = rt::Space::Flat;
      view.index = u(llvm::find(plan::flatBuffers(), part.getBuffer()) - plan::flatBuffers().begin());
      view.x0 = constant(static_cast<int64_t>(part.getFirst()));
    } else if (auto hyper = dyn_cast<plan::HyperOp>(op)) {
      view.space = rt::Space::Hyper;
      view.index = u(hyper.getRow());
    } else {
      view.space = isa<plan::LossesOp>(op) ? rt::Space::Loss
                   : isa<plan::SeedOp>(op) ? rt::Space::Seed
                                           : rt::Space::Partial;
    }
    SmallVector<int64_t> extents(llvm::reverse(type.getShape()));
    constexpr int64_t kPadding = 64;
    if (flat)
      extents = {type.getNumElements()};
    if (padded)
      extents = {(type.getNumElements() + kPadding - 1) / kPadding * kPadding};
    view.rank = u(extents.size());
    for (auto [axis, extent] : llvm::enumerate(extents))
      view.extents[axis] = constant(extent);
  }

  void writeProgram(plan::ProgramOp program, std::vector<rt::StepDesc> &list) {
    for (Operation *op : plan::steps(program)) {
      if (auto border = dyn_cast<plan::BorderOp>(op)) {
        list.push_back({rt::StepKind::Border, bufferIndex.lookup(border.getBuffer()), 0, 0, text("border"),
                        text("border")});
        continue;
      }
      auto launch = cast<plan::LaunchOp>(op);
      rt::StepDesc step{rt::StepKind::Launch,    kernelIndex.lookup(*launch.getKernel()),
                        u(args.size()),          0,
                        text(launch.getLabel()), text(launch.getProblem())};
      for (Value view : launch.getReads())
        args.push_back(writeView(view));
      for (Value view : launch.getWrites())
        args.push_back(writeView(view));
      step.argCount = u(args.size()) - step.firstArg;
      step.writeCount = u(launch.getWrites().size());
      list.push_back(step);
    }
  }

  ModuleOp module;
  StringRef name;
  ModelBlob blob;
  std::vector<char> strings;
  std::vector<rt::SizeNode> sizes;
  std::vector<rt::SizeCheck> checks;
  std::vector<rt::TensorDesc> inputs, outputs;
  std::vector<rt::WeightDesc> weights;
  std::vector<rt::PreparedDesc> prepared;
  std::vector<rt::BufferDesc> buffers;
  std::vector<rt::ViewDesc> views;
  std::vector<uint32_t> args;
  std::vector<rt::StepDesc> prepareSteps, runSteps;
  uint64_t preparedBytes = 0;
  llvm::StringMap<uint32_t> stringOffsets, kernelIndex, weightIndices;
  std::map<int64_t, uint32_t> constants;
  DenseMap<Value, uint32_t> bufferIndex;
};

static_assert(static_cast<unsigned>(rt::SizeOp::Product) ==
              static_cast<unsigned>(hg::SizeTable::Kind::Product));

} // namespace

FailureOr<ModelBlob> writeTables(ModuleOp planned, StringRef name, const TableTarget &target,
                                 uint64_t laneScratch) {
  return Writer(planned, name).run(target, laneScratch);
}

} // namespace segc
