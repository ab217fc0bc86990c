/// \file The vectors of CUDA's kernels, run by OpenCL: what whole accesses of 4 and 8 bf16 bring is what
/// single ones bring.
///
/// The two targets differ in that alone, and OpenCL on a processor can run both, but for strict comparisons
/// of vectors. Skipped where OpenCL has no device.
// SPDX-License-Identifier: MIT
#include "schedules/Compile.h"
#include "schedules/Storage.h"
#include "test/unit/gpu_support.h"
#include "gtest/gtest.h"
#include <cstring>

using namespace segc::schedules;
using Halide::Buffer;

namespace {

/// (c, x, y, n) of bf16 in the memory of as many f32, half of which is unused: the buffers of kernels are
/// declared f32, and Halide's runtime copies as many bytes as that takes (of dense ones all).
struct Activation {
  Buffer<float> memory;
  uint16_t *bits;

  Activation(int c, int pixel, int w, int h) : memory(nullptr, 0) {
    const halide_dimension_t dims[] = {{0, c, 1}, {0, w, pixel}, {0, h, pixel * w}, {0, 1, pixel * w * h}};
    storage.assign(size_t(pixel) * w * h, 0);
    memory = Buffer<float>(storage.data(), 4, dims);
    bits = reinterpret_cast<uint16_t *>(storage.data());
    memory.set_host_dirty();
  }
  Activation(const Activation &) = delete;

private:
  std::vector<float> storage;
};

/// The result's bits, of the kernel as CUDA or OpenCL would have it.
std::vector<uint16_t> run(const std::string &problem, const std::string &schedule, Isa as, int w, int h) {
  StrictHalide strict;
  const KernelSpec spec = std::get<KernelSpec>(KernelSpec::parse(problem));
  const KernelBuild build = buildKernel(spec, std::get<Schedule>(Schedule::parse(schedule)), as);
  std::vector<std::unique_ptr<Activation>> tensors;
  std::vector<Buffer<float>> dense;
  uint32_t random = 1;
  auto next = [&] { return random = random * 1664525u + 1013904223u; };
  for (Halide::ImageParam input : build.inputs) {
    const Halide::Parameter &p = input.parameter();
    auto constant = [&](const Halide::Expr &e, int otherwise) {
      const auto *value = e.defined() ? e.as<Halide::Internal::IntImm>() : nullptr;
      return value ? int(value->value) : otherwise;
    };
    if (input.dimensions() == 4 && !p.extent_constraint(3).defined()) {
      const int c = constant(p.extent_constraint(0), 1);
      tensors.push_back(std::make_unique<Activation>(c, constant(p.stride_constraint(1), c), w, h));
      for (size_t i = 0; i < tensors.back()->memory.number_of_elements(); ++i)
        tensors.back()->bits[i] = uint16_t(0x3f00 + next() / 65536 % 256); // 0.5 to 2
      input.set(tensors.back()->memory);
      continue;
    }
    std::vector<int> extents;
    for (int d = 0; d < input.dimensions(); ++d)
      extents.push_back(constant(p.extent_constraint(d), 1));
    dense.emplace_back(extents);
    for (size_t i = 0; i < dense.back().number_of_elements(); ++i)
      dense.back().data()[i] = float(next() / 65536 % 17) / 8 - 1;
    dense.back().set_host_dirty();
    input.set(dense.back());
  }
  const int k = spec.get(spec.get("k") ? "k" : "c"), pixel = spec.get("out");
  const int taps = std::max(spec.get("r"), 1) - 1;
  Activation y(k, pixel, w - taps, h - taps);
  Halide::Pipeline pipeline = build.pipeline;
  pipeline.realize(Halide::Realization({y.memory}), jitTargetOf(Isa::OpenCl));
  y.memory.copy_to_host();
  return {y.bits, y.bits + size_t(pixel) * (w - taps) * (h - taps)};
}

/// Sums may be contracted differently: a result may be the neighbour of the other.
void compare(const std::string &problem, const std::string &wide, const std::string &single) {
  SCOPED_TRACE(problem + " | " + wide);
  std::vector<uint16_t> got, want;
  try {
    got = run(problem, wide, Isa::Cuda, 7, 6);
    want = run(problem, single, Isa::OpenCl, 7, 6);
  } catch (const Halide::Error &error) {
    FAIL() << error.what();
  }
  ASSERT_EQ(got.size(), want.size());
  size_t off = 0, set = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_LE(std::abs(int(got[i]) - int(want[i])), 1) << i;
    off += got[i] != want[i];
    set += want[i] != 0;
  }
  EXPECT_LE(off, got.size() / 20);
  EXPECT_GT(set, got.size() / 3);
}

} // namespace

TEST(GpuVectors, WholeAccessesBringWhatSingleOnesBring) {
  if (!segc::test::hasOpenCl())
    GTEST_SKIP() << "OpenCL has no driver here";
  const char *const copy = "pointwise c16 in16 out16 +add(16) : bf16";
  for (const char *vector : {"8", "4", "2"})
    compare(copy, std::string("threads vector=") + vector + " block=32", "threads vector=1 block=32");
  compare("pointwise c12 in12 out12 +scale : bf16", "threads vector=4 block=32", "threads vector=1 block=32");
  compare("avgpool c8 r2x2 s1x1 in8 out8 count=valid after0x0 : bf16", "threads vector=8 block=32",
          "threads vector=1 block=32");
  const char *const conv = "conv c16 k16 r3x3 s1x1 d1x1 g1 in16 out16 +bias +add(16) : bf16";
  // Loads of 8 channels become vectors of 32 lanes there, which OpenCL does not have.
  for (const char *accesses : {"load=4 store=8", "load=4 store=4", "load=2 store=2"})
    compare(conv, std::string("conv_tile tk=8 tp=2 bk=2 ") + accesses,
            "conv_tile tk=8 tp=2 bk=2 load=1 store=1");
}
