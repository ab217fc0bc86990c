/// \file The families of GPUs: who serves what, how vectors shrink to where tensors lie, what no GPU
/// launches.
// SPDX-License-Identifier: MIT
#include "schedules/Build.h"
#include "schedules/Compile.h"
#include "schedules/gpu/Launches.h"
#include "schedules/gpu/TensorCores.h"
#include "gtest/gtest.h"
#include <set>

using namespace segc::schedules;

namespace {

KernelSpec specOf(const std::string &problem) { return std::get<KernelSpec>(KernelSpec::parse(problem)); }

const char *const kConv = "conv c16 k32 r3x3 s1x1 d1x1 g1 in16 out32 +bias : f32";

} // namespace

TEST(GpuSchedule, FamiliesServeEitherGpusOrProcessors) {
  for (Isa isa : {Isa::Cuda, Isa::OpenCl, Isa::Portable}) {
    auto choice = chooseSchedule(specOf(kConv), isa);
    ASSERT_TRUE(std::holds_alternative<Schedule>(choice)) << std::get<std::string>(choice);
    const Schedule &schedule = std::get<Schedule>(choice);
    EXPECT_EQ(findFamily(schedule.family)->onGpu, isGpu(isa)) << schedule.print();
    const Isa other = isGpu(isa) ? Isa::Portable : Isa::Cuda;
    EXPECT_NE(checkSchedule(specOf(kConv), schedule, other).find("it is for"), std::string::npos);
  }
}

TEST(GpuSchedule, VectorsFallToWhatStridesAndOffsetsAllow) {
  const Schedule chosen = std::get<Schedule>(chooseSchedule(specOf(kConv), Isa::Cuda));
  EXPECT_EQ(chosen.params.at("load"), 4);
  EXPECT_EQ(chosen.params.at("store"), 4);
  EXPECT_EQ(settleSchedule(specOf(kConv), chosen, Isa::Cuda, 0).print(), chosen.print());
  EXPECT_EQ(settleSchedule(specOf(kConv), chosen, Isa::Cuda, 64).print(), chosen.print());
  const Schedule halves = settleSchedule(specOf(kConv), chosen, Isa::Cuda, 6);
  EXPECT_EQ(halves.params.at("load"), 2);
  EXPECT_EQ(halves.params.at("store"), 2);
  // Written into a concat of 35 channels: pixels do not begin at whole vectors.
  const KernelSpec slice = specOf("conv c16 k32 r3x3 s1x1 d1x1 g1 in16 out35 +bias : f32");
  EXPECT_NE(checkSchedule(slice, chosen, Isa::Cuda), "");
  const Schedule settled = settleSchedule(slice, chosen, Isa::Cuda, 0);
  EXPECT_EQ(settled.params.at("load"), 4);
  EXPECT_EQ(settled.params.at("store"), 1);
  EXPECT_EQ(checkSchedule(slice, settled, Isa::Cuda), "");
}

namespace {

/// Compiles the family's own point with each parameter changed in turn.
void compileEveryPoint(const char *name, const char *problem) {
  const Family *family = findFamily(name);
  ASSERT_TRUE(family);
  for (const Parameter &parameter : family->parameters(specOf(problem), Isa::Cuda))
    for (int value : parameter.legal) {
      Schedule schedule = family->choose(specOf(problem), Isa::Cuda);
      schedule.params[parameter.name] = value;
      auto outcome = compileKernel({"k", problem, schedule.print(), Isa::Cuda});
      EXPECT_TRUE(std::holds_alternative<KernelArtifact>(outcome)) << schedule.print() << "\n"
                                                                   << std::get<std::string>(outcome);
    }
}

} // namespace

TEST(GpuSchedule, EveryLegalPointOfTheTilesCompiles) {
  compileEveryPoint("conv_tile", "conv c8 k8 r1x1 s1x1 d1x1 g1 in8 out8 read=scaled +relu : f32");
  compileEveryPoint("wgrad_tile", "conv_wgrad c8 k8 r1x3 s1x1 d1x1 g1 in8 dy8 : f32");
}

