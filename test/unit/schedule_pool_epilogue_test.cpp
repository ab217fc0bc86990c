/// \file Convolutions that make the maxima of their own pixels, against the same kernel without and plain
/// loops.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_fused_support.h"
#include <map>

using namespace Halide;

namespace segc::schedules {
namespace {

constexpr int kIndexStride = 5; // beyond the channels

/// One convolution with and without pools behind it, each compiled once.
class PooledRun {
public:
  PooledRun(const KernelSpec &spec, const Schedule &point, Isa isa, std::mt19937 &random)
      : spec(spec), point(point), isa(isa) {
    const Buffer<float> w = exactWeights({3, 3, spec.get("c"), spec.get("k")}, random);
    weights = packed(findFamily("winograd")->packing(spec, point, isa), w, isa);
  }

  /// The spec with a pool behind its epilogues.
  KernelSpec pooled(const std::string &pooling, int stride, int out) const {
    KernelSpec with = spec;
    with.epilogues.push_back({pooling});
    with.epilogues.back().stride = stride;
    with.fields["out"] = {out};
    return with;
  }

  void run(const KernelSpec &with, const Buffer<float> &x, const Buffer<float> &bias,
           const std::vector<Buffer<>> &results) {
    std::unique_ptr<JitKernel> &kernel = kernels[with.print()];
    if (!kernel)
      kernel = std::make_unique<JitKernel>(with, point, isa);
    ASSERT_EQ(kernel->error, "") << with.print() << " | " << point.print() << " | " << name(isa);
    kernel->build.inputs[0].set(x);
    kernel->build.inputs[1].set(weights);
    kernel->build.inputs[2].set(bias);
    kernel->build.pipeline.realize(Realization(results), kernel->target);
  }

  const KernelSpec spec;
  const Schedule point;
  const Isa isa;

private:
  Buffer<float> weights;
  std::map<std::string, std::unique_ptr<JitKernel>> kernels;
};

/// Kernels that are compiled apart may contract products and sums differently.
bool near(float a, float b) {
  return (std::isnan(a) && std::isnan(b)) || std::fabs(a - b) <= 1e-4f * (1 + std::fabs(b));
}
bool same(float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }

void checkPools(PooledRun &t, int w, int h, int n, bool nan, std::mt19937 &random) {
  const int c = t.spec.get("c"), k = t.spec.get("k");
  Activation<float> x({c, 2 * w + 2, 2 * h + 2, n}, t.spec.get("in"), NAN);
  x.fill([&] { return Values{random, nan && random() % (40 * c) == 0}(); });
  Buffer<float> bias(std::vector<int>{paddedChannels(k)});
  bias.fill(0.25f);
  Activation<float> whole({k, 2 * w, 2 * h, n}, t.spec.get("out"), 3.f);
  t.run(t.spec, x.view, bias, {whole.view});

  Activation<float> alone({k, w, h, n}, k + 2, 3.f), maxima({k, w, h, n}, k + 1, 3.f),
      kept({k, w, h, n}, k, 3.f);
  Activation<uint8_t> index({k, w, h, n}, k + kIndexStride, 99);
  t.run(t.pooled("pool", 0, k + 2), x.view, bias, {alone.view});
  t.run(t.pooled("pool_index", k + kIndexStride, k + 1), x.view, bias, {maxima.view, index.view});
  Activation<float> pixels({k, 2 * w, 2 * h, n}, t.spec.get("out"), 3.f);
  std::vector<Buffer<>> phases;
  for (int y : {0, 1})
    for (int px : {0, 1}) {
      halide_dimension_t dims[4];
      for (int d = 0; d < 4; d++)
        dims[d] = {0, pixels.view.dim(d).extent() / (d == 1 || d == 2 ? 2 : 1),
                   pixels.view.dim(d).stride() * (d == 1 || d == 2 ? 2 : 1), 0};
      phases.push_back(Buffer<float>(&pixels.view(0, px, y, 0), 4, dims));
    }
  phases.push_back(kept.view);
  t.run(t.pooled("keep_pool", k, 2 * t.spec.get("out")), x.view, bias, phases);

  int wrong = 0;
  whole.view.for_each_element([&](int o, int px, int py, int in) {
    wrong += !near(pixels.view(o, px, py, in), whole.view(o, px, py, in));
  });
  alone.view.for_each_element([&](int o, int px, int py, int in) {
    auto pixel = [&](int tap) { return pixels.view(o, 2 * px + tap % 2, 2 * py + tap / 2, in); };
    float best = pixel(0);
    bool firstNan = std::isnan(best);
    int nanAt = 0;
    for (int tap = 1; tap < 4; tap++) {
      if (!firstNan && std::isnan(pixel(tap))) {
        firstNan = true;
        nanAt = tap;
      }
      if (pixel(tap) > best || std::isnan(pixel(tap)))
        best = pixel(tap);
    }
    const int at = index.view(o, px, py, in);
    wrong += !same(kept.view(o, px, py, in), best) + !near(alone.view(o, px, py, in), best) +
             !near(maxima.view(o, px, py, in), best) +
             (at > 3 || (firstNan ? at != nanAt : !near(pixel(at), best)));
  });
  EXPECT_EQ(wrong, 0) << t.spec.print() << " | " << t.point.print() << " | " << name(t.isa) << " " << w << "x"
                      << h;
  EXPECT_EQ(alone.damaged() + maxima.damaged() + kept.damaged() + index.damaged() + pixels.damaged(), 0);
}

TEST(PoolEpilogue, EqualsThePoolOfTheSameKernelsPixels) {
  std::mt19937 random(123);
  for (Isa isa : isasHere())
    for (auto [c, k] : {std::pair(21, 21), {48, 64}}) {
      if (skipped(isa, random))
        continue;
      KernelSpec spec = convSpec(c, k, 3, 1, 1, 1, " +bias +relu");
      spec.fields["out"] = {k + int(random() % 3)};
      const Family *winograd = findFamily("winograd");
      Schedule point = winograd->choose(spec, isa);
      if (k == 64) { // three pools a side of a tile
        point = randomPoint(*winograd, spec, isa, random);
        point.params["tx"] = 6;
      }
      PooledRun run(spec, point, isa, random);
      checkPools(run, 1, 1, 2, false, random);
      checkPools(run, 7, 5, 1, true, random);
      checkPools(run, 18, 9, 1, false, random);
    }
}

TEST(PoolEpilogue, OthersRefuseIt) {
  for (const char *pooling : {"+pool", "+pool_index(16)", "+keep_pool(16)"})
    for (const Family &family : families())
      EXPECT_EQ(!family.onGpu &&
                    family
                        .whyNot(parseSpec(std::string("conv c16 k16 r3x3 s1x1 d1x1 g1 in16 out16 ") +
                                          pooling + " : f32"),
                                Isa::Avx2)
                        .empty(),
                family.name == "winograd")
          << family.name << " " << pooling;
}

TEST(PoolEpilogue, TheWorkIsThatOfAllPixels) {
  const std::string conv = "conv c16 k16 r3x3 s1x1 d1x1 g1 in16 out16 +bias";
  EXPECT_EQ(flops(parseSpec(conv + " +pool : f32"), 1, 4, 6), flops(parseSpec(conv + " : f32"), 1, 8, 12));
}

} // namespace
} // namespace segc::schedules
