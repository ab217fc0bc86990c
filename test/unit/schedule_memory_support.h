/// \file Tensors in guarded memory and runs of memory-bound kernels in this process.
// SPDX-License-Identifier: MIT
#pragma once
#include "test/unit/schedule_conv_support.h"
#include <array>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <sys/mman.h>
#include <unistd.h>

namespace segc::schedules {

/// (c, x, y, n) of any strides in memory of its own: everything outside the view holds `outside`, the page
/// behind the view's last element and the one before the memory cannot be touched.
template <typename T> class Guarded {
public:
  Guarded(std::array<int, 4> extents, std::array<int, 4> strides, T outside, int minX = 0, int minY = 0)
      : outside(outside) {
    size_t last = 0;
    halide_dimension_t dims[4];
    const int mins[4] = {0, minX, minY, 0};
    for (int d = 0; d < 4; d++) {
      last += size_t(extents[d] - 1) * strides[d];
      dims[d] = {mins[d], extents[d], strides[d], 0};
    }
    const size_t page = sysconf(_SC_PAGESIZE), before = 2 * strides[1] + 7;
    count = before + last + 1;
    bytes = (count * sizeof(T) + page - 1) / page * page + 2 * page;
    pages =
        static_cast<char *>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(pages, page, PROT_NONE);
    mprotect(pages + bytes - page, page, PROT_NONE);
    first = reinterpret_cast<T *>(pages + bytes - page) - count;
    std::fill(first, first + count, outside);
    view = Halide::Buffer<T>(first + before, 4, dims);
  }
  ~Guarded() { munmap(pages, bytes); }
  Guarded(const Guarded &) = delete;

  Halide::Buffer<T> view;

  template <typename F> void fill(const F &value) {
    view.for_each_element([&](int c, int x, int y, int n) { view(c, x, y, n) = value(); });
  }
  /// How many elements outside the view changed.
  int damaged() const {
    std::vector<bool> inside(count);
    view.for_each_element([&](int c, int x, int y, int n) { inside[&view(c, x, y, n) - first] = true; });
    int found = 0;
    for (size_t i = 0; i < count; i++)
      found += !inside[i] && std::memcmp(&first[i], &outside, sizeof(T)) != 0;
    return found;
  }

private:
  char *pages;
  size_t bytes, count;
  T *first, outside;
};

struct Extents {
  int c, w, h, n;
};

/// Strides of a caller's tensor (c, x, y, n).
inline std::array<int, 4> callerStrides(int layout, const Extents &e) {
  switch (layout) {
  case 0: // NCHW
    return {e.w * e.h, 1, e.w, e.w * e.h * e.c};
  case 1: // NHWC
    return {1, e.c, e.c * e.w, e.c * e.w * e.h};
  case 2: // NHWC inside larger pixels and rows
    return {1, e.c + 2, (e.c + 2) * e.w + 5, (e.c + 2) * (e.w + 5) * e.h};
  default: // neither
    return {2, 2 * e.c + 1, (2 * e.c + 1) * e.w + 1, ((2 * e.c + 1) * e.w + 1) * e.h};
  }
}

/// An activation with rows and images further apart than they must be.
template <typename T> struct Activation : Guarded<T> {
  Activation(Extents e, int pixel, T outside, int minX = 0, int minY = 0)
      : Guarded<T>({e.c, e.w, e.h, e.n}, strides(e, pixel), outside, minX, minY) {}
  static std::array<int, 4> strides(Extents e, int pixel) {
    const int row = (e.w + 1) * pixel + 3;
    return {1, pixel, row, row * (e.h + 1) + 5};
  }
};

/// The kernel of a problem at its rule's point, for this process. Adds a failure if it does not compile.
class MemoryKernel {
public:
  MemoryKernel(const std::string &problem, Isa isa) : spec(parseSpec(problem)) {
    const auto schedule = chooseSchedule(spec, isa);
    if (auto *error = std::get_if<std::string>(&schedule)) {
      ADD_FAILURE() << *error;
      return;
    }
    kernel = std::make_unique<JitKernel>(spec, std::get<Schedule>(schedule), isa);
    EXPECT_EQ(kernel->error, "") << problem;
    if (!kernel->error.empty())
      kernel.reset();
  }
  explicit operator bool() const { return kernel != nullptr; }
  void run(const std::vector<Halide::Buffer<>> &inputs, const std::vector<Halide::Buffer<>> &results) {
    for (size_t i = 0; i < inputs.size(); i++)
      kernel->build.inputs[i].set(inputs[i]);
    kernel->build.pipeline.realize(Halide::Realization(results), kernel->target);
  }
  const KernelSpec spec;

private:
  std::unique_ptr<JitKernel> kernel;
};

inline std::vector<Isa> isasHere() {
  std::vector<Isa> found;
  for (Isa isa : {Isa::Avx512, Isa::Avx2, Isa::Portable})
    if (canRun(isa))
      found.push_back(isa);
  return found;
}

/// The first instruction set gets all problems, the others a share of them: compiling takes most of the time.
inline bool skipped(Isa isa, std::mt19937 &random) { return isa != isasHere().front() && random() % 4 < 3; }

/// Numbers with many ties; with `special` also NaN, infinities and zeros of both signs.
struct Values {
  std::mt19937 &random;
  bool special = false;
  float operator()() const {
    static const float rare[] = {NAN, -INFINITY, INFINITY, -0.f, 0.f};
    if (special && random() % 4 == 0)
      return rare[random() % 5];
    return float(int(random() % 9) - 4) * 0.5f;
  }
};

inline bool same(float a, float b) { return (std::isnan(a) && std::isnan(b)) || a == b; }

/// The operands of +bias, +prelu, +add for results of some extents, and what these and +relu make of a value.
class TestEpilogues {
public:
  TestEpilogues(const KernelSpec &spec, Extents e, std::mt19937 &random) : spec(spec) {
    for (const Epilogue &step : spec.epilogues) {
      if (step.isTensor()) {
        tensors.push_back(std::make_unique<Activation<float>>(e, step.stride, NAN));
        tensors.back()->fill(Values{random});
        operands.push_back(tensors.back()->view);
      } else if (step.operands()) {
        Halide::Buffer<float> vector(std::vector<int>{paddedChannels(e.c)});
        vector.for_each_element([&](int i) { vector(i) = i < e.c ? Values{random}() : 0.f; });
        operands.push_back(vector);
      }
    }
  }
  float apply(float v, int c, int x, int y, int n) const {
    size_t next = 0;
    for (const Epilogue &step : spec.epilogues) {
      const Halide::Buffer<float> *a = step.operands() ? &operands[next++] : nullptr;
      if (step.op == "bias")
        v += (*a)(c);
      else if (step.op == "add")
        v += (*a)(c, x, y, n);
      else if (step.op == "prelu")
        v = v < 0 ? (*a)(c)*v : v;
      else
        v = v < 0 ? 0 : v; // relu; NaN stays
    }
    return v;
  }
  std::vector<Halide::Buffer<float>> operands;

private:
  const KernelSpec spec;
  std::vector<std::unique_ptr<Activation<float>>> tensors;
};

} // namespace segc::schedules
