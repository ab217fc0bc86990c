/// \file Kernels that bring convolution weights from the file's layout into the one a family asks for.
///
/// Filters of convolutions are (kw, kh, c/g, k), those of deconvolutions (kw, kh, k/g, c), innermost first.
/// All extents come with the buffers, so that one kernel serves every convolution of the same panel. Runs
/// once per model, or in training once per step.
// SPDX-License-Identifier: MIT
#include "schedules/Arithmetic.h"
#include "schedules/Build.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Prefetch.h"
#include "schedules/cpu/Stream.h"
#include "schedules/cpu/WinogradTransforms.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// A filter of the weights file, of any extents, dense. The minima of its first two coordinates say which tap
/// is 0: the first one of a deconvolution's phase, so that all phases share a kernel.
ImageParam filterParam() {
  ImageParam w(Float(32), 4, "w");
  for (int d : {2, 3})
    w.dim(d).set_min(0);
  w.dim(0).set_stride(1);
  return w;
}

/// Which tap of the filter is tap `i` of `taps` packed ones along one axis: 0, step, …; a deconvolution is a
/// correlation with its taps in reverse order.
Expr filterTap(const KernelSpec &spec, int axis, const Expr &i, const Expr &taps) {
  const Expr forward = spec.word("from") == "deconv" ? taps - 1 - i : i;
  return spec.get("step", axis) * forward;
}

/// w(tx, ty, inner, outer) of the file, 0 where `valid` is false or the tap lies beyond the filter, times
/// scale(k). The condition `isWhole`, if there is one, says that all of this exists: the caller has loops of
/// their own for then, whose vectors are ramps (with coordinates that are clamped every lane has an address
/// of its own, which takes three times as long).
Expr packed(const ImageParam &w, const std::vector<ImageParam> &scale, const Expr &tx, const Expr &ty,
            const Expr &inner, const Expr &outer, const Expr &k, const Expr &valid,
            const Expr &isWhole = {}) {
  auto at = [&](const std::function<Expr(const Expr &, const Halide::Internal::Dimension &)> &place) {
    const Expr value =
        w(place(tx, w.dim(0)), place(ty, w.dim(1)), place(inner, w.dim(2)), place(outer, w.dim(3)));
    return scale.empty() ? value : value * scale[0](place(k, scale[0].dim(0)));
  };
  const Expr value = at([](const Expr &i, const auto &d) { return clamp(i, d.min(), d.max()); });
  const Expr any = select(valid && tx <= w.dim(0).max() && ty <= w.dim(1).max(), value, 0.f);
  if (!isWhole.defined())
    return any;
  return select(isWhole, at([&](const Expr &i, const auto &d) { return select(isWhole, i, d.min()); }), any);
}

/// Input channels of a task. Tasks of one would write Winograd's filters in pieces of 128 bytes, each of them
/// far from the last and next to one of another thread: twice as slow (512 to 1024 channels on two threads).
constexpr int kTaskChannels = 64;
/// Cache lines that Winograd's filters of AVX-512 have in a plane and are stored at a time, past the caches:
/// those of a step of training are 154 MB, most of which no cache holds any more when they are written anew
/// (U-Net at 256x256, two threads: 12.5 -> 7.7 ms in 24 packs, at most 0.5 more in the convolutions
/// that read them). They wait on the stack, as far as Halide has room there.
constexpr int kBlockLines = 4, kMostStack = 16 << 10;

std::vector<ImageParam> scaleParam(const KernelSpec &spec) {
  if (!spec.get("scale"))
    return {};
  ImageParam scale(Float(32), 1, "scale");
  scale.dim(0).set_min(0).set_stride(1);
  return {scale};
}

/// A result whose own extents its values depend on: the buffer exists only once the Func has a definition, so
/// the values follow as an update (the undefined first stage leaves no code).
OutputImageParam declareResult(Func &out, const std::vector<Var> &coordinates, Type type = Float(32)) {
  out(coordinates) = undef(type);
  OutputImageParam buffer = out.output_buffer();
  for (int d = 0; d < out.dimensions(); d++)
    buffer.dim(d).set_min(0);
  buffer.dim(0).set_stride(1);
  return buffer;
}

KernelBuild finish(Func out, const ImageParam &w, const std::vector<ImageParam> &scale) {
  KernelBuild build{{w}, Pipeline(out)};
  build.inputs.insert(build.inputs.end(), scale.begin(), scale.end());
  return build;
}