TEST(GpuSchedule, WeightGradientsHaveTilesThatFitTheirChannels) {
  auto chosen = [](const char *problem) {
    return std::get<Schedule>(chooseSchedule(specOf(problem), Isa::Cuda));
  };
  // The smallest gradients get the most bands, the largest one.
  EXPECT_EQ(chosen("conv_wgrad c3 k8 r3x3 s1x1 d1x1 g1 in3 dy8 : f32").params.at("parts"), 512);
  EXPECT_EQ(chosen("conv_wgrad c1024 k1024 r3x3 s1x1 d1x1 g1 in1024 dy1024 : f32").params.at("parts"), 1);
  // A pixel of 5 channels does not begin at a whole vector.
  const Schedule odd = chosen("conv_wgrad c5 k8 r3x3 s1x1 d1x1 g1 in5 dy8 : f32");
  EXPECT_EQ(odd.params.at("load"), 1);
  EXPECT_EQ(odd.params.at("vector"), 4);
  // dy lies in a concat from channel 6 on.
  const char *const part = "conv_wgrad c8 k8 r3x3 s1x1 d1x1 g1 in8 dy8 : f32";
  EXPECT_EQ(settleSchedule(specOf(part), chosen(part), Isa::Cuda, 6).params.at("vector"), 2);
  EXPECT_NE(checkSchedule(specOf("channel_sums c8 in8 other0 out8 kind=sum : f32"),
                          {"threads", {{"vector", 1}, {"block", 128}}}, Isa::Cuda)
                .find("leave a GPU idle"),
            std::string::npos);
}

TEST(GpuSchedule, BandsAreSharedByThreads) {
  for (const char *problem : {"finish_sum c7 in7 : f32", "finish_norm_grad c64 in64 gamma1 eps=1e-05 : f32",
                              "finish_group_stats c64 in64 groups8 gamma1 beta1 eps=1e-05 : f32",
                              "finish_group_norm_grad c1024 in1024 groups1 gamma0 : f32",
                              "finish_loss kind=dice c21 in21 reduction=mean per_image1 eps=1 scale=1 : f32",
                              "finish_loss kind=mse c1 in1 reduction=mean per_image0 scale=1 : f32"}) {
    const Schedule chosen = std::get<Schedule>(chooseSchedule(specOf(problem), Isa::Cuda));
    EXPECT_EQ(chosen.family, "finish_shares") << problem;
    auto compiled = compileKernelHere({"k", problem, chosen.print(), Isa::Cuda}, true);
    ASSERT_TRUE(std::holds_alternative<KernelArtifact>(compiled)) << std::get<std::string>(compiled);
    EXPECT_NE(std::get<KernelArtifact>(compiled).device.find("bar.sync"), std::string::npos) << problem;
  }
  // Totals of one group have to fit into a block's shared memory.
  const KernelSpec large = specOf("finish_group_stats c1360 in1360 groups1 gamma1 beta1 eps=1e-05 : f32");
  EXPECT_EQ(std::get<Schedule>(chooseSchedule(large, Isa::Cuda)).family, "threads");
  EXPECT_NE(checkSchedule(large, {"finish_shares", {}}, Isa::Cuda).find("do not fit into shared memory"),
            std::string::npos);
}

TEST(GpuSchedule, TensorCoresTakeF32OnlyWhereTf32IsAllowed) {
  KernelSpec spec = specOf(kConv);
  EXPECT_EQ(std::get<Schedule>(chooseSchedule(spec, Isa::Cuda)).family, "conv_tile");
  spec.tf32 = true;
  EXPECT_EQ(std::get<Schedule>(chooseSchedule(spec, Isa::Cuda)).family, "tensor_cores");
  EXPECT_EQ(std::get<Schedule>(chooseSchedule(spec, Isa::Cuda, {"tensor_cores"})).family, "conv_tile");
  for (const char *problem :
       {"conv c12 k32 r3x3 s1x1 d1x1 g1 in12 out32 : f32", "conv c16 k32 r3x3 s1x1 d1x1 g2 in16 out32 : f32",
        "conv c16 k32 r3x3 s1x1 d1x1 g1 in16 out35 : f32",
        "conv c16 k32 r1x1 s1x1 d1x1 g1 in16 out32 read=scaled : f32",
        "conv c16 k8 r3x3 s1x1 d1x1 g1 in16 out8 +softmax : f32"}) {
    KernelSpec other = specOf(problem);
    other.tf32 = true;
    EXPECT_NE(std::get<Schedule>(chooseSchedule(other, Isa::Cuda)).family, "tensor_cores") << problem;
  }
}

