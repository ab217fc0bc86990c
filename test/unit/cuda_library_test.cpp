/// \file What a CUDA library asks of a driver, with the one of fake_cuda.cpp in its place: graphs of
/// launches.
// SPDX-License-Identifier: MIT
#include "test/unit/cuda_support.h"
#include "gtest/gtest.h"

using namespace segc;
using namespace segc::test;

namespace {

/// The inner convolution has a border; running and training in one library.
const char *const kModel = R"({"format": "segc-model/1", "name": "net",
  "inputs": [{"name": "x", "shape": [1, 3, 6, 8], "dtype": "f32"}],
  "layers": [{"name": "a", "op": "conv", "channels": 8, "kernel": 3, "padding": "same", "norm": "batch",
              "activation": "relu"},
             {"name": "b", "op": "conv", "channels": 5, "kernel": 1}], "outputs": ["b"],
  "training": {"targets": [{"name": "t", "shape": [1, 6, 8], "dtype": "i32"}],
    "losses": [{"type": "cross_entropy", "input": "b", "target": "t"}],
    "optimizer": {"type": "adam", "ema": 0.9}}})";

struct Built {
  FakeCuda driver;
  std::unique_ptr<CudaModel> model;
};

class CudaLibrary : public testing::Test {
protected:
  static void SetUpTestSuite() {
    built = new Built;
    built->driver.open();
    built->model = buildCuda("net", kModel);
  }
  static void TearDownTestSuite() {
    delete built;
    built = nullptr;
  }
  void SetUp() override {
    ASSERT_TRUE(built && built->model && built->driver.graphs);
    setenv("FAKE_CUDA", "trace=1", 1);
    unsetenv("SEGC_CUDA_GRAPHS");
    driver().takeTrace();
  }
  void TearDown() override {
    EXPECT_EQ(driver().misuses(), 0);
    EXPECT_EQ(driver().graphs(), 0) << "graphs are left";
    EXPECT_EQ(driver().pinned(), 0) << "pinned memory is left";
  }

  static FakeCuda &driver() { return built->driver; }
  static const Library &library() { return *built->model->library; }

  /// A handle with the shape (1, 3, h, w) and tensors for it.
  struct Handle {
    Instance instance{library()};
    std::vector<float> in, out;
    std::vector<int32_t> labels;
    segc_model_tensor x = {}, y = {}, batch[2] = {};

    explicit Handle(int64_t h = 6, int64_t w = 8) {
      EXPECT_EQ(library().createFromMemory(built->model->weights.data(), built->model->weights.size(),
                                           &instance.model),
                0)
          << library().lastError();
      shape(h, w);
    }
    void shape(int64_t h, int64_t w) {
      in.assign(size_t(3 * h * w), 0.5f);
      out.assign(size_t(5 * h * w), 0);
      labels.assign(size_t(h * w), 1);
      x = {in.data(), SEGC_MODEL_F32, 4, {1, 3, h, w}, {}};
      y = {out.data(), SEGC_MODEL_F32, 4, {1, 5, h, w}, {}};
      library().denseNchw(&x);
      library().denseNchw(&y);
      batch[0] = x;
      batch[1] = {labels.data(), SEGC_MODEL_I32, 3, {1, h, w}, {}};
      library().denseNchw(&batch[1]);
      const int64_t shapes[] = {1, 3, h, w, 1, h, w, 0};
      EXPECT_EQ(library().reshape(instance.model, shapes), 0) << library().lastError();
      EXPECT_EQ(library().reshapeTrain(instance.model, shapes), 0) << library().lastError();
      driver().takeTrace();
    }
    /// What a run does to the device.
    std::string run() {
      EXPECT_EQ(library().run(instance.model, &x, 1, &y, 1), 0) << library().lastError();
      return driver().takeTrace();
    }
    /// Likewise of a training step.
    std::string step() {
      EXPECT_EQ(library().grad(instance.model, batch, 2, nullptr, 0), 0) << library().lastError();
      EXPECT_EQ(library().update(instance.model), 0) << library().lastError();
      return driver().takeTrace();
    }
  };

  /// What a caller does with the driver himself.
  struct Caller {
    int (*push)(void *), (*pop)(void **), (*retain)(void **, int), (*allocate)(unsigned long long *, size_t),
        (*release)(unsigned long long), (*makeStream)(void **, unsigned), (*endStream)(void *);
    int (*setDeviceTensors)(segc_model_model *, int, int), (*setStream)(segc_model_model *, void *);
    std::vector<unsigned long long> blocks;
    std::vector<void *> streams;

