/// \file The harness of the convolution tests: guarded tensors, JIT runs, comparison with the plain loop.
// SPDX-License-Identifier: MIT
#include "test/unit/schedule_conv_support.h"
#include "runtime/core/Cpu.h"
#include "runtime/core/Phases.h"
#include "runtime/core/Stream.h"
#include <cmath>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace Halide;

namespace segc::schedules {
namespace {

float uniform(std::mt19937 &random) { return std::uniform_real_distribution<float>(-1.f, 1.f)(random); }

Buffer<float> randomBuffer(const std::vector<int> &extents, std::mt19937 &random, int used = 1 << 30) {
  Buffer<float> buffer(extents);
  for (size_t i = 0; i < buffer.number_of_elements(); i++)
    buffer.data()[i] = int(i) < used ? uniform(random) : 0.f;
  return buffer;
}

/// The operands of all epilogues at a result's extents.
struct Operands {
  std::vector<Buffer<float>> buffers;
  std::vector<std::unique_ptr<GuardedTensor>> tensors;

  Operands(const KernelSpec &spec, const RunSize &size, std::mt19937 &random) {
    const int k = spec.get("k");
    for (const Epilogue &e : spec.epilogues)
      for (int i = 0; i < e.operands(); i++) {
        if (!e.isTensor()) {
          buffers.push_back(randomBuffer({paddedChannels(k)}, random, k));
          continue;
        }
        tensors.push_back(std::make_unique<GuardedTensor>(k, size.w, size.h, size.n, e.stride, NAN));
        tensors.back()->fill(random);
        buffers.push_back(tensors.back()->view);
      }
  }
};

} // namespace

GuardedTensor::GuardedTensor(int c, int w, int h, int n, int pixel, float outside) : outside(outside) {
  const int row = (w + 2) * pixel + 3, image = row * (h + 1) + 5, before = row + 7;
  const size_t page = sysconf(_SC_PAGESIZE);
  count = before + size_t(n - 1) * image + size_t(h - 1) * row + size_t(w - 1) * pixel + c;
  bytes = (count * sizeof(float) + page - 1) / page * page + page;
  pages =
      static_cast<char *>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  mprotect(pages + bytes - page, page, PROT_NONE);
  first = reinterpret_cast<float *>(pages + bytes - page) - count;
  std::fill(first, first + count, outside);
  halide_dimension_t dims[4] = {{0, c, 1, 0}, {0, w, pixel, 0}, {0, h, row, 0}, {0, n, image, 0}};
  view = Buffer<float>(first + before, 4, dims);
}

GuardedTensor::~GuardedTensor() { munmap(pages, bytes); }

void GuardedTensor::fill(std::mt19937 &random) {
  view.for_each_element([&](int c, int x, int y, int n) { view(c, x, y, n) = uniform(random); });
}

int GuardedTensor::damaged() const {
  std::vector<bool> inside(count);
  view.for_each_element([&](int c, int x, int y, int n) { inside[&view(c, x, y, n) - first] = true; });
  int found = 0;
  for (size_t i = 0; i < count; i++)
    found += !inside[i] && first[i] != outside;
  return found;
}

JitKernel::JitKernel(const KernelSpec &spec, const Schedule &schedule, Isa isa)
    : spec(spec), schedule(schedule), target(jitTargetOf(isa)) {
  error = checkSchedule(spec, schedule, isa);
  if (!error.empty())
    return;
  StrictHalide strict;
  try {
    build = buildKernel(spec, schedule, isa);
    build.pipeline.set_jit_externs(
        {{"segc_stream", JITExtern(segc_stream)}, {"segc_stream_end", JITExtern(segc_stream_end)}});
    build.pipeline.compile_jit(target);
    error = strict.warnings;
  } catch (const Error &e) {
    error = e.what();
  }
}

void JitKernel::run(const std::vector<Buffer<float>> &inputs, Buffer<float> result) {
  for (size_t i = 0; i < inputs.size(); i++)
    build.inputs[i].set(inputs[i]);
  build.pipeline.realize(result, target);
}

bool canRun(Isa isa) {
  const uint32_t needed = isa == Isa::Amx          ? rt::kIsaAmx
                          : isa == Isa::Avx512Bf16 ? rt::kIsaAvx512Bf16
                          : isa == Isa::Avx512     ? rt::kIsaAvx512
                          : isa == Isa::Avx2       ? rt::kIsaAvx2Fma
                                                   : rt::kIsaBaseline;
  return rt::availableIsa(needed) == needed;
}

KernelSpec parseSpec(const std::string &text) {
  auto spec = KernelSpec::parse(text);
  if (auto *error = std::get_if<std::string>(&spec)) {
    ADD_FAILURE() << *error;
    return {};
  }
  return std::get<KernelSpec>(spec);
}

KernelSpec convSpec(int c, int k, int r, int s, int d, int g, const std::string &epilogues) {
  auto pair = [](int v) { return std::to_string(v) + "x" + std::to_string(v); };
  return parseSpec("conv c" + std::to_string(c) + " k" + std::to_string(k) + " r" + pair(r) + " s" + pair(s) +
                   " d" + pair(d) + " g" + std::to_string(g) + " in" + std::to_string(c) + " out" +
                   std::to_string(k) + epilogues + " : f32");
}

Schedule randomPoint(const Family &family, const KernelSpec &spec, Isa isa, std::mt19937 &random) {
  Schedule point{family.name, {}};
  for (const Parameter &p : family.parameters(spec, isa))
    point.params[p.name] = p.legal[random() % p.legal.size()];
  return point;
}

Buffer<float> phasesOf(const Buffer<float> &pixels, const std::array<int, 2> &phases) {
  if (phases[0] == 1 && phases[1] == 1)
    return pixels;
  halide_dimension_t dims[6];
  std::copy_n(pixels.raw_buffer()->dim, 4, dims);
  rt::splitPhases(dims, phases[1], phases[0]);
  return Buffer<float>(const_cast<float *>(pixels.data()), 6, dims);
}

namespace {

/// The filters in the layout that the schedule asks for.
Buffer<float> packedFilters(const Buffer<float> &w, const KernelSpec &spec, const Schedule &schedule,
                            Isa isa) {
  const Packing packing = findFamily(schedule.family)->packing(spec, schedule, isa);
  if (packing.problem.empty()) { // as they lie in the file, perhaps in that of the opposite direction
    if (!schedule.params.at("from"))
      return w;
    Buffer<float> turned(w.dim(0).extent(), w.dim(1).extent(), w.dim(3).extent(), w.dim(2).extent());
    turned.for_each_element([&](int rx, int ry, int o, int i) {
      turned(rx, ry, o, i) = w(w.dim(0).max() - rx, w.dim(1).max() - ry, i, o);
    });
    return turned;
  }
  const KernelSpec packSpec = parseSpec(packing.problem);
  auto packSchedule = chooseSchedule(packSpec, isa);
  EXPECT_EQ(packSchedule.index(), 0u);
  JitKernel pack(packSpec, std::get<Schedule>(packSchedule), isa);
  EXPECT_EQ(pack.error, "");
  Buffer<float> packed(packing.extents);
  packed.fill(NAN);
  pack.run({w}, packed);
  return packed;
}

} // namespace

double convError(const KernelSpec &spec, const Schedule &schedule, Isa isa, const std::vector<RunSize> &sizes,
                 unsigned seed) {
  std::mt19937 random(seed);
  JitKernel kernel(spec, schedule, isa);
  EXPECT_EQ(kernel.error, "");
  if (!kernel.error.empty())
    return INFINITY;
  const int c = spec.get("c"), k = spec.get("k");
  const Buffer<float> w = randomBuffer({spec.get("r", 1), spec.get("r"), c / spec.get("g"), k}, random);
  const Buffer<float> packed = packedFilters(w, spec, schedule, isa);
  double worst = 0, largest = 1e-30;
  for (const RunSize &size : sizes) {
    auto window = [&](int extent, int axis) {
      return (extent - 1) * spec.get("s", axis) + (spec.get("r", axis) - 1) * spec.get("d", axis) + 1;
    };
    GuardedTensor x(c, window(size.w, 1), window(size.h, 0), size.n, spec.get("in"), NAN);
    GuardedTensor y(k, size.w, size.h, size.n, spec.get("out"), 12345.f);
    x.fill(random);
    y.view.fill(NAN);
    Operands operands(spec, size, random);
    std::vector<Buffer<float>> inputs = {x.view, packed};
    inputs.insert(inputs.end(), operands.buffers.begin(), operands.buffers.end());
    kernel.run(inputs, phasesOf(y.view, storedPhases(spec, schedule)));
    EXPECT_EQ(y.damaged(), 0) << "written outside the result, " << size.n << "x" << size.h << "x" << size.w;
    std::vector<const halide_buffer_t *> plain = {x.view.raw_buffer(), w.raw_buffer()};
    for (const Buffer<float> &operand : operands.buffers)
      plain.push_back(operand.raw_buffer());
    const KernelLoop loop(spec, plain, {y.view.raw_buffer()});
    y.view.for_each_element([&](int o, int px, int py, int n) {
      const int at[] = {o, px, py, n};
      const double sum = loop.before(at), want = loop.finish(sum, at);
      largest = std::max({largest, std::fabs(want), std::fabs(sum)});
      const double off = std::fabs(want - y.view(o, px, py, n));
      worst = off <= worst ? worst : off; // a NaN counts as worst
      if (std::isnan(off))
        worst = INFINITY;
    });
  }
  return worst / largest;
}

} // namespace segc::schedules
