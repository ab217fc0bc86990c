/// \file Buffer descriptors: apron origins, strided and bounded views, slices, rank 3; views that lie.
// SPDX-License-Identifier: MIT
#include "runtime/core/Layout.h"
#include "runtime/core/Program.h"
#include "runtime_support.h"
#include <gtest/gtest.h>

using namespace segc::rt;
using segc::test::TableBuilder;

namespace {

/// One buffer of 2 x 6 x 8 pixels of 5 channels with an unequal apron, one input N3HW, one output NHW; one
/// step.
struct Views : testing::Test {
  TableBuilder t;
  uint32_t zero, one, two, n, h, w, half, back, c;
  std::vector<uint64_t> block;
  Layout layout;
  Program program;
  char arena[64];
  std::vector<uint32_t> used;

  Views() {
    zero = t.constant(0), one = t.constant(1), two = t.constant(2), c = t.constant(3), back = t.constant(-2);
    n = t.symbol(0, 0, 2), h = t.symbol(0, 2, 6), w = t.symbol(0, 3, 8);
    half = t.node(SizeOp::Div, w, 0, 2);
    t.inputs.push_back({t.str("x"), DType::F32, 4, {n, c, h, w}});
    t.outputs.push_back({t.str("y"), DType::I32, 3, {n, h, w}});
    t.buffers.push_back({t.str("b"), DType::F32, n, h, w, 5, 1, 2, 3, 4, 0, 0});
  }
  void add(const ViewDesc &view) { used.push_back(t.view(view)); }
  int prepare() {
    t.launch(t.runSteps, 0, used, "step");
    block = t.build();
    const Header &table = *reinterpret_cast<const Header *>(block.data());
    if (int status = layout.compute(table, nullptr))
      return status;
    EXPECT_EQ(program.allocate(table, nullptr, nullptr), 0);
    program.bindStatic(StepList::Run, layout.sizes, layout.offsets, {arena, nullptr, nullptr, nullptr});
    return 0;
  }
  void expectDim(int view, int dim, int min, int extent, int stride) {
    const halide_dimension_t &d = program.buffers[view].dim[dim];
    EXPECT_EQ(d.min, min) << dim;
    EXPECT_EQ(d.extent, extent) << dim;
    EXPECT_EQ(d.stride, stride) << dim;
  }
  /// Elements from the buffer's start to (c, x, y, n), pixel (0, 0) being the first inside the apron.
  int64_t element(int ch, int x, int y, int image) { return ((image * 10 + y + 1) * 14 + x + 2) * 5 + ch; }
  void TearDown() override {
    program.free();
    layout.free();
  }
};

TEST_F(Views, ArenaWindowsSlicesAndSteps) {
  add({Space::Arena, 0, DType::F32, 4, {two, w, h, n}, 3, zero, zero, 1, 1, 0});   // the last two channels
  add({Space::Arena, 0, DType::F32, 4, {c, w, h, n}, 0, back, zero, 1, 1, 0});     // from the left apron
  add({Space::Arena, 0, DType::F32, 4, {c, half, h, n}, 1, one, zero, 2, 1, 0});   // odd columns
  add({Space::Arena, 0, DType::F32, 4, {c, half, one, n}, 0, two, back, 1, 1, 1}); // bounded
  ASSERT_EQ(prepare(), 0) << segc_model_last_error();
  const auto at = [&](int view) {
    return (reinterpret_cast<char *>(program.buffers[view].host) - arena) / 4;
  };
  EXPECT_EQ(at(0), element(3, 0, 0, 0));
  expectDim(0, 0, 0, 2, 1);
  expectDim(0, 1, 0, 8, 5);
  expectDim(0, 2, 0, 6, 14 * 5);
  expectDim(0, 3, 0, 2, 10 * 14 * 5);
  EXPECT_EQ(at(1), element(0, -2, 0, 0));
  EXPECT_EQ(at(2), element(1, 1, 0, 0));
  expectDim(2, 1, 0, 4, 10);
  EXPECT_EQ(at(3), element(0, 0, 0, 0)) << "starts where the buffer does";
  expectDim(3, 1, -2, 8, 5);
  expectDim(3, 2, 2, 6, 14 * 5);
}

TEST_F(Views, PhasesBecomeAxes) {
  add({Space::Arena, 0, DType::F32, 4, {c, w, h, n}, 1, zero, zero, 1, 1, 0, 3, 2});
  ASSERT_EQ(prepare(), 0) << segc_model_last_error();
  EXPECT_EQ(program.buffers[0].dimensions, 6);
  EXPECT_EQ((reinterpret_cast<char *>(program.buffers[0].host) - arena) / 4, element(1, 0, 0, 0));
  expectDim(0, 0, 0, 3, 1);
  expectDim(0, 1, 0, 3, 5); // 8 columns: phases of 3, 3 and 2
  expectDim(0, 2, 0, 3, 3 * 5);
  expectDim(0, 3, 0, 2, 14 * 5);
  expectDim(0, 4, 0, 3, 2 * 14 * 5);
  expectDim(0, 5, 0, 2, 10 * 14 * 5);
}

TEST_F(Views, PhasesOfNoneAreRefused) {
  add({Space::Arena, 0, DType::F32, 4, {c, w, h, n}, 1, zero, zero, 1, 1, 0, 3, 0});
  EXPECT_NE(prepare(), 0);
}

TEST_F(Views, PhasesOfTheCallersTensorsAreRefused) {
  add({Space::Input, 0, DType::F32, 4, {c, w, h, n}, 0, zero, zero, 1, 1, 0, 2, 2});
  EXPECT_NE(prepare(), 0);
}

TEST_F(Views, CallersTensorsKeepTheirStrides) {
  add({Space::Input, 0, DType::F32, 4, {two, half, h, n}, 1, one, zero, 2, 1, 0});
  add({Space::Output, 0, DType::I32, 4, {one, w, h, n}, 0, zero, zero, 1, 1, 0});
  ASSERT_EQ(prepare(), 0) << segc_model_last_error();
  float x[1];
  int32_t y[1];
  segc_model_tensor in = {x, SEGC_MODEL_F32, 4, {2, 3, 6, 8}, {1000, 1, 100, 7}};
  segc_model_tensor out = {y, SEGC_MODEL_I32, 3, {2, 6, 8}, {}};
  segc_model_dense_nchw(&out);
  program.bindTensors(layout.sizes, &in, &out);
  EXPECT_EQ(reinterpret_cast<float *>(program.buffers[0].host) - x, 1 + 7);
  expectDim(0, 0, 0, 2, 1);
  expectDim(0, 1, 0, 4, 14);
  expectDim(0, 2, 0, 6, 100);
  expectDim(0, 3, 0, 2, 1000);
  EXPECT_EQ(static_cast<void *>(program.buffers[1].host), y);
  EXPECT_EQ(program.buffers[1].type, halide_type_t(halide_type_int, 32));
  expectDim(1, 0, 0, 1, 1);
  expectDim(1, 1, 0, 8, 1);
  expectDim(1, 2, 0, 6, 8);
  expectDim(1, 3, 0, 2, 48);
}

/// Each of these would let a kernel leave its memory.
TEST_F(Views, ViewsOutsideTheirMemoryAreRefused) {
  const uint32_t far = t.constant(-3), wide = t.constant(13), five = t.constant(5);
  const ViewDesc bad[] = {
      {Space::Arena, 0, DType::F32, 4, {c, w, h, n}, 0, far, zero, 1, 1, 0},     // left of the apron
      {Space::Arena, 0, DType::F32, 4, {c, w, h, n}, 0, zero, back, 1, 1, 0},    // above it
      {Space::Arena, 0, DType::F32, 4, {c, wide, h, n}, 0, zero, zero, 1, 1, 0}, // right of it
      {Space::Arena, 0, DType::F32, 4, {c, w, h, n}, 0, zero, zero, 2, 1, 0},    // step too far
      {Space::Arena, 0, DType::F32, 4, {five, w, h, n}, 1, zero, zero, 1, 1, 0}, // channels
      {Space::Arena, 0, DType::F32, 4, {c, w, h, c}, 0, zero, zero, 1, 1, 0},    // images
      {Space::Arena, 1, DType::F32, 4, {c, w, h, n}, 0, zero, zero, 1, 1, 0},    // no such buffer
      {Space::Input, 0, DType::F32, 4, {c, w, h, n}, 0, back, zero, 1, 1, 0},    // inputs have no apron
      {Space::Output, 0, DType::I32, 4, {c, w, h, n}, 0, zero, zero, 1, 1, 0},   // nor this one channels
      {Space::Arena, 0, DType::F32, 3, {c, w, h, n}, 0, zero, zero, 1, 1, 0},    // rank
      {Space::Prepared, 0, DType::F32, 1, {c}, 0, zero, zero, 1, 1, 0},          // nothing prepared
  };
  int index = 0;
  for (const ViewDesc &view : bad) {
    TableBuilder one = t;
    one.view(view);
    const std::vector<uint64_t> lying = one.build();
    Layout none;
    EXPECT_EQ(none.compute(*reinterpret_cast<const Header *>(lying.data()), nullptr),
              SEGC_MODEL_KERNEL_FAILED)
        << index++;
    none.free();
  }
}

} // namespace
