/// \file Turns shapes into a memory layout: sizes, bytes of buffers, the planner, and a check that all views
/// lie inside.
// SPDX-License-Identifier: MIT
#include "runtime/core/Layout.h"
#include "runtime/core/Error.h"
#include "runtime/core/Planner.h"
#include "runtime/core/Sizes.h"
#include "runtime/core/Table.h"
#include <stdlib.h>

namespace segc::rt {
namespace {

int bufferBytes(const Header &table, const BufferDesc &buffer, const int64_t *sizes, uint64_t &bytes) {
  const int64_t n = sizes[buffer.n], h = sizes[buffer.h], w = sizes[buffer.w];
  const int64_t inner[3] = {n, h, w};
  const int64_t outer[4] = {n, h + buffer.top + buffer.bottom, w + buffer.left + buffer.right,
                            buffer.channels};
  const int64_t count = checkedElements(inner, 3) < 0 ? -1 : checkedElements(outer, 4);
  if (count < 0)
    return fail(
        SEGC_MODEL_INVALID_SHAPE,
        "'%s' would be %lld x %lld x %lld x %u: extents are from 1 to 2^24, elements at most 2^31 - 1; take "
        "smaller inputs or fewer images at once",
        text(table, buffer.name), (long long)n, (long long)h, (long long)w, buffer.channels);
  bytes = uint64_t(count) * bytesOf(buffer.dtype);
  return SEGC_MODEL_OK;
}

/// Extents, apron and channels a view may reach: those of a buffer, or of a caller's tensor, which has no
/// apron.
struct Reach {
  int64_t n, h, w, channels;
  uint32_t top, left, bottom, right;
};

bool reachOf(const Header &table, const ViewDesc &view, const int64_t *sizes, Reach &reach) {
  if (view.space == Space::Arena) {
    if (view.index >= table.buffers.count)
      return false;
    const BufferDesc &b = elements<BufferDesc>(table, table.buffers)[view.index];
    reach = {sizes[b.n], sizes[b.h], sizes[b.w], b.channels, b.top, b.left, b.bottom, b.right};
    return true;
  }
  const Section &section = view.space == Space::Input ? table.inputs : table.outputs;
  if (view.index >= section.count)
    return false;
  const TensorDesc &t = elements<TensorDesc>(table, section)[view.index];
  if (t.rank != 3 && t.rank != 4)
    return false;
  reach = {sizes[t.sizes[0]],
           sizes[t.sizes[t.rank - 2]],
           sizes[t.sizes[t.rank - 1]],
           t.rank == 4 ? sizes[t.sizes[1]] : 1,
           0,
           0,
           0,
           0};
  return true;
}

/// True if [origin, origin + (extent - 1) * step] lies within [-before, size + after).
bool inside(int64_t origin, int64_t extent, int64_t step, int64_t size, int64_t before, int64_t after) {
  return extent >= 1 && extent <= kMaxExtent && step >= 0 && step <= kMaxExtent && origin >= -before &&
         origin <= kMaxExtent && origin + (extent - 1) * step < size + after;
}

/// product of extents, each at least 1, at most 2^31 - 1; -1 if not. Unlike pixels, the elements of a vector
/// may be many in one dimension.
int64_t denseElements(const int64_t *extents, uint32_t rank) {
  int64_t product = 1;
  for (uint32_t k = 0; k < rank; ++k)
    if (extents[k] < 1 || __builtin_mul_overflow(product, extents[k], &product) || product > kMaxElements)
      return -1;
  return product;
}

/// True if [first, first + count) lies in [0, size).
bool within(int64_t first, int64_t count, uint64_t size) {
  return first >= 0 && uint64_t(first) <= size && uint64_t(count) <= size - uint64_t(first);
}

/// The same promise for a view without pixels, of `count` elements. Vectors that are only `read` may be
/// longer than what they name, up to a multiple of kFlatSlack: the memory is there.
bool denseViewFits(const Header &table, const ViewDesc &view, const int64_t *sizes, int64_t count,
                   bool read) {
  const TrainingDesc *training = trainingOf(table);
  const bool mayExceed = read && view.rank == 1 && count % kFlatSlack == 0;
  const uint64_t bytes = uint64_t(count) * bytesOf(view.dtype);
  if (view.space == Space::Prepared)
    return view.index < table.prepared.count &&
           bytes <= elements<PreparedDesc>(table, table.prepared)[view.index].bytes;
  if (view.space == Space::Weight || view.space == Space::Gradient) {
    if (view.index >= table.weights.count)
      return false;
    const WeightDesc &weight = elements<WeightDesc>(table, table.weights)[view.index];
    if (view.space == Space::Weight)
      return !training ||
             within(int64_t(weight.flat), count, training->totalElements + (mayExceed ? kFlatSlack : 0));
    return training && (weight.flags & kTrainable) && bytes == uint64_t(count) * sizeof(float) &&
           within(int64_t(weight.flat), count, training->trainableElements);
  }
  if (!training)
    return false;
  switch (view.space) {
  case Space::Dense: {
    if (view.index >= table.buffers.count)
      return false;
    const BufferDesc &buffer = elements<BufferDesc>(table, table.buffers)[view.index];
    const BufferShape shape = shapeOf(buffer, sizes);
    const uint64_t size = uint64_t(shape.n * shape.rows * shape.rowElements);
    const uint64_t whole = (size + kFlatSlack - 1) / kFlatSlack * kFlatSlack;
    return bytes <= (mayExceed ? whole : size) * bytesOf(buffer.dtype);
  }
  case Space::Flat:
    return view.rank == 1 && view.index < kFlatBuffers && bytes == uint64_t(count) * sizeof(float) &&
           within(sizes[view.x0], count,
                  view.index == uint32_t(FlatBuffer::Parameters) ? training->totalElements
                                                                 : training->trainableElements);
  case Space::Hyper:
    return view.index < table.segments.count && bytes <= kHyperFloats * sizeof(float);
  case Space::Loss:
    return bytes <= (1 + uint64_t(training->lossCount)) * sizeof(float);
  case Space::Seed:
    return bytes <= 2 * sizeof(int32_t);
  case Space::Partial:
    return bytes <= kPartialSums * sizeof(double);
  default:
    return false;
  }
}

/// The plan's own promise, checked for these sizes: kernels then cannot leave the memory.
bool viewFits(const Header &table, const ViewDesc &view, const int64_t *sizes, bool read) {
  const bool isWhole = view.phasesX == 1 && view.phasesY == 1;
  if (view.phasesX < 1 || view.phasesY < 1 || (!isWhole && (view.space != Space::Arena || view.bounded)))
    return false;
  int64_t extents[kMaxRank];
  for (uint32_t k = 0; k < view.rank && k < kMaxRank; ++k)
    extents[k] = sizes[view.extents[k]];
  if (view.space != Space::Arena && view.space != Space::Input && view.space != Space::Output) {
    const int64_t count = view.rank <= kMaxRank ? denseElements(extents, view.rank) : -1;
    return count > 0 && (!view.bounded || view.rank == 4) && denseViewFits(table, view, sizes, count, read);
  }
  Reach reach;
  const bool repeats = view.stepX == 0 || view.stepY == 0; // one row or column for all: to be read only
  if (view.rank != 4 || !reachOf(table, view, sizes, reach) ||
      (repeats && (!read || view.space != Space::Arena)))
    return false;
  if (!inside(view.channelOffset, extents[0], 1, reach.channels, 0, 0) ||
      !inside(0, extents[3], view.space == Space::Arena && reach.n == 1 ? 0 : 1, reach.n, 0, 0))
    return false;
  if (view.bounded)
    return view.stepX == 1 && view.stepY == 1;
  return inside(sizes[view.x0], extents[1], view.stepX, reach.w, reach.left, reach.right) &&
         inside(sizes[view.y0], extents[2], view.stepY, reach.h, reach.top, reach.bottom);
}

int checkViews(const Header &table, const int64_t *sizes) {
  const ViewDesc *views = elements<ViewDesc>(table, table.views);
  const auto check = [&](uint32_t view, bool read) {
    return view < table.views.count && viewFits(table, views[view], sizes, read)
               ? SEGC_MODEL_OK
               : fail(SEGC_MODEL_KERNEL_FAILED,
                      "the library is damaged: view %u leaves its memory for this shape", view);
  };
  for (uint32_t i = 0; i < table.views.count; ++i)
    if (int status = check(i, true))
      return status;
  for (uint32_t list = 0; list < kStepLists; ++list) {
    const Section &steps = section(table, StepList(list));
    for (uint32_t i = 0; i < steps.count; ++i) {
      const StepDesc &step = elements<StepDesc>(table, steps)[i];
      const uint32_t *args = elements<uint32_t>(table, table.args) + step.firstArg;
      for (uint32_t k = step.argCount - step.writeCount; k < step.argCount; ++k)
        if (int status = check(args[k], false))
          return status;
    }
  }
  return SEGC_MODEL_OK;
}

/// What the planner calls a buffer's border: one more than the number of the first buffer with the same one.
uint32_t likeOf(const BufferDesc *buffers, uint32_t index, const int64_t *sizes) {
  const BufferDesc &own = buffers[index];
  if (!(own.top | own.left | own.bottom | own.right))
    return 0;
  const auto isLike = [&](const BufferDesc &b) {
    return sizes[b.n] == sizes[own.n] && sizes[b.h] == sizes[own.h] && sizes[b.w] == sizes[own.w] &&
           b.channels == own.channels && b.dtype == own.dtype && b.top == own.top && b.left == own.left &&
           b.bottom == own.bottom && b.right == own.right;
  };
  uint32_t first = 0;
  while (!isLike(buffers[first]))
    ++first;
  return first + 1;
}

int plan(const Header &table, Layout &layout, Interval *intervals, uint32_t *scratch) {
  const BufferDesc *buffers = elements<BufferDesc>(table, table.buffers);
  const uint32_t count = table.buffers.count;
  for (uint32_t i = 0; i < count; ++i) {
    intervals[i] = {buffers[i].firstStep, buffers[i].lastStep, 0, likeOf(buffers, i, layout.sizes)};
    if (int status = bufferBytes(table, buffers[i], layout.sizes, intervals[i].bytes))
      return status;
  }
  layout.arenaBytes = planArena(intervals, count, layout.offsets, scratch);
  if (trainingOf(table))
    layout.arenaBytes += kFlatSlack * sizeof(double); // kernels read vectors up to a multiple of kFlatSlack
  uint32_t a, b;
  if (!verifyArena(intervals, count, layout.offsets, layout.arenaBytes, &a, &b))
    return fail(SEGC_MODEL_KERNEL_FAILED, "the library is damaged: buffers '%s' and '%s' overlap",
                text(table, buffers[a].name), text(table, buffers[b].name));
  for (uint32_t i = 0; i < count; ++i)
    layout.stands[i] = borderStands(intervals, count, layout.offsets, i);
  return SEGC_MODEL_OK;
}

} // namespace

int Layout::compute(const Header &table, const int64_t *shapes) {
  const uint64_t buffers = table.buffers.count;
  sizes = static_cast<int64_t *>(malloc((table.sizes.count + buffers + 1) * sizeof(int64_t) + buffers));
  void *work = malloc(buffers * (sizeof(Interval) + 2 * sizeof(uint32_t)) + 1);
  int status = SEGC_MODEL_OK;
  if (!sizes || !work)
    status = fail(SEGC_MODEL_OUT_OF_MEMORY, "no memory for planning");
  if (!status) {
    offsets = reinterpret_cast<uint64_t *>(sizes + table.sizes.count);
    stands = reinterpret_cast<uint8_t *>(offsets + buffers);
    status = evaluateSizes(table, shapes, sizes);
  }
  if (!status) {
    Interval *intervals = static_cast<Interval *>(work);
    status = plan(table, *this, intervals, reinterpret_cast<uint32_t *>(intervals + buffers));
  }
  if (!status)
    status = checkViews(table, sizes);
  ::free(work);
  if (status)
    free();
  return status;
}

void Layout::free() {
  ::free(sizes);
  sizes = nullptr;
  offsets = nullptr;
  stands = nullptr;
  arenaBytes = 0;
}

BufferShape shapeOf(const BufferDesc &buffer, const int64_t *sizes) {
  const int64_t n = sizes[buffer.n], h = sizes[buffer.h], w = sizes[buffer.w];
  return {n, h, w, (int64_t(buffer.left) + w + buffer.right) * buffer.channels,
          int64_t(buffer.top) + h + buffer.bottom};
}

uint64_t workspaceBytes(const Header &table, const Layout &layout, int threads) {
  return layout.arenaBytes + uint64_t(threads) * alignUp(table.laneScratchBytes);
}

} // namespace segc::rt