    Caller() {
      driver().find(push, "cuCtxPushCurrent_v2");
      driver().find(pop, "cuCtxPopCurrent_v2");
      driver().find(retain, "cuDevicePrimaryCtxRetain");
      driver().find(allocate, "cuMemAlloc_v2");
      driver().find(release, "cuMemFree_v2");
      driver().find(makeStream, "cuStreamCreate");
      driver().find(endStream, "cuStreamDestroy_v2");
      setDeviceTensors = built->model->setDeviceTensors;
      setStream = built->model->setStream;
      enter();
    }
    ~Caller() {
      enter();
      for (unsigned long long block : blocks)
        release(block);
      for (void *stream : streams)
        endStream(stream);
      leave();
    }
    void enter() {
      void *context;
      retain(&context, 0), push(context);
    }
    void leave() {
      void *context;
      pop(&context);
    }
    float *memory(size_t floats) {
      allocate(&blocks.emplace_back(), floats * sizeof(float));
      return reinterpret_cast<float *>(blocks.back());
    }
    void *stream() {
      makeStream(&streams.emplace_back(), 0);
      return streams.back();
    }
  };

  static size_t count(const std::string &trace, const std::string &word) {
    size_t found = 0;
    for (size_t at = 0; (at = trace.find(word, at)) != std::string::npos; ++at)
      ++found;
    return found;
  }

  static Built *built;
};

Built *CudaLibrary::built = nullptr;

} // namespace

TEST_F(CudaLibrary, FromTheSecondRunOnAGraphDoesWhatTheLaunchesDid) {
  Handle handle;
  const int before = driver().replays();
  const std::string plain = handle.run();
  EXPECT_EQ(count(plain, "launch .entry"), 4u) << plain; // import, two convolutions, export
  EXPECT_EQ(count(plain, "zero "), 3u) << plain;
  EXPECT_EQ(driver().replays(), before) << "the first run makes the driver load its code";
  for (int i = 1; i < 4; ++i) {
    EXPECT_EQ(handle.run(), plain) << i;
    EXPECT_EQ(driver().replays(), before + i);
  }
}

TEST_F(CudaLibrary, ARunWaitsOnceForCopiesOfPinnedMemory) {
  Handle handle;
  for (bool dense : {true, false}) {
    if (!dense) { // planes one after the other, in both tensors
      handle.in.resize(handle.in.size() * 2), handle.out.resize(handle.out.size() * 2);
      handle.x.data = handle.in.data(), handle.y.data = handle.out.data();
      handle.x.strides[1] *= 2, handle.y.strides[1] *= 2;
    }
    const std::string trace = handle.run();
    EXPECT_EQ(count(trace, "wait"), 1u) << trace;
    EXPECT_EQ(count(trace, "upload "), 1u) << trace;
    EXPECT_EQ(count(trace, "download "), 1u) << trace;
    EXPECT_EQ(count(trace, " pinned\n"), 2u) << trace;
    EXPECT_GT(trace.find("wait"), trace.find("download")) << trace;
  }
  const std::string step = (handle.shape(6, 8), handle.step(), handle.step());
  EXPECT_EQ(count(step, "wait"), 1u) << step;
  EXPECT_EQ(count(step, "pageable"), 0u) << step;
}

TEST_F(CudaLibrary, NewShapesAndStridesMakeNewGraphs) {
  Handle handle;
  const std::string small = (handle.run(), handle.run());
  int before = driver().replays();
  handle.shape(9, 4);
  const std::string other = handle.run();
  EXPECT_NE(other, small);
  EXPECT_EQ(driver().replays(), before);
  EXPECT_EQ(handle.run(), other);
  EXPECT_EQ(driver().replays(), before + 1);
  // Pixels of three channels instead of planes: another view of the same memory.
  handle.x.strides[1] = 1, handle.x.strides[2] = 12, handle.x.strides[3] = 3;
  const std::string pixels = handle.run();
  EXPECT_NE(pixels, other);
  EXPECT_EQ(driver().replays(), before + 1);
  EXPECT_EQ(handle.run(), pixels);
  EXPECT_EQ(driver().replays(), before + 2);
  library().denseNchw(&handle.x);
  EXPECT_EQ(handle.run(), other) << "the graph of other strides was replayed";
}

