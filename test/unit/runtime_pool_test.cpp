/// \file The shared pool: every index once, lanes exclusive, several hosts, errors, start and end.
// SPDX-License-Identifier: MIT
#include "runtime/core/Lane.h"
#include "runtime/core/Pool.h"
#include <HalideRuntime.h>
#include <atomic>
#include <gtest/gtest.h>
#include <set>
#include <thread>
#include <vector>

using namespace segc::rt;

namespace {

struct Loop {
  std::vector<std::atomic<int>> hits;
  std::atomic<int> inLane[kMaxThreads] = {};
  std::atomic<int> wrong{0};
  int lanes;
  Loop(int count, int lanes) : hits(count), lanes(lanes) {}
  static int task(void *context, int lane, int index) {
    Loop &loop = *static_cast<Loop *>(context);
    if (lane < 0 || lane >= loop.lanes || loop.inLane[lane].fetch_add(1) != 0)
      ++loop.wrong;
    ++loop.hits[index];
    for (volatile int i = 0; i < 200; i = i + 1) {
    }
    --loop.inLane[lane];
    return 0;
  }
  void expectEachOnce() {
    EXPECT_EQ(wrong, 0);
    for (auto &hit : hits)
      ASSERT_EQ(hit, 1);
  }
};

struct PoolTest : testing::TestWithParam<int> {
  void SetUp() override { ASSERT_EQ(segc_pool_v1_retain(GetParam()), 0); }
  void TearDown() override { segc_pool_v1_release(); }
};

TEST_P(PoolTest, EachIndexOnceOnExclusiveLanes) {
  for (int count : {0, 1, 2, 3, 7, 64, 1000})
    for (int round = 0; round < 50; ++round) {
      Loop loop(count, GetParam());
      ASSERT_EQ(segc_pool_v1_for(GetParam(), count, Loop::task, &loop), 0);
      loop.expectEachOnce();
    }
}

TEST_P(PoolTest, WakesSleepingWorkers) {
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    Loop loop(100, GetParam());
    ASSERT_EQ(segc_pool_v1_for(GetParam(), 100, Loop::task, &loop), 0);
    loop.expectEachOnce();
  }
}

TEST_P(PoolTest, HostsSideBySide) {
  std::vector<std::thread> hosts;
  for (int t = 0; t < 5; ++t)
    hosts.emplace_back([] {
      for (int round = 0; round < 200; ++round) {
        Loop loop(40, GetParam());
        EXPECT_EQ(segc_pool_v1_for(GetParam(), 40, Loop::task, &loop), 0);
        loop.expectEachOnce();
      }
    });
  for (std::thread &host : hosts)
    host.join();
}

TEST_P(PoolTest, LoopsInsideLoopsWork) {
  std::atomic<int> total{0};
  auto outer = [](void *context, int, int) {
    auto inner = [](void *context, int, int) { return ++*static_cast<std::atomic<int> *>(context), 0; };
    return segc_pool_v1_for(GetParam(), 10, inner, context);
  };
  ASSERT_EQ(segc_pool_v1_for(GetParam(), 20, outer, &total), 0);
  EXPECT_EQ(total, 200);
}

TEST_P(PoolTest, FirstErrorEndsTheLoop) {
  struct State {
    std::atomic<int> after{0};
  } state;
  auto task = [](void *context, int, int index) {
    if (index == 5)
      return -42;
    if (index > 5000)
      ++static_cast<State *>(context)->after;
    return 0;
  };
  EXPECT_EQ(segc_pool_v1_for(GetParam(), 1000000, task, &state), -42);
  EXPECT_LT(state.after, 990000) << "indices are skipped after a failure";
  Loop loop(100, GetParam());
  EXPECT_EQ(segc_pool_v1_for(GetParam(), 100, Loop::task, &loop), 0) << "and the slot is usable again";
  loop.expectEachOnce();
}

INSTANTIATE_TEST_SUITE_P(Threads, PoolTest, testing::Values(1, 2, 3, 8));

TEST(Pool, WorkersReallyHelp) {
  ASSERT_EQ(segc_pool_v1_retain(2), 0);
  // Two tasks that wait for each other end only if two threads work on the loop.
  std::atomic<int> arrived{0};
  auto task = [](void *context, int, int) {
    auto &count = *static_cast<std::atomic<int> *>(context);
    ++count;
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (count < 2 && std::chrono::steady_clock::now() < limit)
      std::this_thread::yield();
    return count < 2 ? -1 : 0;
  };
  EXPECT_EQ(segc_pool_v1_for(2, 2, task, &arrived), 0);
  segc_pool_v1_release();
}