/// How bf16 weights are stored.
Expr narrow(const Expr &value) { return reinterpret(BFloat(16), toBfloat(value)); }

/// The type of narrow weights and how a value becomes one. On GPUs they are integers: kernels there may not
/// know the types.
Type narrowType(Isa isa) { return isGpu(isa) ? UInt(16) : BFloat(16); }
Expr narrow(const Expr &value, const KernelSpec &spec, Isa isa) {
  if (!isGpu(isa))
    return narrow(value);
  return spec.dtype == "f16" ? toHalf(value) : toBfloat(value);
}

/// y(p, ci, rx, ry, q): output channel p of panel q; the panels of one group follow each other, its last one
/// ends in zeros, which is how panels of any width fit any number of channels. In bf16 and f16 pairs of input
/// channels lie together, as dot products take them: y(2 p + ci % 2, ci / 2, rx, ry, q), 0 beyond the last
/// channel.
KernelBuild buildConv(const KernelSpec &spec, const Schedule &, Isa isa) {
  const int groups = spec.get("g"), pair = spec.dtype == "f32" ? 1 : 2, panel = pair * spec.get("panel");
  const bool deconv = spec.word("from") == "deconv";
  const ImageParam w = filterParam();
  const std::vector<ImageParam> scale = scaleParam(spec);
  Var p("p"), ci("ci"), rx("rx"), ry("ry"), q("q"), cii("cii"), task("task");
  Func out("packed");
  const OutputImageParam buffer =
      declareResult(out, {p, ci, rx, ry, q}, pair == 2 ? narrowType(isa) : Float(32));
  const Expr perGroup = max(buffer.dim(4).extent() / groups, 1);
  const Expr groupK = deconv ? w.dim(2).extent() : w.dim(3).extent() / groups;
  const Expr group = q / perGroup, inGroup = (q % perGroup) * spec.get("panel") + p / pair,
             k = group * groupK + inGroup;
  // Beyond the channels: the last pairs are those of the last channels, and 0 where those before have them.
  const Expr inputs = deconv ? w.dim(3).extent() / groups : w.dim(2).extent();
  Expr from = ci, valid = inGroup < groupK;
  const bool overlaps = !spec.word("last").empty();
  if (overlaps) {
    const Expr last = buffer.dim(1).extent() - std::stoi(spec.word("last")),
               behind = buffer.dim(1).extent() - inputs / pair;
    from = select(ci >= last, ci - behind, ci);
    valid = valid && (ci < last || ci >= last + behind);
  }
  const Expr in = from * pair + p % pair;
  valid = valid && in < inputs;
  const Expr tx = filterTap(spec, 1, rx, buffer.dim(2).extent()),
             ty = filterTap(spec, 0, ry, buffer.dim(3).extent());
  const Expr lastX = filterTap(spec, 1, deconv ? 0 : buffer.dim(2).extent() - 1, buffer.dim(2).extent()),
             lastY = filterTap(spec, 0, deconv ? 0 : buffer.dim(3).extent() - 1, buffer.dim(3).extent());
  Expr isWhole;
  if (!isGpu(isa) && panel % lanes(isa) == 0 && !overlaps)
    isWhole = perGroup * spec.get("panel") == groupK && buffer.dim(1).extent() * pair <= inputs &&
              w.dim(0).min() <= 0 && w.dim(1).min() <= 0 && lastX <= w.dim(0).max() &&
              lastY <= w.dim(1).max();
  const Expr value = packed(w, scale, tx, ty, deconv ? inGroup : in,
                            deconv ? group * (w.dim(3).extent() / groups) + in : k, k, valid, isWhole);
  out(p, ci, rx, ry, q) = pair == 2 ? narrow(value, spec, isa) : value;
  Stage update = out.bound(p, 0, panel).update();
  update.split(ci, ci, cii, kTaskChannels / pair, TailStrategy::GuardWithIf)
      .reorder(p, rx, ry, cii, ci, q)
      .fuse(ci, q, task)
      .parallel(task);
  if (panel % lanes(isa) == 0)
    update.vectorize(p, lanes(isa)).never_partition_all();
  if (isWhole.defined()) {
    Stage whole = update.specialize(isWhole);
    for (int taps : {1, 4, 9}) // the lanes of a deconvolution are as far apart as its filter has taps
      if (deconv)
        whole.specialize(w.dim(2).stride() == taps);
  }
  return finish(out, w, scale);
}