TEST_F(CudaLibrary, TrainingStepsAreGraphsToo) {
  Handle handle;
  const std::string first = handle.step();
  const int before = driver().replays();
  const std::string second = handle.step();
  EXPECT_EQ(driver().replays(), before + 2) << "grad, update";
  EXPECT_EQ(handle.step(), second);
  EXPECT_EQ(count(second, "launch .entry"), count(first, "launch .entry"));
  // run() has a graph beside those of training, and prepares the weights that update() made.
  const std::string prepared = (handle.run(), handle.step(), handle.run());
  EXPECT_EQ((handle.step(), handle.run()), prepared);
  // Accumulation binds the update to other memory.
  ASSERT_EQ(library().setAccumulation(handle.instance.model, 1), 0);
  const std::string added = (handle.step(), handle.step());
  EXPECT_EQ(count(added, "launch .entry"), count(second, "launch .entry") + 1);
  EXPECT_EQ(handle.step(), added);
}

TEST_F(CudaLibrary, WhoObservesSeesEachLaunch) {
  Handle handle;
  handle.run(), handle.run();
  const int before = driver().replays();
  int seen = 0;
  library().setObserver(
      handle.instance.model,
      [](void *user, int, const char *, const char *, uint64_t) { ++*static_cast<int *>(user); }, &seen);
  handle.run();
  EXPECT_EQ(seen, 5);
  EXPECT_EQ(driver().replays(), before);
  library().setObserver(handle.instance.model, nullptr, nullptr);
  handle.run();
  EXPECT_EQ(driver().replays(), before + 1);
}

TEST_F(CudaLibrary, WithoutGraphsTheLaunchesAreTheSame) {
  const int before = driver().replays();
  setenv("SEGC_CUDA_GRAPHS", "0", 1);
  {
    Handle handle;
    const std::string plain = handle.run();
    EXPECT_EQ((handle.run(), handle.run()), plain);
    EXPECT_EQ(driver().replays(), before);
  }
  unsetenv("SEGC_CUDA_GRAPHS");
  // A driver that makes no graph of it: what was noted is done after all, and nothing noted again.
  Handle handle;
  const std::string plain = handle.run();
  setenv("FAKE_CUDA", "trace=1 instantiate=801", 1);
  EXPECT_EQ(handle.run(), plain);
  EXPECT_EQ(handle.run(), plain);
  EXPECT_EQ(driver().replays(), before);
}

TEST_F(CudaLibrary, AFailureWhileAGraphIsMadeIsReported) {
  Handle handle;
  const std::string plain = handle.run();
  setenv("FAKE_CUDA", "trace=1 launch=701", 1);
  EXPECT_EQ(library().run(handle.instance.model, &handle.x, 1, &handle.y, 1), SEGC_MODEL_DEVICE_FAILED);
  EXPECT_NE(std::string(library().lastError()).find("too many resources"), std::string::npos);
  setenv("FAKE_CUDA", "trace=1", 1);
  driver().takeTrace();
  EXPECT_EQ(handle.run(), plain);
}

TEST_F(CudaLibrary, TensorsOnTheDeviceAreReadAndWrittenWithoutCopies) {
  Caller caller;
  float *const in = caller.memory(3 * 48), *const out = caller.memory(5 * 48),
               *const other = caller.memory(3 * 48);
  caller.leave();
  Handle handle;
  const int before = driver().replays();
  ASSERT_EQ(caller.setDeviceTensors(handle.instance.model, 1, 1), SEGC_MODEL_OK) << library().lastError();
  driver().takeTrace();
  handle.x.data = in, handle.y.data = out;
  const std::string trace = handle.run();
  EXPECT_EQ(count(trace, "load "), 0u) << trace;
  EXPECT_EQ(count(trace, "launch "), 4u) << trace;
  EXPECT_EQ(count(trace, "wait"), 1u) << "nobody else knows the handle's stream";
  EXPECT_EQ(handle.run(), trace);
  EXPECT_EQ(driver().replays(), before + 1);
  handle.x.data = other; // the graph would read the old one
  const std::string moved = handle.run();
  EXPECT_NE(moved, trace);
  EXPECT_EQ(driver().replays(), before + 1);
  EXPECT_EQ(handle.run(), moved);
  EXPECT_EQ(driver().replays(), before + 2);
  handle.x.data = in; // its graph is still there
  EXPECT_EQ(handle.run(), trace);
  EXPECT_EQ(driver().replays(), before + 3);
  // One side only.
  ASSERT_EQ(caller.setDeviceTensors(handle.instance.model, 0, 1), SEGC_MODEL_OK);
  driver().takeTrace();
  handle.x.data = handle.in.data();
  const std::string mixed = handle.run();
  EXPECT_EQ(count(mixed, "upload "), 1u) << mixed;
  EXPECT_EQ(count(mixed, "download "), 0u) << mixed;
}