/// Of two threads one takes the first indices and one the last ones, so that halves of an image stay with
/// their cores from kernel to kernel.
TEST(Pool, TwoThreadsTakeIndicesFromBothEnds) {
  constexpr int kCount = 200;
  struct Lanes {
    int of[kCount];
  } lanes;
  auto task = [](void *context, int lane, int index) {
    static_cast<Lanes *>(context)->of[index] = lane;
    for (volatile int i = 0; i < 2000; i = i + 1) {
    }
    return 0;
  };
  ASSERT_EQ(segc_pool_v1_retain(2), 0);
  bool helped = false;
  for (int round = 0; round < 100; ++round) {
    ASSERT_EQ(segc_pool_v1_for(2, kCount, task, &lanes), 0);
    for (int i = 1; i < kCount; ++i)
      ASSERT_LE(lanes.of[i - 1], lanes.of[i]) << i;
    helped |= lanes.of[kCount - 1] == 1;
  }
  EXPECT_TRUE(helped);
  segc_pool_v1_release();
}

TEST(Pool, StartsAndEndsManyTimes) {
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(segc_pool_v1_retain(1 + i % 5), 0);
    ASSERT_EQ(segc_pool_v1_grow(3), 0);
    Loop loop(10, 3);
    ASSERT_EQ(segc_pool_v1_for(3, 10, Loop::task, &loop), 0);
    loop.expectEachOnce();
    segc_pool_v1_release();
  }
  Loop loop(10, 4);
  EXPECT_EQ(segc_pool_v1_for(4, 10, Loop::task, &loop), 0) << "without workers the caller does it all";
  loop.expectEachOnce();
}

/// Halide's view of it: nested parallel loops, scratch of each lane.
struct Halide : testing::Test {
  Crew crew = {};
  Lane lanes[4];
  alignas(64) char memory[4][1024];
  void SetUp() override {
    ASSERT_EQ(segc_pool_v1_retain(4), 0);
    crew = {lanes, 4, false};
    for (int i = 0; i < 4; ++i)
      lanes[i] = {&crew, memory[i], sizeof memory[i], 0, 0, {}};
  }
  void TearDown() override { segc_pool_v1_release(); }
};

TEST_F(Halide, NestedLoopsCoverAllPairs) {
  struct Grid {
    std::atomic<int> hits[6][5];
    int row;
  };
  static Grid grid;
  for (int rows : {1, 6}) {
    for (auto &row : grid.hits)
      for (auto &hit : row)
        hit = 0;
    auto inner = [](void *, int x, uint8_t *closure) {
      return ++(*reinterpret_cast<std::atomic<int>(*)[5]>(closure))[x - 3], 0;
    };
    static halide_task_t innerTask;
    innerTask = inner;
    auto outer = [](void *context, int y, uint8_t *) {
      return halide_do_par_for(context, innerTask, 3, 5, reinterpret_cast<uint8_t *>(&grid.hits[y]));
    };
    ASSERT_EQ(halide_do_par_for(lanes, outer, 0, rows, nullptr), 0);
    for (int y = 0; y < rows; ++y)
      for (auto &hit : grid.hits[y])
        EXPECT_EQ(hit, 1);
  }
}

TEST_F(Halide, ScratchIsAlignedBoundedAndComesBack) {
  for (int round = 0; round < 3; ++round) {
    void *a = halide_malloc(lanes, 100), *b = halide_malloc(lanes, 1);
    ASSERT_TRUE(a && b);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(a) % 64, 0u);
    EXPECT_GE(static_cast<char *>(b) - static_cast<char *>(a), 100);
    EXPECT_EQ(halide_malloc(lanes, 1024), nullptr);
    EXPECT_EQ(halide_malloc(lanes, SIZE_MAX), nullptr);
    halide_free(lanes, a);
    halide_free(lanes, b);
    halide_free(lanes, nullptr);
    void *all = halide_malloc(lanes, 1024);
    EXPECT_EQ(all, memory[0]);
    halide_free(lanes, all);
  }
}

} // namespace
