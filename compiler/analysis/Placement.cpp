/// \file Decides places: concats and interleavings first, from the last to the first, then everything else.
// SPDX-License-Identifier: MIT
#include "compiler/analysis/Placement.h"
#include "compiler/analysis/GroupSpec.h"
#include "schedules/Family.h"

using namespace mlir;

namespace segc {

Placement::Placement(func::FuncOp main, hg::SizeTable &table) : main(main), table(table) {}

/// Is the value an image rather than weights or a vector?
static bool hasPixels(Value value) {
  Operation *op = value.getDefiningOp();
  if (cast<RankedTensorType>(value.getType()).getRank() != 4)
    return false;
  if (auto group = dyn_cast_or_null<hg::GroupOp>(op)) {
    auto yield = cast<hg::YieldOp>(group.getBody().front().back());
    Operation *made = yield.getValues()[cast<OpResult>(value).getResultNumber()].getDefiningOp();
    return !isa_and_nonnull<hg::PackOp, hg::ConvWeightGradOp>(made);
  }
  return !op || !op->hasTrait<hg::OnWeights>() ||
         isa<hg::FinishLossOp, hg::FinishGroupStatsOp, hg::FinishGroupNormGradOp>(op);
}

LogicalResult Placement::compute() {
  auto inferred = inferShapes(main, table);
  if (failed(inferred))
    return failure();
  shapes = std::move(*inferred);
  SmallVector<Operation *> views;
  for (auto [index, op] : llvm::enumerate(main.getBody().front()))
    position[&op] = index;
  for (Operation &op : main.getBody().front())
    if (isa<hg::ConcatOp, hg::InterleaveOp>(op))
      views.push_back(&op);
  for (Operation *view : llvm::reverse(views))
    placeParts(*view);
  placeRest();
  growAprons();
  return success();
}

unsigned Placement::makeBuffer(Value value) {
  const hg::Shape &s = shape(value);
  BufferInfo buffer;
  buffer.name = hg::layerName(value.getLoc());
  buffer.element = storedType(value);
  bool hasChannels = s.dims.size() == 4;
  buffer.n = s.dims[0];
  buffer.h = s.dims[hasChannels ? 2 : 1];
  buffer.w = s.dims[hasChannels ? 3 : 2];
  buffer.channels = hasChannels ? *table.constantValue(s.dims[1]) : 1;
  buffers.push_back(buffer);
  return buffers.size() - 1;
}

/// A producer can write `value` into `view` if it is a kernel or itself such a view, and nothing placed it
/// before, and if `part` is where its kernels can reach it. A phase may have no other reader: neighbours of
/// its pixels are pixels of other phases.
bool Placement::canBePlaced(Value value, Operation &view, const Place &part) const {
  Operation *producer = value.getDefiningOp();
  if (!producer || places.count(value) || llvm::count(view.getOperands(), value) != 1)
    return false;
  if (const int64_t multiple = granule(value);
      part.channel % multiple || buffers[part.buffer].channels % multiple)
    return false;
  if (isa<hg::InterleaveOp>(view))
    return isa<hg::GroupOp>(producer) && value.hasOneUse();
  return isa<hg::GroupOp, hg::ConcatOp, hg::InterleaveOp>(producer);
}

int64_t Placement::granule(Value value) const {
  int64_t most = 1;
  auto note = [&](Operation *op) {
    auto group = dyn_cast_or_null<hg::GroupOp>(op);
    if (group && group.getSchedule())
      most = std::max<int64_t>(most, schedules::granuleOf(group.getSchedule()->str()));
  };
  note(value.getDefiningOp());
  if (auto interleave = value.getDefiningOp<hg::InterleaveOp>()) // what its kernels write is then in reach
    for (Value phase : interleave->getOperands())
      note(phase.getDefiningOp());
  SmallVector<Value> views{value}; // a slice lies in its operand
  while (!views.empty())
    for (Operation *user : views.pop_back_val().getUsers()) {
      note(user);
      if (auto slice = dyn_cast<hg::SliceOp>(user))
        views.push_back(slice.getY());
    }
  return most;
}

unsigned Placement::lastRead(Value value) const {
  unsigned last = value.getDefiningOp() ? position.lookup(value.getDefiningOp()) : 0;
  SmallVector<Value> views{value}; // a slice lives in its operand's buffer
  while (!views.empty())
    for (OpOperand &use : views.pop_back_val().getUses())
      if (!hg::isShapeOnly(use)) {
        last = std::max(last, position.lookup(use.getOwner()));
        if (isa<hg::SliceOp>(use.getOwner()))
          views.push_back(use.getOwner()->getResult(0));
      }
  return last;
}

/// Does no value lie in these channels of the buffer between the positions `from` and `to`?
bool Placement::isFree(const Place &part, int64_t channels, unsigned from, unsigned to) const {
  for (const auto &[value, other] : places) {
    Operation *producer = value.getDefiningOp();
    if (other.buffer != part.buffer || (producer && isa<hg::ConcatOp, hg::InterleaveOp>(producer)))
      continue; // what is put together has no memory beside that of its parts
    int64_t size = *table.constantValue(shape(value).dims[1]);
    bool overlaps = other.channel < part.channel + channels && part.channel < other.channel + size;
    unsigned written = producer ? position.lookup(producer) : 0;
    if (overlaps && written <= to && from <= lastRead(value))
      return false;
  }
  return true;
}

/// In nets whose skips are nested (U-Net++) the concats of a level begin with the same operands: each can lie
/// where the last one does, its further operands where those of the later ones are not written yet.
std::optional<Place> Placement::placeInside(hg::ConcatOp concat) const {
  auto first = places.find(concat.getInputs()[0]);
  if (first == places.end())
    return std::nullopt;
  Place whole = first->second, part = whole;
  unsigned end = lastRead(concat.getY());
  for (Value operand : concat.getInputs()) {
    int64_t channels = *table.constantValue(shape(operand).dims[1]);
    auto placed = places.find(operand);
    if (part.channel + channels > buffers[whole.buffer].channels)
      return std::nullopt;
    if (placed != places.end() ? !(placed->second == part)
                               : !canBePlaced(operand, *concat, part) ||
                                     !isFree(part, channels, position.lookup(operand.getDefiningOp()),
                                             std::max(end, lastRead(operand))))
      return std::nullopt;
    part.channel += channels;
  }
  return whole;
}

void Placement::placeParts(Operation &view) {
  Value whole = view.getResult(0);
  if (!places.count(whole)) {
    auto concat = dyn_cast<hg::ConcatOp>(view);
    std::optional<Place> inside = concat ? placeInside(concat) : std::nullopt;
    places[whole] = inside ? *inside : Place{makeBuffer(whole)};
  }
  Place outer = place(whole);
  int64_t channel = 0;
  size_t copiesBefore = copies.size();
  for (auto [index, operand] : llvm::enumerate(view.getOperands())) {
    Place part = outer;
    if (auto interleave = dyn_cast<hg::InterleaveOp>(view)) {
      ArrayRef<int64_t> stride = interleave.getStride();
      part.y0 += outer.stepY * static_cast<int64_t>(index / stride[1]);
      part.x0 += outer.stepX * static_cast<int64_t>(index % stride[1]);
      part.stepY *= stride[0];
      part.stepX *= stride[1];
    } else {
      part.channel += channel;
      channel += *table.constantValue(shape(operand).dims[1]);
    }
    auto placed = places.find(operand);
    if (placed != places.end() && placed->second == part) {
      ++elided;
    } else if (canBePlaced(operand, view, part)) {
      places[operand] = part;
      ++elided;
    } else {
      copies.push_back({&view, operand, part});
    }
  }
  concats += isa<hg::ConcatOp>(view);
  concatsElided += isa<hg::ConcatOp>(view) && copies.size() == copiesBefore;
}

/// A pointwise kernel may write over the operand it starts from if nothing touches that buffer later.
bool Placement::takesOver(hg::GroupOp group, Value operand, unsigned position) const {
  auto kernel = describeGroup(group);
  if (failed(kernel) || kernel->spec.op != "pointwise" || isa<hg::CropOp, hg::BroadcastOp>(kernel->anchor) ||
      group.getInputs()[kernel->reads[0].operand] != operand || !places.count(operand))
    return false;
  const Place &from = place(operand);
  const BufferInfo &buffer = buffers[from.buffer];
  bool whole = from.channel == 0 && from.stepY == 1 && from.stepX == 1 &&
               buffer.channels == *table.constantValue(shape(operand).dims[1]);
  return whole && buffer.element == storedType(group.getOutputs()[0]) &&
         lastUse.lookup(from.buffer) <= position;
}

void Placement::placeRest() {
  Block &block = main.getBody().front();
  auto touch = [&](Value value) {
    unsigned &last = lastUse[place(value).buffer];
    last = std::max(last, lastRead(value));
  };
  for (const auto &[value, placed] : places)
    touch(value);
  for (BlockArgument argument : main.getArguments())
    if (!isPrepared(main, argument)) {
      places[argument] = {makeBuffer(argument)};
      touch(argument);
    }
  for (Operation &op : block.without_terminator()) {
    if (auto slice = dyn_cast<hg::SliceOp>(op)) {
      Place part = place(slice.getX());
      part.channel += static_cast<int64_t>(slice.getOffset());
      places[slice.getY()] = part;
      continue;
    }
    auto group = dyn_cast<hg::GroupOp>(op);
    for (Value result : op.getResults()) {
      if (places.count(result) || !hasPixels(result) || (group && writesCallersMemory(group)))
        continue;
      if (group && result == group.getOutputs()[0])
        for (Value operand : group.getInputs())
          if (!places.count(result) && takesOver(group, operand, position[&op])) {
            Place taken = place(operand); // a copy: the new entry may move the old ones
            places[result] = taken;
            ++inPlace;
          }
      if (!places.count(result))
        places[result] = {makeBuffer(result)};
      touch(result);
    }
  }
}

/// Convolutions and their weight gradients read their padding from the apron.
void Placement::growAprons() {
  for (hg::GroupOp group : main.getBody().front().getOps<hg::GroupOp>()) {
    auto kernel = describeGroup(group);
    auto conv = succeeded(kernel) ? dyn_cast<hg::ConvOp>(kernel->anchor) : hg::ConvOp();
    auto grad = succeeded(kernel) ? dyn_cast<hg::ConvWeightGradOp>(kernel->anchor) : hg::ConvWeightGradOp();
    if (!conv && !grad)
      continue;
    BufferInfo &buffer = buffers[place(group.getInputs()[kernel->reads[0].operand]).buffer];
    for (unsigned axis = 0; axis < 2; ++axis) {
      hg::WindowMap window = conv ? conv.window(axis) : grad.window(axis);
      buffer.apron[axis] =
          std::max(buffer.apron[axis], window.maxBefore()); // at least 0: negative padding crops
      buffer.apron[axis + 2] = std::max(buffer.apron[axis + 2], window.maxAfter());
    }
  }
  evenAprons();
}

/// Small buffers that differ in the width of their aprons alone get that of the widest one: then the planner
/// can put them at the same place, where their borders stand from one run to the next.
void Placement::evenAprons() {
  constexpr int64_t kSmall = 1 << 20; // bytes
  const std::vector<int64_t> sizes = table.evaluate();
  auto isLike = [](const BufferInfo &a, const BufferInfo &b) {
    return a.n == b.n && a.h == b.h && a.w == b.w && a.channels == b.channels && a.element == b.element;
  };
  auto hasApron = [](const BufferInfo &buffer) {
    return llvm::any_of(buffer.apron, [](int64_t pixels) { return pixels > 0; });
  };
  for (BufferInfo &buffer : buffers) {
    if (!hasApron(buffer))
      continue;
    std::array<int64_t, 4> widest = buffer.apron;
    for (const BufferInfo &other : buffers)
      for (unsigned side = 0; side < 4 && isLike(buffer, other); ++side)
        widest[side] = std::max(widest[side], other.apron[side]);
    const int64_t n = sizes[buffer.n], h = sizes[buffer.h], w = sizes[buffer.w];
    const int64_t bytes = n * (widest[0] + h + widest[2]) * (widest[1] + w + widest[3]) * buffer.channels *
                          ((buffer.element.getIntOrFloatBitWidth() + 7) / 8);
    if (n > 0 && h > 0 && w > 0 && bytes <= kSmall)
      buffer.apron = widest;
  }
}

} // namespace segc