/// y(c, rx, ry): c beyond the channels is 0. With one channel a group both filter layouts are (kw, kh, 1, c).
KernelBuild buildDepthwise(const KernelSpec &spec, const Schedule &, Isa isa) {
  const ImageParam w = filterParam();
  const std::vector<ImageParam> scale = scaleParam(spec);
  Var c("c"), rx("rx"), ry("ry"), task("task");
  Func out("packed");
  const OutputImageParam buffer = declareResult(out, {c, rx, ry});
  const Expr tx = filterTap(spec, 1, rx, buffer.dim(1).extent()),
             ty = filterTap(spec, 0, ry, buffer.dim(2).extent());
  out(c, rx, ry) = packed(w, scale, tx, ty, 0, c, c, c < w.dim(3).extent());
  out.update().vectorize(c, lanes(isa), TailStrategy::GuardWithIf).fuse(rx, ry, task).parallel(task);
  return finish(out, w, scale);
}

/// y(p, ci, plane, q) = (G g G^T)(s, t), plane = s + planes along x * t: the filters of Winograd's F(tile,
/// 3x3), or in bf16 pairs of them, y(2 p + ci % 2, ci / 2, plane, q).
KernelBuild buildWinograd(const KernelSpec &spec, const Schedule &, Isa isa) {
  const bool small = spec.dtype == "bf16";
  const int panel = spec.get("panel"), pair = small ? 2 : 1, vector = lanes(isa);
  const winograd::Filtering alongX = winograd::filteringOf(spec.get("tile", 1), spec.dtype),
                            alongY = winograd::filteringOf(spec.get("tile"), spec.dtype);
  const int columns = alongX.planes(), planes = columns * alongY.planes();
  const bool deconv = spec.word("from") == "deconv";
  const ImageParam w = filterParam();
  const std::vector<ImageParam> scale = scaleParam(spec);
  Var p("p"), ci("c"), plane("plane"), q("q"), rx("rx"), ry("ry"), s("s"), task("task"), pi("pi"), cii("cii"),
      cb("cb"), across("across"), down("down"), lines(kStreamedPanels), planesOf(kStreamed);
  Func taps("taps"), rows("rows"), filters("filters"), out("y");
  // Filters of several channels wait in the L1 cache, so that a plane gets several lines at a time.
  const int block = std::max(1, kBlockLines * lanes(isa) / panel);
  const bool isDense = spec.get("step") == 1 && spec.get("step", 1) == 1,
             streams = isAvx512(isa) && !small && isDense && block * panel * planes * 4 <= kMostStack;
  const Expr k = q * panel + p, groupK = deconv ? w.dim(2).extent() : w.dim(3).extent(),
             inputs = deconv ? w.dim(3).extent() : w.dim(2).extent();
  Expr isWhole;
  if (isDense)
    isWhole = groupK % panel == 0 && w.dim(0).min() == 0 && w.dim(1).min() == 0 && w.dim(0).extent() == 3 &&
              w.dim(1).extent() == 3 && w.dim(1).stride() == 3 && w.dim(2).stride() == 9;
  if (streams)
    isWhole = isWhole && inputs % block == 0;
  const Expr tap = packed(w, scale, filterTap(spec, 1, rx, 3), filterTap(spec, 0, ry, 3),
                          deconv ? k : Expr(ci), deconv ? Expr(ci) : k, k, k < groupK, isWhole);
  // The taps of a deconvolution's panel are a short piece of a page for each input channel: those of a later
  // channel are fetched meanwhile (1024 to 1024 channels on two threads: 5.5 instead of 7.6 ms).
  constexpr int kAhead = 4, kLine = 64;
  const bool fetches = deconv && !small;
  const Expr later =
      (ci + kAhead) * w.dim(3).stride() + (q * panel + p / vector * vector) * w.dim(2).stride();
  taps(p, rx, ry, ci, q) = fetches ? prefetching(tap, w, later, ceilDiv(vector * 9 * 4, kLine)) : tap;
  rows(p, s, ry, ci, q) =
      mux(s, alongX.filter({taps(p, 0, ry, ci, q), taps(p, 1, ry, ci, q), taps(p, 2, ry, ci, q)}));
  const Expr column = plane % columns;
  filters(p, ci, plane, q) =
      mux(plane / columns,
          alongY.filter({rows(p, column, 0, ci, q), rows(p, column, 1, ci, q), rows(p, column, 2, ci, q)}));
  const Expr value = filters(p / pair, ci * pair + p % pair, plane, q);
  out(p, ci, plane, q) = small ? narrow(value) : streams ? streamed(value) : value;
  OutputImageParam result = out.output_buffer();
  result.dim(0).set_bounds(0, pair * panel).set_stride(1);
  for (int d : {1, 2, 3})
    result.dim(d).set_min(0);
  // A column of planes at a time: all of them unrolled would be an eighth as fast to compile.
  auto byColumns = [&](Stage stage, int lanes) {
    stage.split(p, p, pi, lanes).split(plane, down, across, columns).vectorize(pi).unroll(down);
    stage.never_partition_all();
  };
  out.bound(plane, 0, planes);
  if (streams) {
    result.dim(1).set_stride(panel).set_extent(inputs);
    auto scheduleTasks = [&](Stage stage, TailStrategy tail) {
      stage.split(p, p, pi, vector)
          .split(ci, ci, cii, block, tail)
          .split(ci, ci, cb, std::max(1, kTaskChannels / block), TailStrategy::GuardWithIf)
          .vectorize(pi)
          .never_partition_all()
          .fuse(ci, q, task)
          .parallel(task);
    };
    Stage whole = out.specialize(isWhole);
    scheduleTasks(whole, TailStrategy::RoundUp);
    whole.rename(plane, planesOf).fuse(p, cii, lines).reorder(pi, lines, planesOf, cb, task);
    scheduleTasks(out, TailStrategy::GuardWithIf);
    out.reorder(pi, p, cii, plane, cb, task);
    byColumns(filters, vector);
    filters.compute_at(out, cb)
        .store_in(MemoryType::Stack)
        .bound(p, 0, panel)
        .bound(plane, 0, planes)
        .bound_extent(ci, block)
        .bound_extent(q, 1)
        .reorder(pi, down, across, p, ci, q);
  } else {
    byColumns(out, pair * vector);
    out.split(ci, ci, cii, kTaskChannels / pair, TailStrategy::GuardWithIf)
        .reorder(pi, down, across, p, cii, ci, q)
        .fuse(ci, q, task)
        .parallel(task);
    if (isWhole.defined())
      out.specialize(isWhole);
  }
  auto stage = [&](Func f, int extent) {
    f.compute_at(streams ? filters : out, p).store_in(MemoryType::Stack);
    f.bound_extent(p, vector).vectorize(p, vector).bound_extent(ci, extent).bound_extent(q, 1);
  };
  if (small) {
    stage(filters, pair);
    filters.bound_extent(plane, planes).unroll(plane);
  }
  stage(taps, pair);
  taps.bound_extent(rx, 3).bound_extent(ry, 3).unroll(rx).unroll(ry);
  stage(rows, pair);
  rows.bound_extent(s, columns).bound_extent(ry, 3).reorder(p, s, ry, ci, q).unroll(s);
  KernelBuild build = finish(out, w, scale);
  if (streams)
    lowerStreams(build.pipeline);
  if (fetches)
    lowerPrefetches(build.pipeline);
  return build;
}

} // namespace