TEST_F(CudaLibrary, FourSetsOfBuffersHaveAGraphEach) {
  Caller caller;
  float *in[5], *const out = caller.memory(5 * 48);
  for (float *&one : in)
    one = caller.memory(3 * 48);
  caller.leave();
  Handle handle;
  ASSERT_EQ(caller.setDeviceTensors(handle.instance.model, 1, 1), SEGC_MODEL_OK) << library().lastError();
  driver().takeTrace();
  handle.y.data = out;
  const auto run = [&](int which) { return handle.x.data = in[which], handle.run(); };
  std::string plain[5];
  int before = driver().replays();
  for (int i = 0; i < 4; ++i)
    plain[i] = run(i);
  EXPECT_EQ(driver().replays(), before);
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 4; ++i)
      EXPECT_EQ(run(i), plain[i]) << i;
  EXPECT_EQ(driver().replays(), before += 8);
  // A fifth takes the place of the one that was used least recently; the others stay.
  plain[4] = run(4);
  for (int i : {1, 2, 3})
    EXPECT_EQ(run(i), plain[i]) << i;
  EXPECT_EQ(driver().replays(), before += 3);
  EXPECT_EQ(run(0), plain[0]);
  EXPECT_EQ(driver().replays(), before) << "it was forgotten";
  EXPECT_EQ(run(0), plain[0]);
  EXPECT_EQ(driver().replays(), before + 1);
  // Buffers that are new each time cost no recording.
  handle.shape(6, 8);
  handle.y.data = out;
  before = driver().replays();
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 5; ++i)
      run(i);
  EXPECT_EQ(driver().replays(), before);
}

TEST_F(CudaLibrary, TrainingReadsTensorsOnTheDevice) {
  Caller caller;
  float *const in = caller.memory(3 * 48), *const labels = caller.memory(48),
               *const small = caller.memory(47);
  caller.leave();
  Handle handle;
  segc_model_model *const model = handle.instance.model;
  ASSERT_EQ(caller.setDeviceTensors(model, 1, 0), SEGC_MODEL_OK) << library().lastError();
  driver().takeTrace();
  EXPECT_EQ(library().grad(model, handle.batch, 2, nullptr, 0), SEGC_MODEL_INVALID_TENSOR);
  EXPECT_NE(std::string(library().lastError()).find("lies in the host's memory"), std::string::npos);
  handle.batch[0].data = in;
  handle.batch[1].data = small;
  EXPECT_EQ(library().grad(model, handle.batch, 2, nullptr, 0), SEGC_MODEL_INVALID_TENSOR);
  EXPECT_NE(std::string(library().lastError()).find("takes 192 bytes, its memory ends after 188"),
            std::string::npos);
  handle.batch[1].data = labels;
  const std::string first = handle.step(), second = handle.step();
  const int before = driver().replays();
  // Seeds and the numbers of the optimiser are all that is sent, the losses all that is fetched, in one wait.
  EXPECT_EQ(count(second, "upload "), 2u) << second;
  EXPECT_EQ(count(second, "download "), 1u) << second;
  EXPECT_EQ(count(second, "wait"), 1u) << second;
  EXPECT_EQ(handle.step(), second);
  EXPECT_EQ(driver().replays(), before + 2);
}

TEST_F(CudaLibrary, WhetherGradientsAreFiniteTakesAFewSums) {
  Handle handle;
  ASSERT_EQ(library().grad(handle.instance.model, handle.batch, 2, nullptr, 0), 0) << library().lastError();
  driver().takeTrace();
  int finite = -1;
  EXPECT_EQ(library().gradientsFinite(handle.instance.model, &finite), 0) << library().lastError();
  const std::string trace = driver().takeTrace();
  EXPECT_NE(finite, -1); // of what lay there: kernels do nothing here
  EXPECT_EQ(count(trace, "launch .entry"), 1u) << trace;
  EXPECT_EQ(count(trace, "download "), 1u) << trace;
  EXPECT_NE(trace.find(" 2048 "), std::string::npos) << trace;
}

