/// \file The stages of Winograd's convolutions and where each is computed.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/WinogradLoops.h"
#include "schedules/cpu/Prefetch.h"

using namespace Halide;

namespace segc::schedules::winograd {

const std::vector<int> kChunks = {1, 2, 3, 4, 6, 8, 12, 16, 32};

int panelsOf(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  return ceilDiv(ceilDiv(spec.get("k"), lanes(isa)), schedule.params.at("cv"));
}

int blockVectors(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  return divisorUpTo(panelsOf(spec, schedule, isa), schedule.params.at("cb")) * schedule.params.at("cv");
}

namespace {

/// Blocks of channels of a task: kc, fewer where that does not divide the blocks.
int blocksOfTask(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const int blocks =
      panelsOf(spec, schedule, isa) * schedule.params.at("cv") / blockVectors(spec, schedule, isa);
  return divisorUpTo(blocks, schedule.params.at("kc"));
}

} // namespace

void chooseChunk(const KernelSpec &spec, Schedule &schedule, Isa isa, bool whole) {
  const int channels = whole ? panelsOf(spec, schedule, isa) * schedule.params.at("cv") * lanes(isa) : 256;
  const int most = std::max(channels / lanes(isa) / blockVectors(spec, schedule, isa), 1);
  for (int kc : kChunks) {
    Schedule larger = schedule;
    larger.params["kc"] = kc;
    const int blocks = blocksOfTask(spec, schedule, isa);
    if (kc <= most || (2 * blocks < most && blocksOfTask(spec, larger, isa) > blocks))
      schedule = larger;
  }
}

Loops::Loops(const KernelSpec &spec, const Schedule &schedule, Isa isa, Filtering alongX, Filtering alongY)
    : alongX(std::move(alongX)), alongY(std::move(alongY)), isa(isa), vector(lanes(isa)), k(spec.get("k")),
      dx(spec.get("d", 1)), dy(spec.get("d")), cv(schedule.params.at("cv")), bx(schedule.params.at("bx")),
      by(schedule.params.at("by")), mx(tilesX(cv)), my(tilesY(isa)), block(blockVectors(spec, schedule, isa)),
      chunk(blocksOfTask(spec, schedule, isa)),
      isRagged(k % (panelsOf(spec, schedule, isa) * cv * vector) != 0) {}

void Loops::defineInput(Part &p, const Input &input, Narrow narrow) const {
  p.columns(lane, tx, ty, kv, s, t, n) = mux(t, alongY.input(listOf(alongY.planes(), [&](int i) {
    return input(p.first + kv * p.lanes + lane, tx, s, ty, i);
  })));
  const Expr value = mux(s, alongX.input(listOf(alongX.planes(), [&](int i2) {
    return p.columns(lane, tx * mx + i, ty * my + j, kv, i2, t, n);
  })));
  p.v(lane, i, j, kv, tx, ty, s, t, n) = narrow ? narrow(value) : value;
}

/// Each micro-tile of a plane fetches its share of the filters of the next plane. Without that the first one
/// waits for all of them, while the others leave the memory idle. Of two threads with two products a cycle
/// and 30 GB/s from the L3 cache each takes 4.4 instead of 8 ms for 512 to 512 channels at 32x32.
Expr Loops::fetchAhead(const Expr &weight, const ImageParam &u, const std::vector<int> &extents,
                       const Expr &channel, const Expr &plane) const {
  constexpr int kHeld = 1 << 19, kLine = 64; // bytes
  const int panel = extents[0], channels = extents[1], planes = extents[2];
  const int64_t bytes = u.type().bytes();
  if (bytes * panel * channels * planes * extents[3] <= kHeld)
    return weight;
  const int across = bx / mx, down = by / my, share = std::max(panel / (across * down), 1);
  const Expr microTile = tx / mx % across + ty / my % down * across;
  const Expr next = (plane + 1 + co / cv * planes) * (panel * channels);
  return prefetching(weight, u, next + (microTile * channels + channel) * share,
                     ceilDiv(share * int(bytes), kLine));
}

void Loops::addProducts(const Part &p, const Expr &weight) {
  if (!acc.defined())
    acc(lane, s, t, tx, ty, co, n) = 0.f;
  acc(lane, s, t, tx, ty, co, n) +=
      weight * cast<float>(p.v(p.r.x, tx % mx, ty % my, p.r.y, tx / mx, ty / my, s, t, n));
}

Expr Loops::pixel(const Expr &tx, const Expr &ty, const Expr &i, const Expr &j) const {
  return tile(c % vector, i, j, tx, ty, c / vector, n);
}

void Loops::defineResults() {
  m(lane, s, t, tx, ty, co, n) =
      acc(lane, s, t, tx, ty, co, n); // a copy, so that sums start and stay in registers
  defineTiles();
}

void Loops::defineTiles() {
  rowsOut(lane, s, t, tx, ty, co, n) =
      mux(t, alongY.output(listOf(alongY.planes(), [&](int i) { return m(lane, s, i, tx, ty, co, n); })));
  tile(lane, s, t, tx, ty, co, n) = mux(
      s, alongX.output(listOf(alongX.planes(), [&](int i) { return rowsOut(lane, i, t, tx, ty, co, n); })));
}

void Loops::schedule(Func out, std::vector<Part> &parts, int sideX, int sideY) {
  scheduleTiles(out, sideX, sideY);
  for (Part &p : parts)
    scheduleInput(LoopLevel(out, Var("task")), p, p.vectors);
  scheduleProducts(out);
}

void Loops::scheduleTiles(Func out, int sideX, int sideY) {
  scheduleStore(out, sideX, sideY);
  rowsOut.reorder(lane, t, s, tx, ty, co, n); // column by column, as values of a column share sums
  for (Func f : {tile, rowsOut})
    f.compute_at(out, co)
        .store_in(MemoryType::Stack)
        .bound_extent(tx, 1)
        .bound_extent(ty, 1)
        .bound_extent(co, 1)
        .bound_extent(n, 1)
        .bound_extent(t, alongY.results())
        .vectorize(lane, vector);
  tile.bound_extent(s, alongX.results()).unroll(s);
  rowsOut.bound_extent(s, alongX.planes()).unroll(t);
  if (fitsRegisters()) {
    tile.unroll(t);
    rowsOut.unroll(s);
  }
}

/// Loops: task (chunk of channels, image, block of tiles) > block of channels > tile > vector of channels >
/// pixels. A block of tiles has some phases of one tile, or all phases of some.
void Loops::scheduleStore(Func out, int sideX, int sideY) const {
  const Var cb("cb"), kb("kb"), xi("xi"), yi("yi"), xb("xb"), yb("yb"), task("task");
  const TailStrategy guard = TailStrategy::GuardWithIf, whole = isRagged ? guard : TailStrategy::RoundUp;
  const bool partX = dx > bx, partY = dy > by;
  Stage store = out.bound(c, 0, k).update();
  store.split(c, co, lane, vector, isRagged ? TailStrategy::PredicateStores : TailStrategy::RoundUp)
      .split(co, cb, co, block, whole)
      .split(cb, kb, cb, chunk, whole)
      .split(x, tx, xi, sideX, guard)
      .split(y, ty, yi, sideY, guard);
  partX ? store.split(phaseX, xb, phaseX, bx) : store.split(tx, xb, tx, bx / dx, guard);
  partY ? store.split(phaseY, yb, phaseY, by) : store.split(ty, yb, ty, by / dy, guard);
  std::vector<VarOrRVar> loops = {lane, xi, yi, co};
  std::vector<Var> tasks;
  auto place = [&](bool part, const Var &phase, const Var &tiles, const Var &blockOfTiles) {
    if (isDilated())
      loops.push_back(phase);
    tasks.push_back(blockOfTiles);
    part ? tasks.push_back(tiles) : loops.push_back(tiles);
  };
  place(partX, phaseX, tx, xb);
  place(partY, phaseY, ty, yb);
  tasks.insert(tasks.end(), {n, kb});
  loops.push_back(cb);
  loops.insert(loops.end(), tasks.begin(), tasks.end());
  store.reorder(loops).vectorize(lane).unroll(xi).never_partition_all();
  if (fitsRegisters())
    store.unroll(yi);
  for (size_t l = 1; l < tasks.size(); l++)
    store.fuse(l == 1 ? tasks[0] : task, tasks[l], task);
  store.parallel(task);
}

/// A tile that is larger than the registers lies in memory between its two transforms anyway: then a loop
/// over its columns and one over its rows take less code than all planes unrolled, and less time (F(6x6): 2
/// to 5 % of a layer's; F(4x4) loses 1 %, F(2x4) would lose 4 %).
bool Loops::fitsRegisters() const { return alongX.planes() * alongY.planes() <= (isAvx512(isa) ? 32 : 16); }

void Loops::scheduleInput(const LoopLevel &level, Part &p, int vectors) const {
  // The columns of some vectors of channels together: of each pixel neighbouring lines are read (layers of
  // 64 to 256 channels in a step of U-Net: 2 to 4 % less time).
  const Var kvo("kvo");
  const int group = fitsRegisters() ? 1 : divisorUpTo(vectors, 4);
  // Only the micro-tiles that the image has are computed, in memory for all of the block.
  p.v.compute_at(level)
      .store_in(MemoryType::Heap)
      .bound(i, 0, mx)
      .bound(j, 0, my)
      .bound_extent(kv, vectors)
      .bound_storage(tx, bx / mx)
      .bound_storage(ty, by / my)
      .bound_extent(s, alongX.planes())
      .bound_extent(t, alongY.planes())
      .bound_extent(n, 1)
      .bound_storage(kv, vectors + 1) // planes a power of two apart would share cache sets
      .split(kv, kvo, kv, group)
      .reorder(lane, s, t, kv, kvo, i, j, tx, ty, n)
      .vectorize(lane, p.lanes)
      .unroll(s);
  p.columns.reorder(lane, t, kv, s, tx, ty, n);
  p.columns.compute_at(p.v, kvo)
      .store_in(MemoryType::Stack)
      .bound_extent(s, alongX.planes())
      .bound_extent(t, alongY.planes())
      .bound_extent(n, 1);
  p.columns.bound_extent(tx, 1)
      .bound_extent(ty, 1)
      .bound_extent(kv, group)
      .vectorize(lane, p.lanes)
      .unroll(t);
  if (fitsRegisters()) {
    p.v.unroll(t);
    p.columns.unroll(s);
  }
}

void Loops::scheduleProducts(Func out) {
  const Var ci("ci"), txi("txi"), tyi("tyi");
  m.compute_at(out, Var("cb"))
      .hoist_storage(out, Var("task"))
      .store_in(MemoryType::Heap)
      .bound_extent(s, alongX.planes())
      .bound_extent(t, alongY.planes())
      .bound_storage(tx, bx)
      .bound_storage(ty, by)
      .bound_extent(co, block)
      .bound_extent(n, 1)
      .split(co, co, ci, cv)
      .split(tx, tx, txi, mx, TailStrategy::RoundUp)
      .split(ty, ty, tyi, my, TailStrategy::RoundUp)
      .reorder(lane, ci, txi, tyi, tx, ty, co, s, t, n)
      .vectorize(lane, vector)
      .unroll(ci)
      .unroll(txi)
      .unroll(tyi);
  acc.compute_at(m, tx)
      .store_in(MemoryType::Register)
      .bound_extent(s, 1)
      .bound_extent(t, 1)
      .bound_extent(tx, mx)
      .bound_extent(ty, my)
      .bound_extent(co, cv)
      .bound_extent(n, 1)
      .reorder(lane, co, tx, ty, s, t, n)
      .vectorize(lane, vector)
      .unroll(co)
      .unroll(tx)
      .unroll(ty);
}

Stage Loops::scheduleSum(Stage sum, const RVar &channel, const RVar &channels) const {
  return sum.reorder({lane, co, tx, ty, channel, channels, s, t, n})
      .vectorize(lane, vector)
      .unroll(co)
      .unroll(tx)
      .unroll(ty);
}

} // namespace segc::schedules::winograd