Family packConvFamily() {
  Family family;
  family.name = "pack";
  family.doc = "Weights of convolutions from the file's layout to panels of output channels.";
  family.whyNot = [](const KernelSpec &spec, Isa isa) -> std::string {
    if (spec.dtype == "f16" && !(spec.op == "pack_conv" && isGpu(isa)))
      return "weights of f16 are for GPUs only";
    if (spec.op == "pack_conv")
      return "";
    if (spec.op == "pack_winograd") {
      for (int side : {spec.get("tile"), spec.get("tile", 1)})
        if (side != 2 && side != 4 && side != 6)
          return "tiles have 2, 4 or 6 results a side";
      return spec.get("panel") % lanes(isa) ? "the panel is no whole number of vectors" : "";
    }
    if (spec.dtype == "bf16")
      return "only panels and Winograd's filters are packed in bf16";
    return spec.op == "pack_depthwise" ? "" : "it packs the weights of convolutions only";
  };
  family.parameters = [](const KernelSpec &, Isa) { return std::vector<Parameter>{}; };
  family.choose = [](const KernelSpec &, Isa) { return Schedule{"pack", {}}; };
  family.packing = [](const KernelSpec &, const Schedule &, Isa) { return Packing{}; };
  family.build = [](const KernelSpec &spec, const Schedule &schedule, Isa isa) {
    if (spec.op == "pack_winograd")
      return buildWinograd(spec, schedule, isa);
    return spec.op == "pack_conv" ? buildConv(spec, schedule, isa) : buildDepthwise(spec, schedule, isa);
  };
  return family;
}

} // namespace segc::schedules
