/// \file The search for numbers that are none: all types, extents and strides, against a plain loop.
// SPDX-License-Identifier: MIT
#include "runtime/core/Finite.h"
#include "runtime/core/Training.h"
#include "runtime_training_support.h"
#include <random>

using namespace segc;
using namespace segc::test;

namespace {

struct FiniteTest : TinyTest {
  /// A table whose only view has this type, and the step that writes it.
  std::vector<uint64_t> table;
  rt::StepDesc step = {};
  void describe(rt::DType type) {
    TableBuilder t;
    const uint32_t one = t.constant(1);
    t.launch(t.runSteps, 0, {t.view({rt::Space::Arena, 0, type, 4, {one}, 0, 0, 0, 1, 1, 0})}, "layer");
    step = t.runSteps[0];
    table = t.build();
  }
  int inspect(halide_buffer_t &buffer) {
    void *args[2] = {nullptr, &buffer};
    return rt::inspectStep(model, *reinterpret_cast<const rt::Header *>(table.data()), step, args);
  }
};

struct Type {
  rt::DType type;
  uint32_t bytes;
  uint64_t one, nan, infinity;
};
const Type types[] = {{rt::DType::F32, 4, 0x3f800000, 0xffc00000, 0xff800000},
                      {rt::DType::F64, 8, 0x3ff0000000000000, 0x7ff0000000000001, 0x7ff0000000000000},
                      {rt::DType::F16, 2, 0x3c00, 0x7e01, 0xfc00},
                      {rt::DType::BF16, 2, 0x3f80, 0x7fc0, 0x7f80}};

TEST_F(FiniteTest, EveryPlaceIsSeenAndNoOther) {
  create(TinyModel());
  ASSERT_EQ(segc_model_set_threads(model, 3), SEGC_MODEL_OK);
  std::mt19937 random(7);
  // Extents c, x, y, n: dense, cropped, with gaps after each dimension; the last ones have several tasks.
  const int shapes[][4] = {{1, 1, 1, 1}, {5, 7, 3, 2}, {1, 9, 1, 4}, {64, 33, 20, 2}, {70000, 1, 2, 1}};
  for (const Type &type : types)
    for (const auto &shape : shapes)
      for (int gaps = 0; gaps < 16; ++gaps) {
        describe(type.type);
        halide_dimension_t dims[4];
        int64_t elements = 1;
        for (int k = 0; k < 4; ++k) {
          dims[k] = halide_dimension_t(0, shape[k], int32_t(elements));
          elements = elements * shape[k] + (gaps >> k & 1 ? 3 : 0);
        }
        const auto at = [&](const int *p) {
          return p[0] * dims[0].stride + p[1] * dims[1].stride + p[2] * dims[2].stride +
                 p[3] * dims[3].stride;
        };
        // What lies between the rows is not finite and must not count.
        std::vector<uint8_t> memory(size_t(elements + 8) * type.bytes);
        const auto set = [&](int64_t i, uint64_t bits) {
          std::memcpy(&memory[size_t(i) * type.bytes], &bits, type.bytes);
        };
        for (int64_t i = 0; i < elements; ++i)
          set(i, type.nan);
        int p[4];
        for (p[3] = 0; p[3] < shape[3]; ++p[3])
          for (p[2] = 0; p[2] < shape[2]; ++p[2])
            for (p[1] = 0; p[1] < shape[1]; ++p[1])
              for (p[0] = 0; p[0] < shape[0]; ++p[0])
                set(at(p), type.one);
        halide_buffer_t buffer = {};
        buffer.host = memory.data();
        buffer.dimensions = 4;
        buffer.dim = dims;
        ASSERT_EQ(inspect(buffer), SEGC_MODEL_OK) << segc_model_last_error();
        for (int place = 0; place < 6; ++place) {
          for (int k = 0; k < 4; ++k)
            p[k] = place == 0 ? 0 : place == 1 ? shape[k] - 1 : int(random() % unsigned(shape[k]));
          set(at(p), place % 2 ? type.nan : type.infinity);
          ASSERT_EQ(inspect(buffer), SEGC_MODEL_NOT_FINITE);
          const std::string wanted = std::string("'layer' (kernel 'problem of layer') wrote ") +
                                     (place % 2 ? "NaN" : "an infinity") + " at n " + std::to_string(p[3]) +
                                     ", y " + std::to_string(p[2]) + ", x " + std::to_string(p[1]) +
                                     ", channel " + std::to_string(p[0]) + ":";
          ASSERT_NE(std::string(segc_model_last_error()).find(wanted), std::string::npos)
              << wanted << segc_model_last_error();
          set(at(p), type.one);
        }
      }
}

TEST_F(FiniteTest, WholeNumbersAreFinite) {
  create(TinyModel());
  describe(rt::DType::I32);
  int32_t value = -1; // as a float: NaN
  halide_dimension_t dims[4] = {{0, 1, 1}, {0, 1, 1}, {0, 1, 1}, {0, 1, 1}};
  halide_buffer_t buffer = {};
  buffer.host = reinterpret_cast<uint8_t *>(&value);
  buffer.dimensions = 4;
  buffer.dim = dims;
  EXPECT_EQ(inspect(buffer), SEGC_MODEL_OK);
}

} // namespace
