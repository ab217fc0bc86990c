/// \file Two libraries for the driver of fake_cuda.cpp, handles that note what they compute, and the driver's
/// functions that a caller uses himself.
// SPDX-License-Identifier: MIT
#pragma once
#include "test/unit/cuda_support.h"
#include "gtest/gtest.h"
#include <future>
#include <thread>

namespace segc::test {

/// No shape of its own: what runs and what trains is loaded when a shape is set.
inline const char *const kNet = R"({"format": "segc-model/1", "name": "net",
  "inputs": [{"name": "x", "shape": [1, 3, "?", "?"], "dtype": "f32"}],
  "layers": [{"name": "a", "op": "conv", "channels": 8, "kernel": 3, "padding": "same", "norm": "batch",
              "activation": "relu"},
             {"name": "b", "op": "conv", "channels": 5, "kernel": 1}], "outputs": ["b"],
  "training": {"targets": [{"name": "t", "shape": [1, "?", "?"], "dtype": "i32"}],
    "losses": [{"type": "cross_entropy", "input": "b", "target": "t"}],
    "optimizer": {"type": "adam", "ema": 0.9}}})";
inline const char *const kOther = R"({"format": "segc-model/1", "name": "other",
  "inputs": [{"name": "x", "shape": [1, 3, "?", "?"], "dtype": "f32"}],
  "layers": [{"name": "a", "op": "conv", "channels": 4, "kernel": 3, "padding": "same"},
             {"name": "b", "op": "conv", "channels": 5, "kernel": 3, "padding": "same"}], "outputs": ["b"]})";

/// The driver's functions that a caller of the library uses himself.
struct Calls {
  int (*push)(void *), (*pop)(void **), (*retain)(void **, int), (*makeContext)(void **, unsigned, int),
      (*current)(void **), (*allocate)(unsigned long long *, size_t), (*release)(unsigned long long),
      (*makeStream)(void **, unsigned), (*endStream)(void *), (*wait)(void *), (*capture)(void *, int),
      (*endCapture)(void *, void **), (*destroyGraph)(void *), (*instantiate)(void **, void *, uint64_t),
      (*replay)(void *, void *), (*destroyExecutable)(void *),
      (*fetch)(void *, unsigned long long, size_t, void *),
      (*send)(unsigned long long, const void *, size_t, void *),
      (*zero)(unsigned long long, size_t, unsigned char, size_t, size_t, void *);
  void find(const FakeCuda &driver) {
    driver.find(push, "cuCtxPushCurrent_v2"), driver.find(pop, "cuCtxPopCurrent_v2");
    driver.find(retain, "cuDevicePrimaryCtxRetain"), driver.find(makeContext, "cuCtxCreate_v2");
    driver.find(current, "cuCtxGetCurrent");
    driver.find(allocate, "cuMemAlloc_v2"), driver.find(release, "cuMemFree_v2");
    driver.find(makeStream, "cuStreamCreate"), driver.find(endStream, "cuStreamDestroy_v2");
    driver.find(wait, "cuStreamSynchronize");
    driver.find(capture, "cuStreamBeginCapture_v2"), driver.find(endCapture, "cuStreamEndCapture");
    driver.find(destroyGraph, "cuGraphDestroy"), driver.find(instantiate, "cuGraphInstantiateWithFlags");
    driver.find(replay, "cuGraphLaunch"), driver.find(destroyExecutable, "cuGraphExecDestroy");
    driver.find(fetch, "cuMemcpyDtoHAsync_v2"), driver.find(send, "cuMemcpyHtoDAsync_v2");
    driver.find(zero, "cuMemsetD2D8Async");
  }
};

struct Built {
  FakeCuda driver;
  Calls calls;
  std::unique_ptr<CudaModel> net, other;
};
inline Built *built = nullptr;

/// This thread with the primary context, as CUDA's runtime API makes it.
struct Entered {
  Entered() {
    void *context;
    built->calls.retain(&context, 0), built->calls.push(context);
  }
  ~Entered() {
    void *context;
    built->calls.pop(&context);
  }
};

/// A handle, tensors for it, and what all it computed.
struct Handle {
  const CudaModel &of;
  Instance instance;
  std::vector<float> in, out, results;
  std::vector<int32_t> labels;
  segc_model_tensor x = {}, y = {}, batch[2] = {};