TEST_F(CudaLibrary, InTheCallersStreamARunDoesNotWait) {
  Caller caller;
  float *const in = caller.memory(3 * 48), *const out = caller.memory(5 * 48);
  void *const stream = caller.stream();
  caller.leave();
  Handle handle;
  const std::string own = handle.run();
  ASSERT_EQ(caller.setStream(handle.instance.model, stream), SEGC_MODEL_OK) << library().lastError();
  ASSERT_EQ(caller.setDeviceTensors(handle.instance.model, 1, 1), SEGC_MODEL_OK);
  driver().takeTrace();
  float *const hostIn = static_cast<float *>(handle.x.data);
  handle.x.data = in, handle.y.data = out;
  const std::string plain = handle.run(), replayed = handle.run();
  EXPECT_EQ(count(plain, "wait"), 0u) << plain;
  EXPECT_EQ(replayed, plain);
  const auto streamOf = [](const std::string &trace) {
    const size_t at = trace.find(" on ", trace.find("launch "));
    return trace.substr(at, trace.find('\n', at) - at);
  };
  EXPECT_EQ(count(plain, streamOf(plain)), 4u);
  EXPECT_NE(streamOf(plain), streamOf(own));
  // What the host sent last is still on its way: the memory for it is not used again before it has arrived.
  ASSERT_EQ(caller.setDeviceTensors(handle.instance.model, 0, 1), SEGC_MODEL_OK);
  driver().takeTrace();
  handle.x.data = hostIn;
  EXPECT_EQ(count(handle.run(), "wait"), 0u);
  hostIn[0] += 1;
  EXPECT_EQ(count(handle.run(), "wait"), 1u);
  ASSERT_EQ(caller.setStream(handle.instance.model, nullptr), SEGC_MODEL_OK);
  driver().takeTrace();
  EXPECT_EQ(streamOf(handle.run()), streamOf(own));
}

TEST_F(CudaLibrary, TensorsThatAreElsewhereAreRefused) {
  Caller caller;
  float *const small = caller.memory(5 * 48 - 1), *const large = caller.memory(5 * 48);
  caller.leave();
  Handle handle;
  segc_model_model *const model = handle.instance.model;
  const auto refusal = [&] {
    EXPECT_EQ(library().run(model, &handle.x, 1, &handle.y, 1), SEGC_MODEL_INVALID_TENSOR);
    return std::string(library().lastError());
  };
  handle.y.data = large;
  EXPECT_NE(refusal().find("output 'b' lies in a GPU's memory: say so by"), std::string::npos);
  ASSERT_EQ(caller.setDeviceTensors(model, 0, 1), SEGC_MODEL_OK);
  EXPECT_EQ(library().run(model, &handle.x, 1, &handle.y, 1), SEGC_MODEL_OK) << library().lastError();
  handle.y.data = small;
  EXPECT_NE(refusal().find("output 'b' takes 960 bytes, its memory ends after 956"), std::string::npos);
  handle.y.data = handle.out.data();
  EXPECT_NE(refusal().find("output 'b' lies in the host's memory"), std::string::npos);
  handle.y.data = large;
  setenv("FAKE_CUDA", "ordinal=1", 1);
  EXPECT_NE(refusal().find("output 'b' lies on device 1, the model runs on 0"), std::string::npos);
  setenv("FAKE_CUDA", "trace=1", 1);
  // Training takes the host's tensors.
  handle.batch[0].data = large;
  EXPECT_EQ(library().grad(model, handle.batch, 2, nullptr, 0), SEGC_MODEL_INVALID_TENSOR);
  setenv("FAKE_CUDA", "managed=1", 1);
  ASSERT_EQ(caller.setDeviceTensors(model, 0, 0), SEGC_MODEL_OK);
  EXPECT_EQ(library().run(model, &handle.x, 1, &handle.y, 1), SEGC_MODEL_OK) << library().lastError();
  int nothing = 0;
  EXPECT_EQ(caller.setStream(model, &nothing), SEGC_MODEL_INVALID_ARGUMENT);
  EXPECT_NE(std::string(library().lastError()).find("primary context of device 0"), std::string::npos);
}
