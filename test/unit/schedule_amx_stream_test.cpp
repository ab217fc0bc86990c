/// \file Convolutions on AMX whose results pass the caches by, and several of them in a launch, against the
/// same kernel without either.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_bf16_support.h"

using namespace Halide;

namespace segc::schedules {
namespace {

const Family &amx() { return *findFamily("amx"); }

Schedule pointOf(int px, int all, int stream) {
  return {"amx", {{"cv", 2}, {"px", px}, {"rows", 4}, {"all", all}, {"st", 2}, {"stream", stream}}};
}

/// Random filters in the layout that the schedule asks for.
struct Filters {
  Filters(const KernelSpec &spec, const Schedule &point, std::mt19937 &random)
      : bits(amx().packing(spec, point, Isa::Amx).extents) {
    bits.for_each_value(
        [&](uint16_t &v) { v = narrow(std::uniform_real_distribution<float>(-1.f, 1.f)(random)); });
    for (int d = 0; d < bits.dimensions(); d++)
      dims.push_back({0, bits.dim(d).extent(), bits.dim(d).stride(), 0});
    view = Buffer<>(BFloat(16), bits.data(), int(dims.size()), dims.data());
  }
  Buffer<uint16_t> bits;
  std::vector<halide_dimension_t> dims;
  Buffer<> view;
};

/// Every second pixel from (x, y) on.
Buffer<> phaseOf(Activation<uint16_t> &pixels, int x, int y) {
  halide_dimension_t dims[4];
  for (int d = 0; d < 4; d++) {
    const bool isHalf = d == 1 || d == 2;
    dims[d] = {0, pixels.view.dim(d).extent() / (isHalf ? 2 : 1),
               pixels.view.dim(d).stride() * (isHalf ? 2 : 1), 0};
  }
  return Buffer<>(Float(32), &pixels.view(0, x, y, 0), 4, dims);
}

void run(const KernelSpec &spec, const Schedule &point, const std::vector<Buffer<>> &inputs,
         const std::vector<Buffer<>> &results) {
  JitKernel kernel(spec, point, Isa::Amx);
  ASSERT_EQ(kernel.error, "") << spec.print();
  ASSERT_EQ(kernel.build.inputs.size(), inputs.size());
  for (size_t i = 0; i < inputs.size(); i++)
    kernel.build.inputs[i].set(inputs[i]);
  kernel.build.pipeline.realize(Realization(results), kernel.target);
}

int different(Activation<uint16_t> &a, Activation<uint16_t> &b) {
  int found = a.damaged() + b.damaged();
  a.view.for_each_element(
      [&](int c, int x, int y, int n) { found += a.view(c, x, y, n) != b.view(c, x, y, n); });
  return found;
}

/// Blocks of one row and of two, rows shorter than a block, channels beyond the result's in a pixel.
TEST(AmxStream, StoresWhatOthersStore) {
  if (!canRun(Isa::Amx))
    GTEST_SKIP() << "this processor has no AMX";
  std::mt19937 random(11);
  for (auto [c, k, r, px, all, more] : {std::tuple(32, 64, 3, 32, 1, 32),
                                        {16, 96, 1, 32, 0, 0},
                                        {32, 64, 1, 16, 1, 2},
                                        {64, 32, 3, 32, 1, 5}})
    for (RunSize size : {RunSize{2, 5, 70}, {1, 3, 20}}) {
      KernelSpec spec = narrowConv(c, k, r, 1, 1, 1);
      spec.fields["out"] = {k + more};
      SCOPED_TRACE(spec.print() + " px=" + std::to_string(px));
      Activation<uint16_t> x({c, size.w + r - 1, size.h + r - 1, size.n}, spec.get("in"), kOutside);
      x.fill([&] { return narrow(std::uniform_real_distribution<float>(-1.f, 1.f)(random)); });
      const Filters w(spec, pointOf(px, all, 0), random);
      Buffer<float> bias(std::vector<int>{paddedChannels(k)});
      bias.fill(0.25f);
      Activation<uint16_t> plain({k, size.w, size.h, size.n}, k + more, kOutside),
          streamed({k, size.w, size.h, size.n}, k + more, kOutside);
      const std::vector<Buffer<>> inputs = {shownAs(BFloat(16), x.view), w.view, bias};
      run(spec, pointOf(px, all, 0), inputs, {shownAs(Float(32), plain.view)});
      run(spec, pointOf(px, all, 1), inputs, {shownAs(Float(32), streamed.view)});
      EXPECT_EQ(different(plain, streamed), 0) << size.w << "x" << size.h;
    }
}

TEST(AmxStream, KeepsThePixelsOfAPool) {
  if (!canRun(Isa::Amx))
    GTEST_SKIP() << "this processor has no AMX";
  std::mt19937 random(12);
  for (int all : {0, 1}) {
    const int c = 32, k = 64, w = 35, h = 3, out = k + 32;
    KernelSpec spec = narrowConv(c, k, 3, 1, 1, 1);
    spec.fields["out"] = {2 * out};
    spec.epilogues.push_back({"keep_pool"});
    spec.epilogues.back().stride = k;
    Activation<uint16_t> x({c, 2 * w + 2, 2 * h + 2, 1}, spec.get("in"), kOutside);
    x.fill([&] { return narrow(std::uniform_real_distribution<float>(-1.f, 1.f)(random)); });
    const Filters filters(spec, pointOf(16, all, 0), random);
    Buffer<float> bias(std::vector<int>{paddedChannels(k)});
    bias.fill(0.25f);
    const Extents pixels{k, 2 * w, 2 * h, 1}, half{k, w, h, 1};
    Activation<uint16_t> plain(pixels, out, kOutside), streamed(pixels, out, kOutside);
    Activation<uint16_t> maxima(half, k, kOutside), others(half, k, kOutside);
    auto results = [](Activation<uint16_t> &kept, Activation<uint16_t> &most) {
      return std::vector<Buffer<>>{phaseOf(kept, 0, 0), phaseOf(kept, 1, 0), phaseOf(kept, 0, 1),
                                   phaseOf(kept, 1, 1), shownAs(Float(32), most.view)};
    };
    const std::vector<Buffer<>> inputs = {shownAs(BFloat(16), x.view), filters.view, bias};
    run(spec, pointOf(16, all, 0), inputs, results(plain, maxima));
    run(spec, pointOf(16, all, 1), inputs, results(streamed, others));
    EXPECT_EQ(different(plain, streamed) + different(maxima, others), 0);
  }
}

/// Four convolutions in a launch, of windows of one tensor that begin at different pixels.
TEST(AmxStream, PhasesAreConvolutionsOfTheirOwn) {
  if (!canRun(Isa::Amx))
    GTEST_SKIP() << "this processor has no AMX";
  std::mt19937 random(13);
  for (auto [k, r, all, stream, px] :
       {std::tuple(64, 1, 1, 1, 32), {64, 2, 0, 1, 32}, {40, 2, 1, 0, 16}, {64, 2, 1, 1, 16}})
    for (int w : {5, 50}) {
      const int c = 32, h = 5;
      KernelSpec spec = narrowConv(c, k, r, 1, 1, 1), alone = spec;
      spec.words["phases"] = "4";
      spec.fields["out"] = alone.fields["out"] = {2 * k};
      SCOPED_TRACE(spec.print() + " px=" + std::to_string(px));
      Activation<uint16_t> x({c, w + r, h + r, 2}, spec.get("in"), kOutside);
      x.fill([&] { return narrow(std::uniform_real_distribution<float>(-1.f, 1.f)(random)); });
      Buffer<float> bias(std::vector<int>{paddedChannels(k)});
      bias.fill(0.25f);
      const Extents extents{k, 2 * w, 2 * h, 2};
      Activation<uint16_t> plain(extents, k, kOutside), merged(extents, k, kOutside);
      std::vector<Filters> filters;
      std::vector<Buffer<>> inputs(8), results;
      for (int phase = 0; phase < 4; phase++)
        filters.emplace_back(alone, pointOf(px, all, 0), random);
      for (int phase = 0; phase < 4; phase++) {
        halide_dimension_t dims[4];
        std::copy_n(x.view.raw_buffer()->dim, 4, dims);
        dims[1].extent = w + r - 1, dims[2].extent = h + r - 1;
        inputs[phase] = Buffer<>(BFloat(16), &x.view(0, phase % 2, phase / 2, 0), 4, dims);
        inputs[4 + phase] = filters[phase].view;
        results.push_back(phaseOf(merged, phase % 2, phase / 2));
        run(alone, pointOf(px, all, 0), {inputs[phase], inputs[4 + phase], bias},
            {phaseOf(plain, phase % 2, phase / 2)});
      }
      inputs.push_back(bias);
      run(spec, pointOf(px, all, stream), inputs, results);
      EXPECT_EQ(different(plain, merged), 0) << w;
    }
}

/// Large skips and large results of deconvolutions; no more channels than wait on the stack.
TEST(AmxStream, RuleForLargeResults) {
  auto chosen = [](const char *epilogue, const char *phases, int k, int side) {
    KernelSpec spec = narrowConv(64, k, phases ? 1 : 3, 1, 1, 1);
    if (*epilogue) {
      spec.epilogues.push_back({epilogue});
      spec.epilogues.back().stride = k;
    }
    if (phases)
      spec.words["phases"] = phases;
    spec.likelyWidth = spec.likelyHeight = side;
    return std::make_pair(amx().choose(spec, Isa::Amx).params.at("stream") == 1, amx().pays(spec, Isa::Amx));
  };
  EXPECT_TRUE(chosen("keep_pool", nullptr, 64, 512).first);
  EXPECT_FALSE(chosen("keep_pool", nullptr, 64, 256).first) << "a cache holds 8 MB";
  EXPECT_FALSE(chosen("keep_pool", nullptr, 40, 512).first) << "no whole lines";
  EXPECT_FALSE(chosen("pool", nullptr, 64, 512).first);
  EXPECT_FALSE(chosen("", nullptr, 64, 512).first) << "the next kernel reads it";
  EXPECT_EQ(chosen("", "4", 64, 128), std::pair(true, true));
  EXPECT_EQ(chosen("", "4", 64, 64), std::pair(true, false));
  EXPECT_EQ(chosen("", "4", 40, 256), std::pair(false, false));
  EXPECT_EQ(chosen("", "4", 512, 64), std::pair(false, false));
}

TEST(AmxStream, RefusesPhasesThatShareTooLittle) {
  auto whyNot = [](const char *problem) { return amx().whyNot(parseSpec(problem), Isa::Amx); };
  EXPECT_EQ(whyNot("conv c32 k64 r1x1 s1x1 d1x1 g1 in32 out64 phases=4 +bias : bf16"), "");
  EXPECT_NE(whyNot("conv c32 k64 r1x1 s1x1 d1x1 g1 in32 out64 phases=16 +bias : bf16"), "");
  EXPECT_NE(whyNot("conv c32 k64 r1x1 s1x1 d1x1 g1 in32 out64 phases=4 +add(64) : bf16"), "");
  EXPECT_NE(whyNot("conv c32 k64 r1x1 s1x1 d1x1 g1 in32 out64 phases=4 +pool : bf16"), "");
}

} // namespace
} // namespace segc::schedules
