/// \file The C interface on a hand-made model: results, layouts, reshape, workspace, threads, allocations,
/// borders.
// SPDX-License-Identifier: MIT
#include "runtime/core/Model.h"
#include "runtime/core/Program.h"
#include "runtime/core/Table.h"
#include "runtime_support.h"
#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <thread>

using segc::test::threadsOfProcess;
using segc::test::ToyModel;

namespace {

struct ModelTest : testing::Test {
  ToyModel toy;
  segc_model_model *model = nullptr;
  std::vector<float> x, y;
  segc_model_tensor in, out;

  void create(const ToyModel &which) {
    which.install();
    std::string block = which.weights.block();
    ASSERT_EQ(segc_model_create_from_memory(block.data(), block.size(), &model), SEGC_MODEL_OK)
        << segc_model_last_error();
  }
  /// Tensors for a shape, NCHW, with small whole numbers.
  void tensors(int n, int h, int w) {
    x.resize(size_t(n * 3 * h * w));
    y.assign(size_t(n * 2 * h * w), -77.f);
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = float((i * 7) % 11) - 5;
    in = {x.data(), SEGC_MODEL_F32, 4, {n, 3, h, w}, {}};
    out = {y.data(), SEGC_MODEL_F32, 4, {n, 2, h, w}, {}};
    segc_model_dense_nchw(&in);
    segc_model_dense_nchw(&out);
  }
  void expectRight(int n, int h, int w) {
    for (int i = 0; i < n; ++i)
      for (int k = 0; k < 2; ++k)
        for (int r = 0; r < h; ++r)
          for (int c = 0; c < w; ++c)
            ASSERT_EQ(
                y[size_t(i * out.strides[0] + k * out.strides[1] + r * out.strides[2] + c * out.strides[3])],
                ToyModel::expected(x, h, w, k, i, r, c))
                << i << k << r << c;
  }
  void TearDown() override { segc_model_destroy(model); }
};

TEST_F(ModelTest, ComputesAtItsOwnShape) {
  create(toy);
  tensors(1, 8, 6);
  ASSERT_EQ(segc_model_run(model, &in, 1, &out, 1), SEGC_MODEL_OK) << segc_model_last_error();
  expectRight(1, 8, 6);
}

TEST_F(ModelTest, WritesOutputsInAnyLayout) {
  create(toy);
  tensors(1, 8, 6);
  segc_model_dense_nhwc(&out);
  EXPECT_EQ(out.strides[1], 1);
  ASSERT_EQ(segc_model_run(model, &in, 1, &out, 1), SEGC_MODEL_OK) << segc_model_last_error();
  expectRight(1, 8, 6);
}

TEST_F(ModelTest, TakesOtherShapesAfterReshape) {
  create(toy);
  const int shapes[][3] = {{2, 5, 9}, {1, 40, 33}, {3, 2, 1}};
  for (auto &s : shapes) {
    tensors(s[0], s[1], s[2]);
    EXPECT_EQ(segc_model_run(model, &in, 1, &out, 1), SEGC_MODEL_NEEDS_RESHAPE);
    const int64_t shape[4] = {s[0], 3, s[1], s[2]};
    ASSERT_EQ(segc_model_reshape(model, shape), SEGC_MODEL_OK) << segc_model_last_error();
    ASSERT_EQ(segc_model_run(model, &in, 1, &out, 1), SEGC_MODEL_OK) << segc_model_last_error();
    expectRight(s[0], s[1], s[2]);
  }
}

TEST_F(ModelTest, OpenExtentsNeedReshapeFirst) {
  ToyModel open(0, 0);
  create(open);
  tensors(1, 4, 4);
  EXPECT_EQ(segc_model_run(model, &in, 1, &out, 1), SEGC_MODEL_NEEDS_RESHAPE);
  EXPECT_NE(std::string(segc_model_last_error()).find("reshape"), std::string::npos);
  segc_model_info info;
  ASSERT_EQ(segc_model_input_info(model, 0, &info), SEGC_MODEL_OK);
  EXPECT_EQ(info.shape[1], 3);
  EXPECT_EQ(info.shape[2], 0);
  const int64_t shape[4] = {1, 3, 4, 4};
  ASSERT_EQ(segc_model_reshape(model, shape), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_run(model, &in, 1, &out, 1), SEGC_MODEL_OK);
  expectRight(1, 4, 4);
}

TEST_F(ModelTest, FailedReshapeKeepsTheOldShape) {
  create(toy);
  const int64_t bad[][4] = {
      {1, 4, 8, 6},         {1, 3, 1, 6},        {0, 3, 8, 6}, {1, 3, -8, 6}, {1, 3, 1 << 24, 1 << 24},
      {INT64_MAX, 3, 8, 6}, {1, 3, INT64_MIN, 6}};
  for (auto &shape : bad)
    EXPECT_EQ(segc_model_reshape(model, shape), SEGC_MODEL_INVALID_SHAPE) << segc_model_last_error();
  tensors(1, 8, 6);
  ASSERT_EQ(segc_model_run(model, &in, 1, &out, 1), SEGC_MODEL_OK);
  expectRight(1, 8, 6);
}

TEST_F(ModelTest, ErrorsNameTheInputAndTheLayer) {
  create(toy);
  const int64_t channels[4] = {1, 4, 8, 6}, low[4] = {1, 3, 1, 6};
  segc_model_reshape(model, channels);
  EXPECT_STREQ(segc_model_last_error(), "input 'image': C is 4, the model wants 3");
  segc_model_reshape(model, low);
  EXPECT_STREQ(segc_model_last_error(), "'box' needs a height of at least 2 (1, at least 2)");
}

TEST_F(ModelTest, RunAllocatesNothingAndStartsNoThread) {
  create(toy);
  for (int threads : {1, 4}) {
    ASSERT_EQ(segc_model_set_threads(model, threads), SEGC_MODEL_OK);
    tensors(1, 8, 6);
    const int before = threadsOfProcess();
    const long count = segc::test::allocations();
    int status = 0;
    for (int i = 0; i < 50; ++i)
      status |= segc_model_run(model, &in, 1, &out, 1);
    const long after = segc::test::allocations();
    EXPECT_EQ(status, 0);
    EXPECT_EQ(after - count, 0);
    EXPECT_EQ(threadsOfProcess(), before);
  }
  EXPECT_EQ(segc::test::allocations() > 0, segc::test::allocationsCount) << "the counter itself must count";
}

TEST_F(ModelTest, SameBitsForAnyThreads) {
  create(toy);
  const int64_t shape[4] = {1, 3, 64, 48};
  ASSERT_EQ(segc_model_reshape(model, shape), SEGC_MODEL_OK);
  for (int threads : {1, 2, 3, 8, 256}) {
    ASSERT_EQ(segc_model_set_threads(model, threads), SEGC_MODEL_OK);
    tensors(1, 64, 48);
    ASSERT_EQ(segc_model_run(model, &in, 1, &out, 1), SEGC_MODEL_OK);
    expectRight(1, 64, 48);
  }
  EXPECT_EQ(segc_model_set_threads(model, 0), SEGC_MODEL_INVALID_ARGUMENT);
  EXPECT_EQ(segc_model_set_threads(model, 257), SEGC_MODEL_INVALID_ARGUMENT);
}

TEST_F(ModelTest, CallersWorkspaceIsEnoughToTheByteAndNotOverstepped) {
  create(toy);
  ASSERT_EQ(segc_model_set_threads(model, 3), SEGC_MODEL_OK);
  const int64_t shape[4] = {2, 3, 17, 9};
  size_t bytes = 0, current = 0, one = 0;
  ASSERT_EQ(segc_model_workspace_bytes(model, shape, 0, &bytes), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_workspace_bytes(model, nullptr, 0, &current), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_workspace_bytes(model, shape, 1, &one), SEGC_MODEL_OK);
  EXPECT_EQ(bytes - one, 2u * 4096);
  EXPECT_LT(current, bytes);
  alignas(64) static char memory[1 << 20];
  std::memset(memory, 0x5a, sizeof memory);
  EXPECT_EQ(segc_model_set_workspace(model, memory + 1, 1 << 19), SEGC_MODEL_INVALID_ARGUMENT);
  EXPECT_EQ(segc_model_set_workspace(model, memory, current - 1), SEGC_MODEL_WORKSPACE_TOO_SMALL);
  ASSERT_EQ(segc_model_set_workspace(model, memory, bytes - 1), SEGC_MODEL_OK);
  EXPECT_EQ(segc_model_reshape(model, shape), SEGC_MODEL_WORKSPACE_TOO_SMALL);
  ASSERT_EQ(segc_model_set_workspace(model, memory, bytes), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_reshape(model, shape), SEGC_MODEL_OK) << segc_model_last_error();
  EXPECT_EQ(segc_model_set_threads(model, 4), SEGC_MODEL_WORKSPACE_TOO_SMALL);
  tensors(2, 17, 9);
  ASSERT_EQ(segc_model_run(model, &in, 1, &out, 1), SEGC_MODEL_OK);
  expectRight(2, 17, 9);
  for (size_t i = bytes; i < sizeof memory; ++i)
    ASSERT_EQ(memory[i], 0x5a) << i - bytes;
  in.data = memory + 64;
  EXPECT_EQ(segc_model_run(model, &in, 1, &out, 1), SEGC_MODEL_INVALID_TENSOR) << "input in the workspace";
  ASSERT_EQ(segc_model_set_workspace(model, nullptr, 0), SEGC_MODEL_OK);
  tensors(2, 17, 9);
  ASSERT_EQ(segc_model_run(model, &in, 1, &out, 1), SEGC_MODEL_OK);
  expectRight(2, 17, 9);
}

TEST_F(ModelTest, BorderInTheCallersMemoryIsWrittenEachRunWhateverWasThere) {
  create(toy);
  alignas(64) static char memory[1 << 16];
  ASSERT_EQ(segc_model_set_threads(model, 1), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_set_workspace(model, memory, sizeof memory), SEGC_MODEL_OK);
  for (int fill : {0xff, 0x7f, 0}) { // NaN, huge, zero
    std::memset(memory, fill, sizeof memory);
    tensors(1, 8, 6);
    ASSERT_EQ(segc_model_run(model, &in, 1, &out, 1), SEGC_MODEL_OK);
    expectRight(1, 8, 6);
  }
}

TEST_F(ModelTest, BorderStandsInTheHandlesOwnMemory) {
  create(toy);
  tensors(1, 8, 6);
  // Each makes the handle forget what stands: another shape, another number of threads, other memory.
  const int64_t shape[4] = {1, 3, 8, 6};
  alignas(64) static char memory[1 << 16];
  const std::vector<std::function<int()>> changes = {
      [] { return int(SEGC_MODEL_OK); },
      [&] { return segc_model_reshape(model, shape); },
      [&] { return segc_model_set_threads(model, 2); },
      [&] { return segc_model_set_workspace(model, memory, sizeof memory); },
      [&] { return segc_model_set_workspace(model, nullptr, 0); },
  };
  for (size_t i = 0; i < changes.size(); ++i) {
    ASSERT_EQ(changes[i](), SEGC_MODEL_OK) << segc_model_last_error();
    for (int run = 0; run < 2; ++run) {
      tensors(1, 8, 6);
      ASSERT_EQ(segc_model_run(model, &in, 1, &out, 1), SEGC_MODEL_OK);
      expectRight(1, 8, 6);
    }
    std::memset(model->workspace, 0x7f, model->workspaceBytes); // huge values where the zeros should be
    ASSERT_EQ(segc_model_run(model, &in, 1, &out, 1), SEGC_MODEL_OK);
    const bool isRight = std::all_of(y.begin(), y.end(), [](float value) { return std::abs(value) < 1e6; });
    EXPECT_EQ(isRight, model->callersWorkspace) << i;
  }
}

TEST(Border, ZeroesExactlyTheApron) {
  using namespace segc::rt;
  const int64_t sizes[] = {2, 3, 4}; // n, h, w
  for (uint32_t mask = 0; mask < 16; ++mask) {
    BufferDesc b = {0,
                    DType::I8,
                    0,
                    1,
                    2,
                    5,
                    mask & 1 ? 2u : 0u,
                    mask & 2 ? 3u : 0u,
                    mask & 4 ? 1u : 0u,
                    mask & 8 ? 2u : 0u,
                    0,
                    0};
    const int rows = int(b.top) + 3 + int(b.bottom), columns = int(b.left) + 4 + int(b.right);
    std::vector<char> memory(size_t(64 + 2 * rows * columns * 5 + 64), 9);
    zeroBorder(b, sizes, memory.data() + 64);
    for (size_t i = 0; i < memory.size(); ++i) {
      const int pixel = int(i) - 64 < 0 ? -1 : (int(i) - 64) / 5;
      const bool inBuffer = pixel >= 0 && pixel < 2 * rows * columns;
      const int r = pixel / columns % rows - int(b.top), c = pixel % columns - int(b.left);
      const bool apron = inBuffer && (r < 0 || r >= 3 || c < 0 || c >= 4);
      ASSERT_EQ(memory[i], apron ? 0 : 9) << "mask " << mask << " byte " << i;
    }
  }
}

TEST(Border, LargeOnesAreShared) {
  using namespace segc::rt;
  const int64_t sizes[] = {2, 300, 4}; // n, h, w
  const BufferDesc b = {0, DType::I8, 0, 1, 2, 64, 2, 1, 3, 2, 0, 0};
  const int rows = 2 + 300 + 3, columns = 1 + 4 + 2;
  for (int lanes : {1, 2, 3, 7}) {
    std::vector<char> memory(size_t(2 * rows * columns * 64), 9);
    zeroBorder(b, sizes, memory.data(), lanes);
    for (size_t i = 0; i < memory.size(); ++i) {
      const int pixel = int(i) / 64, r = pixel / columns % rows - 2, c = pixel % columns - 1;
      ASSERT_EQ(memory[i], r < 0 || r >= 300 || c < 0 || c >= 4 ? 0 : 9) << lanes << " lanes, byte " << i;
    }
  }
}

TEST_F(ModelTest, ObserverSeesEachStep) {
  create(toy);
  tensors(1, 8, 6);
  std::vector<std::string> seen;
  auto observer = [](void *user, int step, const char *layers, const char *problem, uint64_t) {
    static_cast<std::vector<std::string> *>(user)->push_back(std::to_string(step) + layers + "|" + problem);
  };
  ASSERT_EQ(segc_model_set_observer(model, observer, &seen), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_run(model, &in, 1, &out, 1), SEGC_MODEL_OK);
  EXPECT_EQ(seen, (std::vector<std::string>{"0border|", "1image|problem of image", "2box|problem of box",
                                            "3scores|problem of scores"}));
  ASSERT_EQ(segc_model_set_observer(model, nullptr, nullptr), SEGC_MODEL_OK);
  ASSERT_EQ(segc_model_run(model, &in, 1, &out, 1), SEGC_MODEL_OK);
  EXPECT_EQ(seen.size(), 4u);
}

TEST_F(ModelTest, KernelErrorsAreReportedWithTheirLayer) {
  ToyModel tight(8, 6, 0); // no scratch: halide_malloc returns null
  create(tight);
  tensors(1, 8, 6);
  for (int threads : {1, 4}) {
    ASSERT_EQ(segc_model_set_threads(model, threads), SEGC_MODEL_OK);
    EXPECT_EQ(segc_model_run(model, &in, 1, &out, 1), SEGC_MODEL_KERNEL_FAILED);
    EXPECT_NE(std::string(segc_model_last_error()).find("'box'"), std::string::npos)
        << segc_model_last_error();
  }
}

TEST_F(ModelTest, HandlesRunSideBySide) {
  toy.install();
  std::string block = toy.weights.block();
  std::vector<std::thread> hosts;
  std::atomic<int> wrong{0};
  const int before = threadsOfProcess();
  for (int t = 0; t < 4; ++t)
    hosts.emplace_back([&, t] {
      for (int round = 0; round < 5; ++round) {
        segc_model_model *mine = nullptr;
        wrong += segc_model_create_from_memory(block.data(), block.size(), &mine) != 0;
        wrong += segc_model_set_threads(mine, 1 + t) != 0;
        std::vector<float> a(3 * 48, float(t)), b(2 * 48);
        segc_model_tensor i = {a.data(), SEGC_MODEL_F32, 4, {1, 3, 8, 6}, {}},
                          o = {b.data(), SEGC_MODEL_F32, 4, {1, 2, 8, 6}, {}};
        segc_model_dense_nchw(&i);
        segc_model_dense_nchw(&o);
        for (int run = 0; run < 100; ++run) {
          wrong += segc_model_run(mine, &i, 1, &o, 1) != 0;
          wrong += b[7] != 27.f * float(t) + 0.5f;
        }
        segc_model_destroy(mine);
      }
    });
  for (std::thread &host : hosts)
    host.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(threadsOfProcess(), before) << "the last handle takes the workers with it";
}

} // namespace
