/// \file Weight gradients as direct sums over pixels: a register tile of channel vectors x channels x taps.
///
/// For every pixel a tile multiplies `cv` vectors of one side's channels (dy's, or x's with over=1) with
/// `it` broadcast channels of the other side, for `tx` taps of a filter row. A task owns a block of the
/// gradient and one band of rows; it goes over its band in strips that fit the caches, and over all its tiles
/// for each strip, adding to sums that stay in its scratch memory.
// SPDX-License-Identifier: MIT
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Wgrad.h"
#include <algorithm>
#include <cmath>

using namespace Halide;

namespace segc::schedules {
namespace {

using namespace wgrad;

bool depthwise(const KernelSpec &spec) {
  return spec.get("g") == spec.get("c") && spec.get("c") == spec.get("k");
}

/// A schedule's constants. Vectors run over the channels of one side, `rows` are those of the other side that
/// one of these meets.
struct Tiling {
  bool overInput;
  int channels, vector, vectors; ///< of the side with the vectors
  int rows;
  int cv, it, tx;
  int taps;                    ///< of a filter row, rounded up to whole tiles
  int blockVectors, blockRows; ///< of a task, whole tiles
  int vectorBlocks, rowBlocks;
  int parts;

  Tiling(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
    auto param = [&](const char *name) { return schedule.params.at(name); };
    overInput = param("over"), cv = param("cv"), it = param("it"), tx = param("tx"), parts = param("parts");
    channels = spec.get(overInput ? "c" : "k");
    vector = lanesFor(spec, overInput, isa);
    vectors = ceilDiv(channels, vector);
    rows = overInput ? spec.get("k") : spec.get("c") / spec.get("g");
    taps = ceilDiv(spec.get("r", 1), tx) * tx;
    auto divide = [](int tiles, int most, int &blocks) { // in equal blocks
      blocks = ceilDiv(tiles, most);
      return ceilDiv(tiles, blocks);
    };
    blockVectors = cv * divide(ceilDiv(vectors, cv), param("vb"), vectorBlocks);
    blockRows = it * divide(ceilDiv(rows, it), param("rb"), rowBlocks);
  }