TEST(GpuSchedule, TensorCoresChooseLegalTilesForAnyExtents) {
  const Family *family = findFamily("tensor_cores");
  std::set<std::string> tiles;
  for (const char *problem : {"conv c8 k8 r1x1 s1x1 d1x1 g1 in8 out8 : f32",
                              "conv c64 k64 r3x3 s1x1 d1x1 g1 in64 out128 +bias +relu : f32",
                              "conv c2048 k512 r3x3 s2x2 d1x1 g1 in2048 out512 +bias +add(512) : f32",
                              "conv c512 k1024 r3x3 s1x1 d4x4 g1 in512 out1024 +affine +prelu : f32"})
    for (int extent : {0, 1, 7, 32, 224, 1024}) {
      KernelSpec spec = specOf(problem);
      spec.likelyWidth = spec.likelyHeight = extent;
      const Schedule schedule = family->choose(spec, Isa::Cuda);
      EXPECT_EQ(checkSchedule(spec, schedule, Isa::Cuda), "") << problem << " at " << extent;
      tiles.insert(schedule.print());
      // The order of the template: k, tap, c.
      const Packing packing = family->packing(spec, schedule, Isa::Cuda);
      EXPECT_EQ(packing.extents,
                (std::vector<int>{1, spec.get("c"), spec.get("r", 1), spec.get("r", 0), spec.get("k")}));
      EXPECT_TRUE(std::holds_alternative<Schedule>(chooseSchedule(specOf(packing.problem), Isa::Cuda)));
    }
  EXPECT_GE(tiles.size(), 8u); // the extents matter
}

/// Variants for sm_90a: only where they are asked for, of convolutions in 16 bits, where the estimate is
/// better.
TEST(GpuSchedule, WarpgroupsAreChosenWhereTheyAreAskedForAndPay) {
  KernelSpec deep = specOf("conv c512 k512 r3x3 s1x1 d1x1 g1 in512 out512 +bias +relu : bf16");
  deep.likelyWidth = deep.likelyHeight = 64;
  auto familyOf = [](const KernelSpec &spec, const std::vector<std::string> &without = {}) {
    return std::get<Schedule>(chooseSchedule(spec, Isa::Cuda, without)).family;
  };
  EXPECT_EQ(familyOf(deep), "tensor_cores");
  deep.sm90a = true;
  EXPECT_EQ(familyOf(deep), "tensor_cores_90a");
  EXPECT_EQ(familyOf(deep, {"tensor_cores", "tensor_cores_90a"}), "conv_tile");
  // 64 result channels live from the copies, whoever multiplies.
  KernelSpec wide = specOf("conv c64 k64 r3x3 s1x1 d1x1 g1 in64 out64 +bias +relu : bf16");
  wide.likelyWidth = wide.likelyHeight = 512;
  wide.likelyImages = 16;
  wide.sm90a = true;
  EXPECT_EQ(familyOf(wide), "tensor_cores");
  for (const char *problem : {"conv_wgrad c512 k512 r3x3 s1x1 d1x1 g1 in512 dy512 : f32",
                              "conv c512 k512 r3x3 s1x1 d1x1 g1 in512 out512 : f32"}) {
    KernelSpec other = specOf(problem);
    other.tf32 = other.sm90a = true;
    EXPECT_EQ(familyOf(other), "tensor_cores") << problem;
  }
  const Family *family = findFamily("tensor_cores_90a");
  for (const int extent : {0, 1, 32, 1024})
    for (const char *problem :
         {"conv c8 k8 r1x1 s1x1 d1x1 g1 in8 out8 : f16",
          "conv c512 k1024 r3x3 s1x1 d4x4 g1 in512 out1024 +affine +prelu +keep_pool(1024) : bf16"}) {
      KernelSpec spec = specOf(problem);
      spec.likelyWidth = spec.likelyHeight = extent;
      const Schedule schedule = family->choose(spec, Isa::Cuda);
      EXPECT_EQ(checkSchedule(spec, schedule, Isa::Cuda), "") << problem << " at " << extent;
      EXPECT_EQ(family->packing(spec, schedule, Isa::Cuda).problem,
                findFamily("tensor_cores")->packing(spec, schedule, Isa::Cuda).problem);
    }
}

