/// \file What a loss sums over its pixels, in f64 over bands of rows.
///
/// A task is a band of an image. Terms are computed for vectors of pixels, or of channels where there are
/// many and each has a term or a sum of its own; what a pixel's softmax needs of its channels is gathered
/// before.
// SPDX-License-Identifier: MIT
#include "schedules/Arithmetic.h"
#include "schedules/cpu/Bands.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Loss.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// Channel vectors of class sums are unrolled up to this many.
constexpr int kMostUnrolled = 4;

class LossSums {
public:
  LossSums(const KernelSpec &spec, Isa isa)
      : loss(spec), rows(spec.get("c"), isa, false), lanes(sharesOf(spec, isa)),
        within(rows.overChannels && !isGpu(isa)), band(loss.height(), b) {}

  KernelBuild build() {
    if (loss.softmax && loss.overlap)
      within ? classesWithinPixels() : classesAcrossPixels();
    else if (loss.softmax)
      labels();
    else
      within ? elementsWithinPixels() : elementsAcrossPixels();
    const int channels = loss.overlap ? loss.channels : 1;
    out.bound(c, 0, channels).bound(k, 0, loss.columns()).unroll(k).fuse(b, n, task).parallel(task);
    describeSums(out, channels, loss.columns());
    return kernelBuild(Pipeline(out), loss.inputs);
  }

private:
  const Loss loss;
  const Rows rows;
  const int lanes;   ///< of vectors across pixels
  const bool within; ///< vectors lie in one pixel
  const Var c{"c"}, k{"k"}, b{"b"}, n{"n"}, lane{"lane"}, block{"block"}, px{"px"}, py{"py"}, task{"task"};
  const Band band;
  Func sums{"sums"}, out{"y"};

  /// Sums of several columns with these variables in front of b and n, beside a task.
  void declareSums(const std::vector<Var> &front, MemoryType memory) {
    std::vector<Var> all = front;
    all.insert(all.end(), {b, n});
    sums(all) = zeros(loss.columns());
    sums.compute_at(out, task).store_in(memory).bound_extent(b, 1).bound_extent(n, 1);
  }

  /// The result is the total of the sums' lanes, of channel c if these have a channel.
  void finishLanes(const std::vector<Var> &channel, int laneCount) {
    sums.bound(lane, 0, laneCount).vectorize(lane);
    sums.update().vectorize(lane);
    std::vector<Var> at = channel;
    at.insert(at.end(), {b, n});
    std::vector<Expr> totals;
    for (Func total :
         sumLanes(sums, loss.columns(), laneCount, at, out, task, channel.empty() ? 0 : loss.channels))
      totals.push_back(total(std::vector<Expr>(at.begin(), at.end())));
    out(c, k, b, n) = mux(k, totals);
  }

  static std::vector<Expr> only(const Expr &condition, std::vector<Expr> terms) {
    for (Expr &term : terms)
      term = select(condition, term, Expr(0.0));
    return terms;
  }

  void elementsAcrossPixels() {
    declareSums({lane}, MemoryType::Register);
    const PixelLanes pixels(band, loss.width(), lane, lanes, loss.channels);
    const Pixel pixel{{}, pixels.x, pixels.y, n};
    sums(lane, b, n) = plus(sums(lane, b, n), only(pixels.inside, loss.elementColumns(pixels.r.x, pixel)));
    sums.update().reorder(lane, pixels.r.x, pixels.r.y, pixels.r.z, b, n);
    finishLanes({}, lanes);
  }

  void elementsWithinPixels() {
    declareSums({lane}, MemoryType::Register);
    const ChannelVectors vectors(loss.channels, rows.vector);
    RDom r(0, vectors.count(), 0, loss.width(), 0, band.most, "r");
    r.where(r.z < band.count);
    const Pixel pixel{{}, r.y, band.first + r.z, n};
    sums(lane, b, n) = plus(sums(lane, b, n), only(vectors.counts(r.x, lane),
                                                   loss.elementColumns(vectors.channel(r.x, lane), pixel)));
    sums.update().reorder(lane, r.x, r.y, r.z, b, n);
    finishLanes({}, rows.vector);
  }

  /// The weight of a pixel of a softmax loss; 0 where its label is to be ignored.
  Expr weight(const Pixel &pixel) const {
    return select(loss.counts(0, pixel), cast<double>(loss.pixelWeight(pixel)), Expr(0.0));
  }

  Pixel lanePixel() const {
    return {{lane, block, py, n}, PixelLanes::pixel(block, lane, lanes, loss.width()), py, n};
  }

  /// Schedules a Func of a lane pixel beside one vector of pixels.
  void besideVector(Func f, const PixelLanes &pixels) {
    f.compute_at(sums, pixels.r.y)
        .store_in(MemoryType::Register)
        .bound(lane, 0, lanes)
        .bound_extent(block, 1)
        .bound_extent(py, 1)
        .bound_extent(n, 1)
        .vectorize(lane);
  }

