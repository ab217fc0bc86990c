/// \file Sizes and the arena planner: properties over random cases, limits, overflow.
// SPDX-License-Identifier: MIT
#include "runtime/core/Planner.h"
#include "runtime/core/Sizes.h"
#include "runtime_support.h"
#include <gtest/gtest.h>
#include <random>

using namespace segc::rt;
using segc::test::TableBuilder;

namespace {

struct Plan {
  std::vector<Interval> intervals;
  std::vector<uint64_t> offsets;
  uint64_t bytes;
  explicit Plan(std::vector<Interval> of) : intervals(std::move(of)), offsets(intervals.size() + 1) {
    std::vector<uint32_t> scratch(2 * intervals.size() + 1);
    bytes = planArena(intervals.data(), uint32_t(intervals.size()), offsets.data(), scratch.data());
  }
  bool valid() const {
    uint32_t a, b;
    return verifyArena(intervals.data(), uint32_t(intervals.size()), offsets.data(), bytes, &a, &b);
  }
  bool stands(uint32_t index) const {
    return borderStands(intervals.data(), uint32_t(intervals.size()), offsets.data(), index);
  }
  uint64_t bound() const { return livenessBound(intervals.data(), uint32_t(intervals.size())); }
};

TEST(Planner, RandomIntervalsNeverOverlap) {
  std::mt19937 random(7);
  double worst = 1, sum = 0;
  const int cases = 2000;
  for (int i = 0; i < cases; ++i) {
    std::vector<Interval> intervals(random() % 60);
    for (Interval &interval : intervals) {
      interval.first = random() % 100;
      interval.last = interval.first + random() % 12;
      interval.bytes = 1 + random() % (1u << (6 + random() % 16));
    }
    Plan plan(intervals);
    ASSERT_TRUE(plan.valid());
    ASSERT_GE(plan.bytes, plan.bound());
    // An independent check: paint each step's bytes in units of 64.
    for (uint32_t step = 0; step < 112; step += 7) {
      std::vector<bool> taken(plan.bytes / 64 + 1);
      for (size_t k = 0; k < intervals.size(); ++k)
        if (intervals[k].first <= step && step <= intervals[k].last)
          for (uint64_t unit = plan.offsets[k] / 64; unit * 64 < plan.offsets[k] + intervals[k].bytes;
               ++unit) {
            ASSERT_FALSE(taken[unit]);
            taken[unit] = true;
          }
    }
    const double ratio = plan.bytes ? double(plan.bytes) / double(plan.bound()) : 1;
    worst = std::max(worst, ratio);
    sum += ratio;
  }
  RecordProperty("mean_ratio_percent", int(100 * sum / cases));
  std::printf("arena / liveness bound: mean %.3f, worst %.3f\n", sum / cases, worst);
  EXPECT_LT(sum / cases, 1.05);
}

TEST(Planner, EncoderDecoderMeetsTheLivenessBound) {
  // Five levels, skips that live from the way down to the way up, each level a quarter of the bytes.
  std::vector<Interval> intervals;
  const uint32_t levels = 5, steps = 4 * levels;
  for (uint32_t level = 0; level < levels; ++level) {
    const uint64_t bytes = (uint64_t(64) << 20) >> (2 * level);
    const uint32_t down = 2 * level, up = steps - 2 * level;
    intervals.push_back({down, down + 1, bytes});
    intervals.push_back({down + 1, up, bytes});
    intervals.push_back({up - 1, up, bytes});
    intervals.push_back({up, up + 1, bytes});
  }
  Plan plan(intervals);
  EXPECT_TRUE(plan.valid());
  EXPECT_LE(double(plan.bytes), 1.02 * double(plan.bound()));
}

TEST(Planner, SmallCases) {
  EXPECT_EQ(Plan({}).bytes, 0u);
  EXPECT_EQ(Plan({{0, 0, 1}}).bytes, 64u);
  EXPECT_EQ(Plan({{0, 1, 65}, {2, 3, 128}}).bytes, 128u); // apart in time: one place
  EXPECT_EQ(Plan({{0, 1, 64}, {1, 2, 64}}).bytes, 128u);  // both ends count
  EXPECT_EQ(Plan({{0, 9, 0}, {0, 9, 64}}).bytes, 64u);
  // Best fit: of the gaps 128 and 64 between long-lived ones, the last 64 bytes go into the 64.
  Plan fit({{0, 9, 1024}, {0, 3, 256}, {0, 9, 192}, {0, 3, 128}, {0, 9, 120}, {5, 9, 70}});
  EXPECT_TRUE(fit.valid());
  EXPECT_EQ(fit.offsets[5], fit.offsets[3]);
}

/// A buffer with the border that `like` names.
Interval bordered(uint32_t first, uint32_t last, uint64_t bytes, uint32_t like) {
  return {first, last, bytes, like};
}

TEST(Planner, LikeBordersTakeTurnsAtOnePlace) {
  // A chain of layers of one shape, then one without a border.
  Plan chain({bordered(0, 1, 1000, 1), bordered(1, 2, 1000, 1), bordered(2, 3, 1000, 1), {3, 4, 1000}});
  EXPECT_TRUE(chain.valid());
  EXPECT_EQ(chain.bytes, 3u * 1024) << "the last one finds no place where a border stands";
  EXPECT_EQ(chain.offsets[0], chain.offsets[2]);
  for (uint32_t i = 0; i < 4; ++i)
    EXPECT_EQ(chain.stands(i), i < 3) << i;
}

TEST(Planner, UnlikeBordersStandApartWhereThatIsLittle) {
  Plan little({bordered(0, 1, kStandingArena / 2, 1), bordered(2, 3, kStandingArena / 2, 2)});
  EXPECT_EQ(little.bytes, kStandingArena);
  EXPECT_TRUE(little.stands(0) && little.stands(1));
  Plan large({bordered(0, 1, kStandingArena / 2 + 64, 1), bordered(2, 3, kStandingArena / 2 + 64, 2)});
  EXPECT_EQ(large.bytes, kStandingArena / 2 + 64) << "memory comes first";
  EXPECT_FALSE(large.stands(0) || large.stands(1));
  Plan free({bordered(0, 1, kStandingArena, 1), bordered(2, 3, kStandingArena, 1), {0, 3, 64}});
  EXPECT_EQ(free.bytes, kStandingArena + 64);
  EXPECT_TRUE(free.stands(0) && free.stands(1)) << "nothing overwrites them";
}

TEST(Planner, WhatStandsIsNeverOverwritten) {
  std::mt19937 random(11);
  size_t standing = 0, bordersInAll = 0;
  for (int i = 0; i < 1000; ++i) {
    // Four shapes, as buffers with equal borders have equal bytes.
    uint64_t bytes[5];
    for (uint64_t &of : bytes)
      of = 1 + random() % (1u << (6 + random() % 17));
    std::vector<Interval> intervals(random() % 30);
    for (Interval &interval : intervals) {
      interval.first = random() % 60;
      interval.last = interval.first + random() % 8;
      interval.border = random() % 5;
      interval.bytes = bytes[interval.border];
    }
    Plan plan(intervals);
    ASSERT_TRUE(plan.valid());
    for (uint32_t k = 0; k < intervals.size(); ++k) {
      bordersInAll += intervals[k].border != 0;
      standing += plan.stands(k);
      // An independent check: all that begins or ends inside has the same border and the same first byte.
      const uint64_t begin = plan.offsets[k], end = begin + intervals[k].bytes;
      for (uint32_t other = 0; other < intervals.size() && plan.stands(k); ++other)
        for (uint64_t at : {plan.offsets[other], plan.offsets[other] + intervals[other].bytes - 1})
          if (at >= begin && at < end) {
            ASSERT_EQ(intervals[other].border, intervals[k].border);
            ASSERT_EQ(plan.offsets[other], begin);
          }
    }
  }
  EXPECT_GT(standing, bordersInAll / 10);
  EXPECT_LT(standing, bordersInAll) << "some plans are too large for that";
}

TEST(Planner, VerifierFindsOverlap) {
  Plan plan({{0, 2, 100}, {1, 3, 100}, {3, 4, 100}});
  ASSERT_TRUE(plan.valid());
  uint32_t a, b;
  std::vector<uint64_t> bad = plan.offsets;
  bad[1] = bad[0] + 64;
  EXPECT_FALSE(verifyArena(plan.intervals.data(), 3, bad.data(), 4096, &a, &b));
  EXPECT_EQ(std::make_pair(a, b), std::make_pair(1u, 0u));
  bad = plan.offsets;
  bad[2] += 8;
  EXPECT_FALSE(verifyArena(plan.intervals.data(), 3, bad.data(), 4096, &a, &b)) << "alignment";
  EXPECT_FALSE(verifyArena(plan.intervals.data(), 3, plan.offsets.data(), plan.bytes - 64, &a, &b)) << "end";
}

/// Evaluates a one-input table's nodes at a shape.
int sizesOf(const TableBuilder &t, const int64_t *shape, std::vector<int64_t> &values) {
  std::vector<uint64_t> block = t.build();
  values.assign(t.sizes.size() + 1, -1);
  return evaluateSizes(*reinterpret_cast<const Header *>(block.data()), shape, values.data());
}

TEST(Sizes, OperatorsAndRounding) {
  TableBuilder t;
  const uint32_t n = t.symbol(0, 0, 1), c = t.constant(3), h = t.symbol(0, 2, 7), w = t.symbol(0, 3, 5);
  t.inputs.push_back({t.str("x"), DType::F32, 4, {n, c, h, w}});
  const uint32_t minus = t.node(SizeOp::Sub, c, h, 0); // -4
  const uint32_t half = t.node(SizeOp::Div, minus, 0, 3);
  const uint32_t times = t.node(SizeOp::Mul, h, 0, -2);
  const uint32_t low = t.node(SizeOp::Min, h, w, 0), high = t.node(SizeOp::Max, h, w, 0);
  const uint32_t sum = t.node(SizeOp::Add, low, high, 0);
  const uint32_t product = t.node(SizeOp::Product, h, minus, 0);
  std::vector<int64_t> v;
  ASSERT_EQ(sizesOf(t, nullptr, v), SEGC_MODEL_OK);
  EXPECT_EQ(v[minus], -4);
  EXPECT_EQ(v[half], -2) << "towards minus infinity";
  EXPECT_EQ(v[times], -14);
  EXPECT_EQ(v[low], 5);
  EXPECT_EQ(v[high], 7);
  EXPECT_EQ(v[sum], 12);
  EXPECT_EQ(v[product], -28);
  const int64_t other[4] = {2, 3, 10, 20};
  ASSERT_EQ(sizesOf(t, other, v), SEGC_MODEL_OK);
  EXPECT_EQ(v[half], -3);
  EXPECT_EQ(v[n], 2);
}

TEST(Sizes, OverflowAndMalformedNodesAreErrors) {
  const int64_t shape[4] = {1, 1, kMaxExtent, kMaxExtent};
  for (SizeOp op : {SizeOp::Add, SizeOp::Sub, SizeOp::Mul, SizeOp::Product}) {
    TableBuilder t;
    const uint32_t n = t.symbol(0, 0, 1), one = t.constant(1), h = t.symbol(0, 2, 1), w = t.symbol(0, 3, 1);
    t.inputs.push_back({t.str("x"), DType::F32, 4, {n, one, h, w}});
    const uint32_t big = t.constant(INT64_MAX), small = t.constant(INT64_MIN);
    op == SizeOp::Sub ? t.node(op, small, h, 0) : t.node(op, op == SizeOp::Mul ? h : big, h, INT64_MAX / 2);
    std::vector<int64_t> v;
    EXPECT_EQ(sizesOf(t, shape, v), SEGC_MODEL_INVALID_SHAPE) << int(op);
  }
  for (const SizeNode &node : {SizeNode{SizeOp::Div, 0, 0, 0, 0}, SizeNode{SizeOp::Add, 0, 9, 0, 0},
                               SizeNode{SizeOp(77), 0, 0, 0, 0}}) {
    TableBuilder t;
    const uint32_t one = t.constant(1);
    t.inputs.push_back({t.str("x"), DType::F32, 4, {one, one, one, one}});
    t.sizes.push_back(node);
    std::vector<int64_t> v;
    EXPECT_NE(sizesOf(t, nullptr, v), SEGC_MODEL_OK);
  }
}

TEST(Sizes, EqualChecksAndRankThree) {
  TableBuilder t;
  const uint32_t n = t.symbol(0, 0, 1), h = t.symbol(0, 2, 4), w = t.symbol(0, 3, 4);
  t.inputs.push_back({t.str("mask"), DType::U8, 3, {n, h, w}});
  t.checks.push_back({CheckKind::Equal, h, w, t.str("'sum' adds unequal sizes"), 0});
  std::vector<int64_t> v;
  const int64_t square[4] = {1, 9, 9, 0}, oblong[4] = {1, 9, 8, 0};
  EXPECT_EQ(sizesOf(t, square, v), SEGC_MODEL_OK) << segc_model_last_error();
  EXPECT_EQ(sizesOf(t, oblong, v), SEGC_MODEL_INVALID_SHAPE);
  EXPECT_STREQ(segc_model_last_error(), "'sum' adds unequal sizes (9 and 8)");
}

TEST(Sizes, ElementLimits) {
  const int64_t good[2] = {kMaxExtent, 127}, many[2] = {kMaxExtent, 128}, wide[1] = {kMaxExtent + 1},
                none[1] = {0};
  EXPECT_EQ(checkedElements(good, 2), kMaxExtent * 127);
  EXPECT_EQ(checkedElements(many, 2), -1);
  EXPECT_EQ(checkedElements(wide, 1), -1);
  EXPECT_EQ(checkedElements(none, 1), -1);
}

} // namespace
