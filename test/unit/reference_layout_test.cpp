/// \file Reshape, transpose, and windows as a batch, against values worked out by hand.
// SPDX-License-Identifier: MIT
#include "test/unit/reference_support.h"

using namespace segc;
using namespace segc::reference;
using namespace segc::reference::test;

namespace {

using Values = std::vector<double>;

/// 0, 1, 2, ...
Tensor numbered(llvm::ArrayRef<int64_t> extents) {
  Tensor tensor(extents);
  for (size_t i = 0; i < tensor.data.size(); ++i)
    tensor.data[i] = static_cast<double>(i);
  return tensor;
}

Tensor only(const OpCase &test, llvm::ArrayRef<Tensor> operands) {
  auto results = evaluateCase(test, operands);
  return results.empty() ? Tensor() : results[0];
}

} // namespace

TEST(ReferenceLayout, ReshapeKeepsTheOrderOfTheFile) {
  Tensor y = only({"reshape", "shape = array<i64: 0, 4, -1, 1>", {"2x3x4x1xf32"}}, {numbered({2, 3, 4, 1})});
  EXPECT_EQ(llvm::ArrayRef<int64_t>(y.shape), (llvm::ArrayRef<int64_t>{2, 4, 3, 1}));
  EXPECT_EQ(y.data, numbered({24}).data);
}

TEST(ReferenceLayout, TransposeMovesAxes) {
  // y[n, c, i, j] = x[i, n, j, c]: axis k of the result is axis perm[k].
  Tensor x = numbered({2, 3, 4, 5});
  Tensor y = only({"transpose", "perm = array<i64: 1, 3, 0, 2>, channels = 5 : i64", {"2x3x4x5xf32"}}, {x});
  ASSERT_EQ(llvm::ArrayRef<int64_t>(y.shape), (llvm::ArrayRef<int64_t>{3, 5, 2, 4}));
  for (int64_t n = 0; n < 3; ++n)
    for (int64_t c = 0; c < 5; ++c)
      for (int64_t i = 0; i < 2; ++i)
        for (int64_t j = 0; j < 4; ++j)
          EXPECT_EQ(y.plane(n, c)[i * 4 + j], x.plane(i, n)[j * 5 + c]);
}

TEST(ReferenceLayout, WindowsInRowMajorOrder) {
  Tensor y = only({"windows", "kernel = array<i64: 2, 2>, stride = array<i64: 1, 2>", {"1x1x3x4xf32"}},
                  {numbered({1, 1, 3, 4})});
  EXPECT_EQ(llvm::ArrayRef<int64_t>(y.shape), (llvm::ArrayRef<int64_t>{4, 1, 2, 2}));
  EXPECT_EQ(y.data, (Values{0, 1, 4, 5, 2, 3, 6, 7, 4, 5, 8, 9, 6, 7, 10, 11}));
}

TEST(ReferenceLayout, WindowsOfOneImageFollowThoseOfAnother) {
  Tensor y = only({"windows", "kernel = array<i64: 1, 2>", {"2x1x2x2xf32"}}, {numbered({2, 1, 2, 2})});
  EXPECT_EQ(llvm::ArrayRef<int64_t>(y.shape), (llvm::ArrayRef<int64_t>{4, 1, 1, 2}));
  EXPECT_EQ(y.data, (Values{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(ReferenceLayout, WindowsBeyondTheEdgeHoldZeros) {
  Tensor y = only({"windows",
                   "kernel = array<i64: 1, 3>, stride = array<i64: 1, 2>, padding = array<i64: 0, 1, 0, 1>",
                   {"1x1x1x3xf32"}},
                  {Tensor({1, 1, 1, 3}, Values{5, 6, 7})});
  EXPECT_EQ(y.data, (Values{0, 5, 6, 6, 7, 0}));
}

TEST(ReferenceLayout, OverlappingWindowsAdd) {
  Tensor y = only({"windows_transpose", "kernel = array<i64: 1, 2>", {"2x1x1x2xf32", "1x1x1x3xf32"}},
                  {Tensor({2, 1, 1, 2}, Values{1, 2, 10, 20}), Tensor({1, 1, 1, 3})});
  EXPECT_EQ(y.data, (Values{1, 12, 20}));
}

TEST(ReferenceLayout, PixelsOfABatchBecomeAnImage) {
  Tensor y = only({"windows_transpose", "kernel = array<i64: 1, 1>", {"6x2x1x1xf32", "1x1x2x3xf32"}},
                  {numbered({6, 2, 1, 1}), Tensor({1, 1, 2, 3})});
  EXPECT_EQ(y.data, (Values{0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11}));
}

TEST(ReferenceLayout, PositionsCountWindows) {
  Tensor y = only({"positions",
                   "kernel = array<i64: 3, 3>, stride = array<i64: 2, 3>, padding = array<i64: 1, 0, 1, 0>",
                   {"2x4x6x9xf32"}},
                  {Tensor({2, 4, 6, 9})});
  EXPECT_EQ(llvm::ArrayRef<int64_t>(y.shape), (llvm::ArrayRef<int64_t>{2, 1, 3, 3}));
}

// Products of extents are expressions as the extents are.
TEST(Sizes, ProductsHaveOneForm) {
  hg::SizeTable table;
  hg::Size h = table.symbol(0, 2, 6), w = table.symbol(0, 3, 10), two = table.constant(2);
  hg::Size area = table.product({h, w, two});
  EXPECT_EQ(area, table.product({table.mul(w, 2), h}));
  EXPECT_EQ(table.evaluate()[area], 120);
  EXPECT_EQ(table.evaluate({{1, 1, 7, 5}})[area], 70);
  EXPECT_EQ(table.print(area), "in0.h * in0.w * 2");
  EXPECT_EQ(table.quotient({h, w, table.constant(6)}, {h, two}), table.mul(w, 3));
  EXPECT_EQ(table.quotient({h, two}, {w}), std::nullopt);
  EXPECT_FALSE(table.overflowed());
  table.product({table.constant(int64_t(1) << 30), table.constant(int64_t(1) << 40), two});
  EXPECT_TRUE(table.overflowed());
}