  /// cross_entropy and focal: one term a pixel.
  void labels() {
    declareSums({lane}, MemoryType::Register);
    const PixelLanes pixels(band, loss.width(), lane, lanes);
    const Pixel pixel = lanePixel();
    PixelSoftmax soft(loss.inputs[0], rows, pixel, loss.target(0, pixel));
    const Loss::LabelTerm term = loss.labelTerm(soft, pixel);
    Func value("value");
    value(lane, block, py, n) =
        Tuple(selectBits(soft.finite(), loss.labelLoss(term, soft, pixel), quietNan()),
              weight(pixel) * cast<double>(loss.classWeight(soft)));
    const FuncRef at = value(lane, pixels.r.y, pixels.y, n);
    const Expr w = at[1], weighted = select(strict_float(w == Expr(0.0)), Expr(0.0), w * cast<double>(at[0]));
    sums(lane, b, n) = plus(sums(lane, b, n), only(pixels.inside, {weighted, w}));
    sums.update().reorder(lane, pixels.r.x, pixels.r.y, pixels.r.z, b, n);
    soft.scheduleTile(LoopLevel(sums, pixels.r.y), lanes);
    for (Func f : {term.argument, term.logSum, term.parts, value})
      besideVector(f, pixels);
    finishLanes({}, lanes);
  }

  /// 1 over the sum of the exponentials; NaN where these mean nothing.
  static Expr inverse(const PixelSoftmax &soft) {
    return selectBits(soft.finite(), 1.f / soft.sum(), quietNan());
  }

  /// What one pixel adds to a class.
  static std::vector<Expr> classTerms(const Expr &weight, const Expr &p, const Expr &isLabel) {
    const Expr none = Expr(0.0),
               predicted = select(strict_float(weight == none), none, weight * cast<double>(p));
    return {select(isLabel, predicted, none), predicted, select(isLabel, weight, none)};
  }

  void classesAcrossPixels() {
    declareSums({lane, c}, MemoryType::Register);
    const PixelLanes pixels(band, loss.width(), lane, lanes);
    const Pixel pixel = lanePixel();
    PixelSoftmax soft(loss.inputs[0], rows, pixel, loss.target(0, pixel));
    Func common("common"), terms("terms");
    common(lane, block, py, n) = Tuple(weight(pixel), inverse(soft));
    const FuncRef shared = common(lane, block, py, n);
    terms(lane, c, block, py, n) =
        Tuple(classTerms(shared[0], soft.exponential(c) * shared[1], soft.isLabel(c)));
    sums(lane, c, b, n) =
        plus(sums(lane, c, b, n), only(pixels.inside, valuesOf(terms(lane, c, pixels.r.y, pixels.y, n), 3)));
    sums.bound(c, 0, loss.channels).unroll(c);
    sums.update().reorder(lane, c, pixels.r.x, pixels.r.y, pixels.r.z, b, n).unroll(c);
    soft.scheduleTile(LoopLevel(sums, pixels.r.y), lanes);
    besideVector(common, pixels);
    finishLanes({c}, lanes);
  }

  void classesWithinPixels() {
    const Var vec("vec");
    const ChannelVectors vectors(loss.channels, rows.vector);
    declareSums({lane, vec}, MemoryType::Auto);
    RDom r(0, loss.width(), 0, band.most, "r");
    r.where(r.y < band.count);
    const Pixel pixel{{px, py, n}, px, py, n};
    PixelSoftmax soft(loss.inputs[0], rows, pixel, loss.target(0, pixel));
    Func common("common"), terms("terms");
    common(px, py, n) = Tuple(weight(pixel), inverse(soft));
    const Expr channel = vectors.channel(vec, lane);
    const FuncRef shared = common(px, py, n);
    terms(lane, vec, px, py, n) =
        Tuple(classTerms(shared[0], soft.exponential(channel) * shared[1], soft.isLabel(channel)));
    sums(lane, vec, b, n) =
        plus(sums(lane, vec, b, n), valuesOf(terms(lane, vec, r.x, band.first + r.y, n), 3));
    sums.bound(lane, 0, rows.vector).bound(vec, 0, vectors.count()).vectorize(lane);
    sums.update().reorder(lane, vec, r.x, r.y, b, n).vectorize(lane);
    if (vectors.count() <= kMostUnrolled)
      sums.update().unroll(vec);
    soft.schedule(LoopLevel(sums, r.x));
    common.compute_at(sums, r.x).store_in(MemoryType::Register);
    for (const Var &v : pixel.at)
      common.bound_extent(v, 1);
    const Expr v = min(c / rows.vector, vectors.count() - 1);
    out(c, k, b, n) = mux(k, valuesOf(sums(clamp(c - vectors.start(v), 0, rows.vector - 1), v, b, n), 3));
  }
};

KernelBuild buildLossSums(const KernelSpec &spec, Isa isa) { return LossSums(spec, isa).build(); }

std::string whyNot(const KernelSpec &spec) {
  const std::string kind = spec.word("kind");
  const int channels = kind == "dice" || kind == "soft_iou" ? spec.get("c") : 1;
  if (spec.get("out") != channels)
    return "sums are dense: out must be " + std::to_string(channels);
  return whyNotLoss(spec);
}

} // namespace

Family lossSumsFamily() {
  return checkedFamily(
      plainFamily("loss_sums", "Sums of a loss over bands of pixels, in f64.", {"loss_sums"}, buildLossSums),
      whyNot);
}

} // namespace segc::schedules