  explicit Handle(const CudaModel &of) : of(of), instance(*of.library) {
    EXPECT_EQ(of.library->createFromMemory(of.weights.data(), of.weights.size(), &instance.model), 0)
        << of.library->lastError();
  }
  void tensors(int64_t h, int64_t w, float value) {
    in.assign(size_t(3 * h * w), value);
    out.assign(size_t(5 * h * w), 0);
    labels.assign(size_t(h * w), 1);
    x = {in.data(), SEGC_MODEL_F32, 4, {1, 3, h, w}, {}};
    y = {out.data(), SEGC_MODEL_F32, 4, {1, 5, h, w}, {}};
    of.library->denseNchw(&x);
    of.library->denseNchw(&y);
    batch[0] = x;
    batch[1] = {labels.data(), SEGC_MODEL_I32, 3, {1, h, w}, {}};
    of.library->denseNchw(&batch[1]);
  }
  void shape(int64_t h, int64_t w, float value = 0.5f) {
    tensors(h, w, value);
    const int64_t shapes[] = {1, 3, h, w};
    EXPECT_EQ(of.library->reshape(instance.model, shapes), 0) << of.library->lastError();
  }
  void shapeTraining(int64_t h, int64_t w) {
    const int64_t shapes[] = {1, 3, h, w, 1, h, w, 0};
    EXPECT_EQ(of.library->reshapeTrain(instance.model, shapes), 0) << of.library->lastError();
  }
  void run() {
    EXPECT_EQ(of.library->run(instance.model, &x, 1, &y, 1), 0) << of.library->lastError();
    results.insert(results.end(), out.begin(), out.end());
  }
  void step() {
    EXPECT_EQ(of.library->grad(instance.model, batch, 2, nullptr, 0), 0) << of.library->lastError();
    EXPECT_EQ(of.library->update(instance.model), 0) << of.library->lastError();
    float loss = -1;
    EXPECT_EQ(of.library->loss(instance.model, 0, &loss), 0);
    results.push_back(loss);
  }
};

/// What a handle computes in its life, with graphs of both programs: shapes, runs and steps.
inline std::vector<float> live(const CudaModel &of, float value, int rounds = 4) {
  Handle handle(of);
  for (int round = 0; round < rounds; ++round) {
    const int64_t h = round % 2 ? 9 : 6, w = round % 2 ? 4 : 8;
    handle.shape(h, w, value);
    if (of.library->grad)
      handle.shapeTraining(h, w);
    for (int i = 0; i < 3; ++i)
      handle.run();
    for (int i = 0; i < 3 && of.library->grad; ++i)
      handle.step();
    handle.run();
  }
  return handle.results;
}

class CudaThreads : public testing::Test {
protected:
  static void SetUpTestSuite() {
    built = new Built;
    built->driver.open();
    ASSERT_TRUE(built->driver.when);
    built->calls.find(built->driver);
    built->net = buildCuda("net", kNet);
    built->other = buildCuda("other", kOther);
  }
  static void TearDownTestSuite() {
    delete built;
    built = nullptr;
  }
  void SetUp() override {
    ASSERT_TRUE(built && built->net && built->other);
    setenv("FAKE_CUDA", "stir=1", 1);
    unsetenv("SEGC_CUDA_GRAPHS");
  }
  void TearDown() override {
    EXPECT_EQ(driver().takeMisuses(), 0);
    EXPECT_EQ(driver().graphs(), 0) << "graphs are left";
    EXPECT_EQ(driver().pinned(), 0) << "pinned memory is left";
    EXPECT_EQ(driver().blocks(), 0) << "memory is left";
    EXPECT_EQ(driver().modules(), 0) << "code is left";
  }

  static FakeCuda &driver() { return built->driver; }
  static Calls &calls() { return built->calls; }
  static const CudaModel &net() { return *built->net; }
  static const CudaModel &other() { return *built->other; }

  /// The next time that a thread has made this call of the driver, another thread does this, and the first
  /// one waits for it, but not forever: what it does may wait for the first one.
  class Meanwhile {
  public:
    Meanwhile(const char *call, std::function<void()> what) : what(std::move(what)) {
      driver().when(
          call, [](void *user) { static_cast<Meanwhile *>(user)->happen(); }, this);
    }
    ~Meanwhile() {
      driver().when("", nullptr, nullptr);
      if (other.joinable())
        other.join();
    }
    bool happened = false, ended = false;

  private:
    void happen() {
      happened = true;
      std::packaged_task<void()> task(what);
      std::future<void> done = task.get_future();
      other = std::thread(std::move(task));
      ended = done.wait_for(std::chrono::seconds(10)) == std::future_status::ready;
    }
    std::function<void()> what;
    std::thread other;
  };
};

} // namespace segc::test