/// The parts of a weight gradient are planned once, so there is one number of them: both kernels', and the
/// plan's.
TEST(GpuSchedule, WeightGradientsByWarpgroupsHaveTheSamePartsInBothKernels) {
  const Family *family = findFamily("tensor_cores_90a");
  int split = 0;
  for (const char *problem : {"conv_wgrad c64 k64 r3x3 s1x1 d1x1 g1 in64 dy64 : bf16",
                              "conv_wgrad c128 k256 r3x3 s2x2 d1x1 g1 in128 dy256 : f16",
                              "conv_wgrad c1024 k1024 r3x3 s1x1 d2x2 g1 in1024 dy1024 : bf16",
                              "conv_wgrad c8 k16 r2x2 s2x2 d1x1 g1 in8 dy16 : bf16"})
    for (const int extent : {0, 1, 32, 512}) {
      KernelSpec spec = specOf(problem);
      spec.sm90a = true;
      spec.likelyWidth = spec.likelyHeight = extent;
      const Schedule schedule = family->choose(spec, Isa::Cuda);
      EXPECT_EQ(checkSchedule(spec, schedule, Isa::Cuda), "") << problem << " at " << extent;
      EXPECT_EQ(schedule.params.count("gparts"), 0u);
      const auto groups = groupTileOf(schedule);
      ASSERT_TRUE(groups);
      EXPECT_EQ(groups->parts, tileOf(schedule).parts);
      EXPECT_EQ(family->packing(spec, schedule, Isa::Cuda).extents.back(), groups->parts);
      split += groups->parts > 1;
    }
  EXPECT_GE(split, 6);
  KernelSpec deep = specOf("conv_wgrad c512 k512 r3x3 s1x1 d1x1 g1 in512 dy512 : bf16");
  deep.likelyWidth = deep.likelyHeight = 64;
  EXPECT_EQ(std::get<Schedule>(chooseSchedule(deep, Isa::Cuda)).family, "tensor_cores");
  deep.sm90a = true;
  EXPECT_EQ(std::get<Schedule>(chooseSchedule(deep, Isa::Cuda)).family, "tensor_cores_90a");
  // Both are in the object, under one name.
  auto compiled = compileKernelHere({"net_wgrad", "conv_wgrad c64 k64 r3x3 s1x1 d1x1 g1 in64 dy64 : bf16",
                                     "tensor_cores_90a gm=64 gn=256 gstages=4 gwm=64 gwn=128 k=32 m=64 n=64 "
                                     "parts=3 stages=4 width=0 wm=32 wn=32",
                                     Isa::Cuda},
                                    true);
  ASSERT_TRUE(std::holds_alternative<KernelArtifact>(compiled)) << std::get<std::string>(compiled);
  const KernelArtifact &artifact = std::get<KernelArtifact>(compiled);
  for (const char *text : {".target sm_80", "mma.sync", ".target sm_90a", "wgmma.mma_async"})
    EXPECT_NE(artifact.device.find(text), std::string::npos) << text;
  EXPECT_NE(artifact.stmt.find("s4 p3\ntile 64x256x64 g64x128 s4 p3 for sm_90a"), std::string::npos)
      << artifact.stmt;
}