  /// Lanes of a vector: as many as the channels fill; with groups none may straddle two of them.
  static int lanesFor(const KernelSpec &spec, bool overInput, Isa isa) {
    const int k = spec.get(overInput ? "c" : "k"), g = spec.get("g");
    int vector = lanes(isa);
    while (vector > k || (g > 1 && !depthwise(spec) && k / g % vector))
      vector /= 2;
    return vector;
  }
};

std::string whyNot(const KernelSpec &spec, Isa) {
  if (spec.op != "conv_wgrad")
    return "it computes gradients of convolution weights only";
  return whyNoGroups(spec);
}

std::vector<Parameter> parameters(const KernelSpec &spec, Isa) {
  return {{"over", "side of the vectors: 0 output, 1 input channels",
           spec.get("g") == 1 ? std::vector<int>{0, 1} : std::vector<int>{0}},
          {"cv", "channel vectors of the register tile", {1, 2, 3, 4}},
          {"it", "channels of the other side of the register tile", {1, 2, 3, 4, 6, 8, 12}},
          {"tx", "taps of the register tile", upTo(spec.get("r", 1), {1, 2, 3, 5, 7})},
          {"vb", "register tiles of vectors of a task at most", {1, 2, 4, 8}},
          {"rb", "register tiles of the other side of a task at most", {1, 2, 4, 8, 16, 32, 64}},
          {"px", "pixels of a strip, about", {64, 128, 256, 512, 1024, 2048}},
          {"parts", "bands with sums of their own", {1, 2, 4, 8, 16, 32, 64}}};
}

/// What a register tile costs: its products, vectors and channels beyond the last included, the loads beside
/// them, and the latency of too few sums. Weights from measurements of 1x1, 2x2 and 3x3 layers.
double cost(const KernelSpec &spec, const Tiling &t, Isa isa) {
  const int sums = t.cv * t.it * t.tx, vectors = t.overInput ? t.cv * t.tx : t.cv;
  const bool wide = isAvx512(isa);
  if (sums > (wide ? 24 : 12) || sums + vectors + 1 >= (wide ? 32 : 16)) // one register holds the other side
    return INFINITY;
  const double products = double(ceilDiv(t.vectors, t.cv)) * ceilDiv(t.rows, t.it) * t.taps / t.tx * sums;
  const double loads = vectors + (t.overInput ? t.it : t.it * t.tx);
  const double ragged = t.rows % t.it ? 1 + 0.01 * t.it : 1; // pointers of their own for each channel
  const double scattered = t.overInput ? 1.05 : 1;           // what unpacks them is slower
  return products * ragged * scattered * std::max(8.0 / sums, 1.0) *
         (1 + 0.5 * loads / sums + 0.02 * (4.0 / t.cv - 1));
}

/// The cheapest register tile in blocks of about 128 x 64 to 96 channels, over strips of about 128 pixels
/// (2x2 with stride 2, 512 and 1024 channels, dy of 16x16, two threads: 6.0 ms with 2 x 2 channels and
/// taps, 5.2 with 3 x 2 and blocks of 96, 5.3 with blocks of 48).
Schedule choose(const KernelSpec &spec, Isa isa) {
  constexpr int kVectorChannels = 128, kRows = 96;
  std::map<std::string, std::vector<int>> legal;
  for (const Parameter &p : parameters(spec, isa))
    legal[p.name] = p.legal;
  Schedule best;
  double least = INFINITY;
  for (int over : legal["over"])
    for (int cv : legal["cv"])
      for (int it : legal["it"])
        for (int tx : legal["tx"]) {
          auto most = [&](const char *name, int tiles) {
            return upTo(std::max(tiles, 1), legal[name]).back();
          };
          const int vector = Tiling::lanesFor(spec, over, isa);
          const Schedule point{"wgrad_direct",
                               {{"over", over},
                                {"cv", cv},
                                {"it", it},
                                {"tx", tx},
                                {"vb", most("vb", kVectorChannels / vector / cv)},
                                {"rb", most("rb", kRows / it)},
                                {"px", 128},
                                {"parts", 1}}};
          const double needed = cost(spec, Tiling(spec, point, isa), isa);
          if (needed < least) {
            least = needed;
            best = point;
          }
        }
  const Tiling t(spec, best, isa);
  best.params["parts"] = chooseParts(spec, t.vectorBlocks * t.rowBlocks);
  return best;
}

Packing packing(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const Tiling t(spec, schedule, isa);
  return packedGradient(t.vector, spec.get("r") * spec.get("r", 1), t.blockRows * t.rowBlocks, t.vectors,
                        t.parts, t.overInput);
}

KernelBuild build(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const Tiling t(spec, schedule, isa);
  const int rw = spec.get("r", 1), rh = spec.get("r"), parts = t.parts;
  const int groupC = spec.get("c") / spec.get("g"), groupK = spec.get("k") / spec.get("g");
  const ImageParam x = activation("x", spec.get("c"), spec.get("in"));
  const ImageParam dy = activation("dy", spec.get("k"), spec.get("dy"));
  const Expr width = dy.dim(1).extent(), height = dy.dim(2).extent(), lines = height * dy.dim(3).extent();
  const Pieces strips(lines, parts, max(schedule.params.at("px") / max(width, 1), 1));

  // Tiles beyond the last vector, row or tap repeat it; what they compute is never looked at.
  Var l("l"), v("v"), rx("rx"), ry("ry"), i("i"), strip("strip"), part("part"), tap("tap");
  const bool wholeVectors = t.vectorBlocks * t.blockVectors * t.vector == t.channels;
  const Expr first = wholeVectors ? v * t.vector : vectorStart(v, t.vector, t.channels);
  const Expr row = t.rowBlocks * t.blockRows == t.rows ? Expr(i) : min(i, t.rows - 1);
  const Expr tapX = t.taps == rw ? Expr(rx) : min(rx, rw - 1);
  const Expr channelK = t.overInput ? row : first + l;
  const Expr channelC = t.overInput          ? first + l
                        : spec.get("g") == 1 ? row
                        : depthwise(spec)    ? first + l
                                             : first / groupK * groupC + row;

  RDom pixel(0, width, 0, strips.length, "pixel"), piece(0, strips.count, "piece");
  const Expr line = bandStart(lines, part, parts) + strip * strips.length + pixel.y;
  pixel.where(line < bandStart(lines, part + 1, parts));
  const Expr n = line / height, y = line % height;
  Func acc("acc"), sum("sum"), out("packed");
  acc(l, v, rx, ry, i, strip, part) = 0.f;
  acc(l, v, rx, ry, i, strip, part) +=
      dy(channelK, pixel.x, y, n) * x(channelC, pixel.x * spec.get("s", 1) + tapX * spec.get("d", 1),
                                      y * spec.get("s") + ry * spec.get("d"), n);
  sum(l, v, rx, ry, i, part) = 0.f;
  sum(l, v, rx, ry, i, part) += acc(l, v, rx, ry, i, piece, part);
  out(l, tap, i, v, part) = sum(l, v, tap % rw, tap / rw, i, part);

  // Loops: task (part, block of vectors, block of rows) > strip > tiles > lines and pixels.
  Var vb("vb"), vi("vi"), rb("rb"), ii("ii"), ti("ti"), task("task");
  declarePacked(out, packing(spec, schedule, isa).extents);
  out.split(v, vb, v, t.blockVectors,
            t.vectors % t.blockVectors ? TailStrategy::GuardWithIf : TailStrategy::RoundUp)
      .split(i, rb, i, t.blockRows)
      .split(tap, ry, rx, rw)
      .reorder(l, rx, ry, i, v, rb, vb, part)
      .vectorize(l)
      .fuse(rb, vb, task)
      .fuse(task, part, task)
      .parallel(task);
  auto tiles = [&](Stage stage) {
    return stage.split(v, v, vi, t.cv)
        .split(i, i, ii, t.it)
        .split(rx, rx, ti, t.tx)
        .vectorize(l)
        .unroll(vi)
        .unroll(ii)
        .unroll(ti);
  };
  sum.compute_at(out, task)
      .store_in(MemoryType::Heap)
      .bound(l, 0, t.vector)
      .bound_extent(v, t.blockVectors)
      .bound(rx, 0, t.taps)
      .bound(ry, 0, rh)
      .bound_extent(i, t.blockRows)
      .bound_extent(part, 1);
  tiles(sum).reorder(l, vi, ii, ti, i, v, rx, ry, part);
  tiles(sum.update()).reorder(l, vi, ii, ti, i, v, rx, ry, piece, part);
  acc.compute_at(sum, i)
      .store_in(MemoryType::Register)
      .bound(l, 0, t.vector)
      .bound_extent(v, t.cv)
      .bound_extent(rx, t.tx)
      .bound_extent(ry, 1)
      .bound_extent(i, t.it)
      .bound_extent(strip, 1)
      .bound_extent(part, 1)
      .vectorize(l)
      .unroll(v)
      .unroll(i)
      .unroll(rx);
  acc.update()
      .reorder(l, v, i, rx, pixel.x, pixel.y, ry, strip, part)
      .vectorize(l)
      .unroll(v)
      .unroll(i)
      .unroll(rx);
  return {{x, dy}, Pipeline(out)};
}

} // namespace

Family wgradDirectFamily() {
  return {"wgrad_direct",
          "Weight gradients summed directly on a register tile; any filter, stride, dilation and groups.",
          whyNot,
          parameters,
          choose,
          packing,
          build};
}

} // namespace segc::schedules
