/// \file Class scores reduced where they are computed, against plain loops: convolutions and resizing.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_fused_support.h"
#include "test/unit/schedule_scores_support.h"

using namespace Halide;

namespace segc::schedules {
namespace {

/// A kernel at `schedule`, or at its rule's point.
std::unique_ptr<JitKernel> compiled(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  auto kernel = std::make_unique<JitKernel>(spec, schedule, isa);
  EXPECT_EQ(kernel->error, "") << spec.print() << " | " << schedule.print();
  return kernel->error.empty() ? std::move(kernel) : nullptr;
}

/// Runs the kernel and compares what it makes of `scores` (c, x, y, n).
void checkReduction(JitKernel &kernel, const std::vector<Buffer<>> &inputs, const Buffer<float> &scores,
                    float tolerance, const std::string &where) {
  const KernelSpec &spec = kernel.spec;
  const Extents e{scores.dim(0).extent(), scores.dim(1).extent(), scores.dim(2).extent(),
                  scores.dim(3).extent()};
  for (size_t i = 0; i < inputs.size(); i++)
    kernel.build.inputs[i].set(inputs[i]);
  if (spec.reduction() == "argmax") {
    Activation<int32_t> y({1, e.w, e.h, e.n}, spec.get("out"), 77);
    kernel.build.pipeline.realize(y.view, kernel.target);
    EXPECT_EQ(wrongClasses(scores, y.view, tolerance), 0) << where;
    EXPECT_EQ(y.damaged(), 0) << where;
    return;
  }
  Activation<float> y(e, spec.get("out"), 77.f);
  y.view.fill(55.f);
  kernel.build.pipeline.realize(y.view, kernel.target);
  EXPECT_LE(softmaxError(scores, y.view, spec.reduction() == "log_softmax"), tolerance > 0 ? 4 : 1) << where;
  EXPECT_EQ(y.damaged(), 0) << where;
}

void checkConv(const KernelSpec &spec, const Schedule &schedule, Isa isa, bool special,
               std::mt19937 &random) {
  auto kernel = compiled(spec, schedule, isa);
  if (!kernel)
    return;
  const int c = spec.get("c"), k = spec.get("k");
  const Buffer<float> w = exactWeights({spec.get("r", 1), spec.get("r"), c, k}, random);
  const Buffer<float> panels = packed(findFamily("head")->packing(spec, schedule, isa), w, isa);
  KernelSpec before = spec;
  before.epilogues.pop_back();
  for (Extents e : {Extents{k, 1, 1, 1}, Extents{k, 5, 3, 2}, Extents{k, 16, 2, 1}, Extents{k, 37, 5, 2}}) {
    Activation<float> x({c, windowOf(spec, e.w, 1), windowOf(spec, e.h, 0), e.n}, spec.get("in"), NAN);
    x.fill([&] { return Values{random, special && random() % (16 * c) == 0}(); });
    const TestEpilogues epilogues(before, e, random);
    Buffer<float> scores(std::vector<int>{k, e.w, e.h, e.n});
    scores.for_each_element([&](int o, int px, int py, int n) {
      scores(o, px, py, n) = epilogues.apply(float(convolved(spec, w, x.view, o, px, py, n)), o, px, py, n);
    });
    std::vector<Buffer<>> inputs = {x.view, panels};
    inputs.insert(inputs.end(), epilogues.operands.begin(), epilogues.operands.end());
    checkReduction(*kernel, inputs, scores, 0,
                   spec.print() + " | " + schedule.print() + " | " + name(isa) + " width " +
                       std::to_string(e.w));
  }
}

KernelSpec headSpec(int c, int k, int r, int s, int d, const std::string &before,
                    const std::string &reduction, std::mt19937 &random) {
  KernelSpec spec = convSpec(c, k, r, s, d, 1, before + " +" + reduction);
  spec.fields["in"] = {c + int(random() % 3)};
  spec.fields["out"] = {(reduction == "argmax" ? 1 : k) + int(random() % 3)};
  return spec;
}

TEST(Head, Convolutions) {
  std::mt19937 random(91);
  const Family *head = findFamily("head");
  for (Isa isa : isasHere())
    for (int k : {1, 2, 3, 7, 11, 16, 19, 21, 32, 33, 64})
      for (const std::string reduction : {"argmax", "softmax", "log_softmax"}) {
        if (skipped(isa, random))
          continue;
        const std::string before = k % 3 == 0   ? ""
                                   : k % 3 == 1 ? " +bias"
                                                : " +bias +add(" + std::to_string(k + 2) + ")";
        const int c = 1 + random() % 40, r = k % 2 ? 1 : 3, s = k == 16 ? 2 : 1, d = k == 32 ? 2 : 1;
        const KernelSpec spec = headSpec(c, k, r, s, d, before, reduction, random);
        checkConv(spec, head->choose(spec, isa), isa, k != 19, random);
      }
}

TEST(Head, RandomPoints) {
  std::mt19937 random(92);
  const Family *head = findFamily("head");
  for (int i = 0; i < 12; i++) {
    const Isa isa = isasHere()[i % isasHere().size()];
    const KernelSpec spec = headSpec(1 + random() % 20, 1 + random() % 64, 1 + random() % 3, 1, 1,
                                     " +bias +relu", i % 2 ? "argmax" : "softmax", random);
    checkConv(spec, randomPoint(*head, spec, isa, random), isa, true, random);
  }
}

void checkUpsample(int c, const std::string &mode, bool align, const std::string &reduction, bool add,
                   Isa isa, std::mt19937 &random) {
  const int in = c + random() % 3, out = (reduction == "argmax" ? 1 : c) + random() % 3;
  const KernelSpec spec =
      parseSpec("upsample c" + std::to_string(c) + " in" + std::to_string(in) + " out" + std::to_string(out) +
                " mode=" + mode + " align" + std::to_string(align) +
                (add ? " +add(" + std::to_string(c + 1) + ")" : "") + " +" + reduction + " : f32");
  auto kernel = compiled(spec, findFamily("head")->choose(spec, isa), isa);
  if (!kernel)
    return;
  KernelSpec before = spec;
  before.epilogues.pop_back();
  // Where the ratio is a power of two the weights, and so the scores, are exact.
  const struct {
    int w, h, largeW, largeH;
    bool exact;
  } sizes[] = {{1, 1, 1, 1, true}, {9, 5, 17, 9, align}, {8, 3, 32, 6, !align}, {5, 4, 37, 9, false}};
  for (const auto &size : sizes) {
    const Extents e{c, size.largeW, size.largeH, 2};
    const bool exact = size.exact || mode == "nearest";
    Activation<float> x({c, size.w, size.h, 2}, in, NAN);
    x.fill([&] { return Values{random, exact && mode == "nearest" && random() % (8 * c) == 0}(); });
    const TestEpilogues epilogues(before, e, random);
    Buffer<float> scores(std::vector<int>{c, e.w, e.h, e.n});
    scores.for_each_element([&](int ch, int px, int py, int n) {
      double sum = 0;
      for (const auto &[i, h] : resizeReads(px, size.w, e.w, mode, align))
        for (const auto &[j, v] : resizeReads(py, size.h, e.h, mode, align))
          if (h * v != 0)
            sum += h * v * x.view(ch, i, j, n);
      scores(ch, px, py, n) = epilogues.apply(float(sum), ch, px, py, n);
    });
    std::vector<Buffer<>> inputs = {x.view};
    inputs.insert(inputs.end(), epilogues.operands.begin(), epilogues.operands.end());
    checkReduction(*kernel, inputs, scores, exact ? 0 : 1e-5f,
                   spec.print() + " | " + name(isa) + " width " + std::to_string(e.w));
  }
}

TEST(Head, Resizing) {
  std::mt19937 random(93);
  for (Isa isa : isasHere())
    for (int c : {1, 2, 5, 8, 19, 21, 40, 150})
      for (const std::string reduction : {"argmax", "softmax", "log_softmax"}) {
        if (skipped(isa, random))
          continue;
        const bool align = random() % 2;
        checkUpsample(c, "bilinear", align, reduction, c % 5 == 0, isa, random);
        if (reduction != "log_softmax")
          checkUpsample(c, "nearest", false, reduction, c == 21, isa, random);
      }
}

/// Families that store scores leave the reductions to this one, and say so.
TEST(Head, IsTheOnlyFamilyThatReduces) {
  for (const char *text : {"conv c64 k21 r3x3 s1x1 d1x1 g1 in64 out1 +bias +argmax : f32",
                           "conv c64 k64 r3x3 s1x1 d1x1 g1 in64 out64 +softmax : f32",
                           "upsample c21 in21 out21 mode=bilinear align0 +log_softmax : f32"}) {
    const KernelSpec spec = parseSpec(text);
    EXPECT_EQ(spec.print(), text);
    for (const Family &family : families())
      EXPECT_EQ(!family.onGpu && family.whyNot(spec, Isa::Avx2).empty(), family.name == "head")
          << text << " " << family.name;
  }
  const std::pair<const char *, const char *> refused[] = {
      {"conv c8 k21 r1x1 s1x1 d1x1 g1 in8 out1 +argmax +relu : f32", "'+relu' behind '+argmax'"},
      {"pointwise c8 in8 out1 +argmax : f32", "epilogue of conv and upsample only"},
  };
  for (const auto &[text, message] : refused) {
    auto spec = KernelSpec::parse(text);
    ASSERT_EQ(spec.index(), 1u);
    EXPECT_NE(std::get<std::string>(spec).find(message), std::string::npos) << std::get<std::string>(spec);
  }
  const std::string large = findFamily("head")->whyNot(
      parseSpec("conv c8 k65 r1x1 s1x1 d1x1 g1 in8 out1 +argmax : f32"), Isa::Avx2);
  EXPECT_NE(large.find("at most 64 channels"), std::string::npos) << large;
}

} // namespace
} // namespace segc::schedules