TEST(GpuSchedule, ObjectsOfWarpgroupsHaveBothKernels) {
  const std::string problem = "conv c64 k64 r3x3 s1x1 d1x1 g1 in64 out64 +bias : bf16",
                    tiles =
                        "tensor_cores_90a gm=128 gn=64 gparts=3 gstages=4 gwidth=0 gwm=64 gwn=64 k=32 m=64 "
                        "n=64 parts=1 stages=4 width=0 wm=32 wn=32";
  auto compiled = compileKernelHere({"net_conv", problem, tiles, Isa::Cuda}, true);
  ASSERT_TRUE(std::holds_alternative<KernelArtifact>(compiled)) << std::get<std::string>(compiled);
  const KernelArtifact &artifact = std::get<KernelArtifact>(compiled);
  for (const char *text :
       {".target sm_80", "mma.sync", ".target sm_90a", "wgmma.mma_async", ".entry net_conv_sum("})
    EXPECT_NE(artifact.device.find(text), std::string::npos) << text;
  const std::string object(artifact.object.begin(), artifact.object.end());
  for (const char *text : {".target sm_80", ".target sm_90a", "net_conv_argv"})
    EXPECT_NE(object.find(text), std::string::npos) << text;
  auto wrong = compileKernelHere(
      {"k", problem, std::string(tiles).replace(tiles.find("gm=128"), 6, "gm=256"), Isa::Cuda});
  ASSERT_TRUE(std::holds_alternative<std::string>(wrong));
  EXPECT_NE(std::get<std::string>(wrong).find("a block has 1 to 8 warps, not 16"), std::string::npos);
}

TEST(GpuSchedule, TensorCoresMakeObjectsWithPtxOrForTheEmulatedWarp) {
  const std::string tile = "tensor_cores k=16 m=64 n=64 parts=2 stages=4 width=0 wm=32 wn=32";
  auto cuda = compileKernelHere({"net_conv", kConv, tile, Isa::Cuda}, true);
  ASSERT_TRUE(std::holds_alternative<KernelArtifact>(cuda)) << std::get<std::string>(cuda);
  const KernelArtifact &artifact = std::get<KernelArtifact>(cuda);
  for (const char *text : {".entry net_conv(", ".entry net_conv_sum(", "mma.sync", "cp.async"})
    EXPECT_NE(artifact.device.find(text), std::string::npos) << text;
  const std::string object(artifact.object.begin(), artifact.object.end());
  for (const char *text : {"net_conv_argv", "segc_tensorcore_launch", "mma.sync", kConv})
    EXPECT_NE(object.find(text), std::string::npos) << text;
  EXPECT_EQ(artifact.scratchBytes, 0u);
  auto again = compileKernelHere({"net_conv", kConv, tile, Isa::Cuda});
  EXPECT_EQ(std::get<KernelArtifact>(again).object, artifact.object);

  auto emulated = compileKernelHere({"net_conv", kConv, tile, Isa::OpenCl});
  ASSERT_TRUE(std::holds_alternative<KernelArtifact>(emulated)) << std::get<std::string>(emulated);
  const std::vector<uint8_t> &bytes = std::get<KernelArtifact>(emulated).object;
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()).find("mma.sync"), std::string::npos);
  // Each parameter is legal, their combination is not.
  auto wrong = compileKernelHere(
      {"k", kConv, "tensor_cores k=16 m=256 n=256 parts=1 stages=4 width=0 wm=16 wn=16", Isa::Cuda});
  ASSERT_TRUE(std::holds_alternative<std::string>(wrong));
  EXPECT_NE(std::get<std::string>(wrong).find("a block has 1 to 8 warps, not 256"), std::string::npos)
      << std::get<std::string>(wrong);
}

// OpenCL on a processor would run it; a GPU does not.
TEST(GpuSchedule, TooMuchSharedMemoryAndTooManyThreadsAreErrors) {
  auto compile = [](int elements, int threads) {
    using namespace Halide;
    StrictHalide strict;
    const Var x("x"), xo("xo"), xi("xi"), to("to"), ti("ti");
    ImageParam in(Float(32), 1, "in");
    Func tile("tile"), out("out");
    tile(x) = in(x) + 1.f;
    out(x) = tile(x) + tile(x + elements - threads);
    out.gpu_tile(x, xo, xi, threads, TailStrategy::RoundUp);
    tile.compute_at(out, xo).split(x, to, ti, threads).gpu_threads(ti);
    Pipeline pipeline(out);
    checkLaunches(pipeline.compile_to_module({in}, "k", targetOf(Isa::Cuda)));
  };
  compile(1024, 256);
  auto message = [&](int elements, int threads) -> std::string {
    try {
      compile(elements, threads);
    } catch (const Halide::Error &error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message(16384, 256).find("bytes of shared memory, a GPU has 49152"), std::string::npos)
      << message(16384, 256);
  EXPECT_NE(message(4096, 2048).find("threads in a block, a GPU has 1024"), std::string::npos)
      << message(4096, 2048);
}
