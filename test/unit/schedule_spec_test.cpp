/// \file Problem and schedule strings, and the compilation of kernels to objects.
// SPDX-License-Identifier: MIT
#include "schedules/Build.h"
#include "schedules/Compile.h"
#include <gtest/gtest.h>

namespace segc::schedules {
namespace {

TEST(KernelSpec, PrintsWhatItParsed) {
  for (const char *text :
       {"conv c64 k32 r3x1 s1x2 d2x1 g1 in64 out128 +bias +add(96) +leaky_relu(0.01) +affine : f32",
        "conv c64 k32 r3x3 s1x1 d1x1 g1 in64 out128 +relu +keep_pool(32) : f32",
        "conv c64 k32 r3x3 s1x1 d1x1 g1 in64 out32 +pool_index(40) : f32",
        "maxpool c7 r2x2 s2x2 d1x1 in7 out9 idx0 : f32",
        "upsample c5 in5 out5 mode=bilinear align1 +relu : f32", "import c3 out3 from=u8 : f32",
        "norm_scale gamma1 eps=1e-05 : f32", "pack_vector : f32",
        "pack_conv panel64 g1 scale0 from=deconv step2x2 : f32",
        "pack_conv panel32 g1 scale0 from=conv step1x1 last=16 : bf16"}) {
    auto spec = KernelSpec::parse(text);
    ASSERT_EQ(spec.index(), 0u) << std::get<std::string>(spec);
    EXPECT_EQ(std::get<KernelSpec>(spec).print(), text);
  }
}

TEST(KernelSpec, SaysWhatIsWrong) {
  const std::pair<const char *, const char *> cases[] = {
      {"convolve c1 : f32", "unknown op 'convolve'"},
      {"conv c64 r3x3 : f32", "field 'k' expected, not 'r3x3'"},
      {"conv c64 k", "k needs a whole number"},
      {"conv c1 k1 r3 s1x1 d1x1 g1 in1 out1 : f32", "r needs a pair like 3x3"},
      {"pointwise c1 in1 out1 +swish : f32", "unknown epilogue '+swish'"},
      {"pointwise c1 in1 out1 +add : f32", "add needs one number"},
      {"pointwise c1 in1 out1 +relu(3) : f32", "relu takes no operand"},
      {"pointwise c1 in1 out1 +add(x) : f32", "'x' is no pixel stride"},
      {"pointwise c1 in1 out1 +pool : f32", "epilogue of conv only"},
      {"upsample c1 in1 out1 mode=nearest align0 +keep_pool(1) : f32", "epilogue of conv only"},
      {"conv c1 k1 r3x3 s1x1 d1x1 g1 in1 out1 +pool +relu : f32", "'+relu' behind '+pool'"},
      {"conv c1 k1 r3x3 s1x1 d1x1 g1 in1 out1 +pool_index : f32", "pool_index needs one number"},
      {"softmax c1 in1 out1 +relu : f32", "softmax takes no epilogues"},
      {"pad c1 in1 out1 mode=wrap : f32", "unknown value of mode"},
      {"pointwise c1 in1 out1", "': <dtype>' expected"},
      {"pointwise c1 in1 out1 : f32 x", "unexpected 'x'"},
      {"pointwise c1 in1 out1 : f64", "dtype 'f64'"},
  };
  for (auto [text, message] : cases) {
    auto spec = KernelSpec::parse(text);
    ASSERT_EQ(spec.index(), 1u) << text;
    EXPECT_NE(std::get<std::string>(spec).find(message), std::string::npos) << std::get<std::string>(spec);
  }
}

TEST(Schedule, TextAndChecks) {
  auto parsed = Schedule::parse("direct px=6 cv=4 rows=4");
  ASSERT_EQ(parsed.index(), 0u);
  EXPECT_EQ(std::get<Schedule>(parsed).print(), "direct cv=4 px=6 rows=4");
  EXPECT_EQ(Schedule::parse("").index(), 1u);
  EXPECT_EQ(Schedule::parse("direct px=").index(), 1u);
  EXPECT_EQ(Schedule::parse("direct px=1 px=2").index(), 1u);

  const auto spec = std::get<KernelSpec>(KernelSpec::parse("conv c8 k8 r3x3 s1x1 d1x1 g1 in8 out8 : f32"));
  auto check = [&](const char *text) {
    return checkSchedule(spec, std::get<Schedule>(Schedule::parse(text)), Isa::Avx512);
  };
  EXPECT_EQ(check("direct cv=1 px=6 rows=4"), "");
  EXPECT_NE(check("fast cv=1").find("unknown schedule family 'fast'"), std::string::npos);
  EXPECT_NE(check("direct cv=4 px=6 rows=4").find("cv=4 is not legal here; legal are 1"), std::string::npos);
  EXPECT_NE(check("direct cv=1 px=6").find("'rows' of family direct is missing"), std::string::npos);
  EXPECT_NE(check("direct cv=1 px=6 rows=4 z=1").find("no parameter 'z'"), std::string::npos);
  EXPECT_NE(check("pack").find("does not apply"), std::string::npos);
}

KernelJob job(const std::string &problem, const std::string &schedule) {
  return {"kernel0", problem, schedule, Isa::Avx2};
}

TEST(Compile, SameBytesWhateverCameBefore) {
  const KernelJob first =
      job("conv c8 k8 r3x3 s1x1 d1x1 g1 in8 out8 +bias +relu : f32", "direct cv=1 px=6 rows=4");
  auto a = compileKernel(first),
       other = compileKernel(job("conv c3 k16 r1x1 s1x1 d1x1 g1 in3 out16 : f32", "direct cv=1 px=4 rows=1"));
  auto b = compileKernel(first, true);
  ASSERT_EQ(a.index(), 0u) << std::get<std::string>(a);
  ASSERT_EQ(other.index(), 0u);
  ASSERT_EQ(b.index(), 0u);
  const auto &x = std::get<KernelArtifact>(a), &y = std::get<KernelArtifact>(b);
  EXPECT_EQ(x.object, y.object);
  ASSERT_GT(x.object.size(), 100u);
  EXPECT_EQ(std::string(x.object.begin() + 1, x.object.begin() + 4), "ELF");
  EXPECT_EQ(x.scratchBytes, 0u);
  EXPECT_TRUE(x.stmt.empty());
  EXPECT_NE(y.stmt.find("kernel0"), std::string::npos);
  EXPECT_NE(y.assembly.find("vfmadd"), std::string::npos);
  EXPECT_NE(y.llvm.find("define"), std::string::npos);
}

/// Transformed filters of 590 KB are fetched into the L2 cache beside the products, 148 KB are there anyway.
TEST(Compile, WinogradFetchesLargeFilters) {
  auto fetches = [](const std::string &problem) {
    auto result =
        compileKernel({"kernel0", problem, "winograd bx=4 by=4 cb=1 cv=2 kc=1 tx=4 ty=4", Isa::Avx512}, true);
    EXPECT_EQ(result.index(), 0u) << std::get<std::string>(result);
    const std::string &code = std::get<KernelArtifact>(result).assembly;
    EXPECT_EQ(code.find("prefetchnta"), std::string::npos) << "past the L2 cache";
    return code.find("prefetcht1") != std::string::npos;
  };
  EXPECT_TRUE(fetches("conv c64 k64 r3x3 s1x1 d1x1 g1 in64 out64 +relu : f32"));
  EXPECT_FALSE(fetches("conv c32 k32 r3x3 s1x1 d1x1 g1 in32 out32 +relu : f32"));
}

/// Where a row of the caller's tensor is dense, what is stored are whole vectors, and each fetches a later
/// one.
TEST(Compile, LastResizingStoresVectorsAndFetchesAhead) {
  auto result = compileKernel({"kernel0", "export_upsample c21 in21 mode=bilinear align0 : f32",
                               "planes rows=64 tile=512", Isa::Avx512},
                              true);
  ASSERT_EQ(result.index(), 0u) << std::get<std::string>(result);
  const std::string &code = std::get<KernelArtifact>(result).assembly;
  int dense = 0;
  for (size_t at = code.find("prefetcht1"); at != std::string::npos; at = code.find("prefetcht1", at + 1)) {
    const std::string loop = code.substr(at, code.find("\tj", at) - at);
    dense += loop.find("vmovups\t%zmm") != std::string::npos && loop.find("vextractps") == std::string::npos;
  }
  EXPECT_EQ(dense, 2) << "of whole tiles and of the last one";
}

/// v: 36 planes x 16 tiles x 64 channels (4 vectors and one of padding in storage order), m: 36 planes x 16
/// tiles x 32.
TEST(Compile, ScratchOfWinogradIsAConstant) {
  auto result = compileKernel({"kernel0", "conv c64 k64 r3x3 s1x1 d1x1 g1 in64 out64 +relu : f32",
                               "winograd bx=4 by=4 cb=1 cv=2 kc=1 tx=4 ty=4", Isa::Avx512});
  ASSERT_EQ(result.index(), 0u) << std::get<std::string>(result);
  const uint64_t least = 4 * 36 * 16 * (64 + 32), scratch = std::get<KernelArtifact>(result).scratchBytes;
  EXPECT_GE(scratch, least);
  EXPECT_LE(scratch, 2 * least);
}

/// A tile's code is there once, and loops over rows and columns: with all planes and pixels unrolled, and
/// again for tiles at the image's edges, these are 37, 40 and 28 KB, and a network compiles twice as long.
TEST(Compile, CodeOfLargeTilesIsSmall) {
  for (const auto &[problem, schedule] :
       {std::pair("conv c256 k128 r3x3 s1x1 d1x1 g1 in256 out128 +bias +relu : f32",
                  "winograd bx=4 by=2 cb=1 cv=4 kc=4 tx=6 ty=6"),
        std::pair("conv c64 k64 r3x3 s1x1 d1x1 g1 in64 out256 +bias +relu +keep_pool(64) : f32",
                  "winograd bx=4 by=2 cb=1 cv=4 kc=4 tx=6 ty=6"),
        std::pair("pack_winograd panel64 tile6x6 scale1 from=conv step1x1 : f32", "pack")}) {
    auto result = compileKernel({"kernel0", problem, schedule, Isa::Avx512});
    ASSERT_EQ(result.index(), 0u) << std::get<std::string>(result);
    EXPECT_LE(std::get<KernelArtifact>(result).object.size(), 12u << 10) << problem;
  }
}

/// Without assertions a Func whose explicit bounds are too small would give wrong numbers: Halide only warns.
TEST(Compile, WarningsAreErrors) {
  Family &family = const_cast<Family &>(*findFamily("pad")); // the table's own: kernels are built by name
  const auto build = family.build;
  bool isSmall = true;
  family.build = [&](const KernelSpec &spec, const Schedule &, Isa) {
    const Halide::Var c("c"), x("x"), y("y"), n("n");
    const Halide::ImageParam in = activation("x", spec.get("c"), spec.get("in"));
    Halide::Func twice("twice"), out("y");
    twice(c, x, y, n) = in(c, x, y, n) * 2.f;
    out(c, x, y, n) = twice(c, x, y, n) + 1.f;
    twice.compute_at(out, x).bound(c, 0, isSmall ? 3 : 4);
    out.output_buffer().dim(0).set_bounds(0, 4);
    describeActivation(out.output_buffer(), spec.get("c"), spec.get("out"));
    return KernelBuild{{in}, Halide::Pipeline(out)};
  };
  const KernelJob wrong = job("pad c4 in4 out4 mode=zero : f32", "pad");
  const auto warned = compileKernel(wrong);
  isSmall = false;
  const auto fine = compileKernel(wrong);
  family.build = build;
  ASSERT_EQ(warned.index(), 1u);
  EXPECT_NE(std::get<std::string>(warned).find("pad c4"), std::string::npos);
  EXPECT_EQ(fine.index(), 0u) << std::get<std::string>(fine);
}

TEST(Compile, ErrorsNameProblemAndSchedule) {
  auto result = compileKernel(job("conv c8 k8 r3x3 s1x1 d1x1 g1 in8 out8 : f32", "direct cv=9 px=6 rows=4"));
  ASSERT_EQ(result.index(), 1u);
  const std::string &text = std::get<std::string>(result);
  EXPECT_NE(text.find("conv c8"), std::string::npos) << text;
  EXPECT_NE(text.find("cv=9 is not legal"), std::string::npos) << text;
}

} // namespace
} // namespace segc::schedules
